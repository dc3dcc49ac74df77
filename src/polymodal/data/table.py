"""A table from anywhere: files, folders, data frames, Arrow, lists of dictionaries."""

from __future__ import annotations

import glob
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polymodal.errors import TableError, nearest

IMAGE_ENDINGS = frozenset(
    ".png .jpg .jpeg .bmp .gif .webp .tif .tiff .ppm .pgm .pbm .jp2 .ico .avif .heic".split()
)
AUDIO_ENDINGS = frozenset(".wav .flac .ogg .oga .opus .mp3 .m4a .aac .aif .aiff .wma".split())
VIDEO_ENDINGS = frozenset(".mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .wmv".split())
TABLE_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
MISSING_WORDS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "<NA>"]
SAMPLE = 1000

Column = pa.ChunkedArray | list[Any]


@dataclass(frozen=True)
class ColumnSummary:
    """What a column holds, in little: enough to recognise its modality.

    Args:
        name: the column's name.
        rows: rows of the table.
        missing: rows without a value.
        distinct: distinct values among those present.
        sample: up to 1,000 present cells, evenly spread.
        counts: how often each value occurs, the most frequent first; None where the values
            cannot be compared (arrays) or more than 5,000 differ.
    """

    name: str
    rows: int
    missing: int
    distinct: int
    sample: list[Any]
    counts: dict[Any, int] | None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing


class Table:
    """Columns of cells, with the folder that relative media paths start from.

    Args:
        columns: name -> Arrow array, or list of any Python objects (pictures, arrays).
        folder: where relative media paths start.
        source: what to call the table in messages.

    Raises:
        TableError: no column, or columns of different lengths.
    """

    def __init__(
        self, columns: Mapping[str, Column], *, folder: Path | None = None, source: str = "the data"
    ) -> None:
        self.columns = dict(columns)
        self.folder = (folder or Path()).absolute()
        self.source = source
        lengths = {len(column) for column in self.columns.values()}
        if not self.columns:
            raise TableError(f"{source} has no columns.")
        if len(lengths) > 1:
            raise TableError(f"{source}: columns differ in length: {sorted(lengths)}.")
        self._rows = lengths.pop()

    @classmethod
    def read(cls, source: Any, *, folder: Path | str | None = None) -> Table:
        """Read a table.

        Args:
            source: path of a CSV, TSV, JSONL, JSON or Parquet file; a glob or a list of such
                paths; a folder of such files, or with one folder of media per class; a pandas
                data frame; an Arrow table or anything with ``__arrow_c_stream__`` (polars,
                duckdb, datasets); a list of dictionaries; a dictionary of lists.
            folder: where relative media paths start; the table's own folder by default.

        Raises:
            TableError: nothing is there, it is empty, or it cannot be read as a table.
        """
        start = None if folder is None else Path(folder)
        if isinstance(source, Table):
            return source
        if isinstance(source, str | Path):
            return _read_path(str(source), start)
        if isinstance(source, Sequence) and source and isinstance(source[0], str | Path):
            return concatenate([_read_path(str(item), start) for item in source])
        if isinstance(source, Mapping):
            columns = {str(name): list(cells) for name, cells in source.items()}
            return cls(columns, folder=start)
        if isinstance(source, Sequence):
            if not source:
                raise TableError("The list of rows is empty.")
            if not all(isinstance(row, Mapping) for row in source):
                raise TableError("A list of rows must hold dictionaries: column name -> cell.")
            names = dict.fromkeys(str(name) for row in source for name in row)
            return cls({n: [row.get(n) for row in source] for n in names}, folder=start)
        if hasattr(source, "iloc") and hasattr(source, "columns"):
            return cls(_from_pandas(source), folder=start, source="the data frame")
        if isinstance(source, pa.Table) or hasattr(source, "__arrow_c_stream__"):
            return cls(_from_arrow(pa.table(source), "the Arrow table"), folder=start)
        raise TableError(
            f"Cannot read a table from {type(source).__name__}. Give a path, a data frame, an "
            "Arrow table, a list of dictionaries or a dictionary of lists."
        )

    def __len__(self) -> int:
        """The number of rows."""
        return self._rows

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return list(self.columns)

    def column(self, name: str) -> Column:
        """A column.

        Raises:
            TableError: there is no such column.
        """
        if name not in self.columns:
            raise TableError(
                f"{self.source} has no column {name!r}. {nearest(name, self.columns)}"
            )
        return self.columns[name]

    def cells(self, name: str, rows: Sequence[int] | np.ndarray | None = None) -> list[Any]:
        """Cells of a column as Python objects; None where missing (NaN and NaT included)."""
        column = self.column(name)
        if isinstance(column, list):
            chosen = column if rows is None else [column[i] for i in rows]
        else:
            chosen = (column if rows is None else column.take(pa.array(rows))).to_pylist()
        return [None if is_missing(cell) else cell for cell in chosen]

    def chunks(self, name: str, size: int) -> Iterator[list[Any]]:
        """The cells of a column, ``size`` at a time, so that big columns need little memory."""
        column = self.column(name)
        for start in range(0, len(self), size):
            part = column[start : start + size]
            cells = part if isinstance(part, list) else part.to_pylist()
            yield [None if is_missing(cell) else cell for cell in cells]

    def take(self, rows: np.ndarray) -> Table:
        """The table of these rows."""
        columns = {
            name: [c[i] for i in rows] if isinstance(c, list) else c.take(pa.array(rows))
            for name, c in self.columns.items()
        }
        return Table(columns, folder=self.folder, source=self.source)

    def slice(self, start: int, stop: int) -> Table:
        """The table of the rows from ``start`` up to, not including, ``stop``."""
        columns = {name: column[start:stop] for name, column in self.columns.items()}
        return Table(columns, folder=self.folder, source=self.source)

    def media(self, cell: Any) -> Any:
        """A media cell with its path made absolute; bytes and objects as they are."""
        if isinstance(cell, Mapping) and {"bytes", "path"} & set(cell):
            cell = cell.get("bytes") or cell.get("path")
        if isinstance(cell, str):
            return self.folder / cell
        return cell

    def summary(self, name: str) -> ColumnSummary:
        """What a column holds, in little."""
        column = self.column(name)
        if isinstance(column, list) or pa.types.is_nested(column.type):
            return _summarise_objects(name, self.cells(name))
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        present = column.drop_null()
        sample = present.take(pa.array(_spread(len(present)))).to_pylist()
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            return ColumnSummary(
                name, len(self), column.null_count, len(present), [_head(b) for b in sample], None
            )
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            present = present.filter(pc.not_equal(pc.utf8_trim_whitespace(present), ""))
        distinct = pc.count_distinct(present).as_py()
        counts = None
        if distinct <= 5 * SAMPLE:
            pairs = [(p["values"], p["counts"]) for p in pc.value_counts(present).to_pylist()]
            counts = dict(sorted(pairs, key=lambda pair: (-pair[1], str(pair[0]))))
        missing = len(self) - len(present)
        sample = [cell for cell in sample if not is_missing(cell)]
        return ColumnSummary(name, len(self), missing, distinct, sample, counts)


def is_missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, an empty or blank string, empty list."""
    if cell is None:
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, list | tuple):
        return not cell
    if isinstance(cell, Mapping) and {"bytes", "path"} & set(cell):
        return cell.get("bytes") is None and not cell.get("path")
    return type(cell).__name__ in ("NaTType", "NAType")


def concatenate(tables: Sequence[Table]) -> Table:
    """The rows of all tables, one after the other; a column some lack is missing there.

    Media paths of tables from different folders are made absolute.

    Raises:
        TableError: there is no table.
    """
    if not tables:
        raise TableError("There is no table to read.")
    if len(tables) == 1:
        return tables[0]
    same_folder = len({table.folder for table in tables}) == 1
    names = dict.fromkeys(name for table in tables for name in table.names)
    columns: dict[str, Column] = {}
    for name in names:
        parts = [t.columns.get(name, [None] * len(t)) for t in tables]
        types = {p.type for p in parts if not isinstance(p, list)}
        if same_folder and len(types) == 1 and not any(isinstance(p, list) for p in parts):
            columns[name] = pa.chunked_array([chunk for p in parts for chunk in p.chunks])
        else:
            columns[name] = [
                _anchored(cell, table.folder) if not same_folder else cell
                for table in tables
                for cell in (table.cells(name) if name in table.columns else [None] * len(table))
            ]
    return Table(columns, folder=tables[0].folder, source=tables[0].source)


def ending(cell: Any) -> str:
    """The file ending of a cell that looks like a path ('.png'), else ''.

    >>> ending("photos/a.PNG"), ending("the end."), ending(3)
    ('.png', '', '')
    """
    if isinstance(cell, Path):
        return cell.suffix.lower()
    if not isinstance(cell, str) or len(cell) > 1000 or "\n" in cell:
        return ""
    dot = cell.rfind(".")
    return cell[dot:].lower() if 2 <= len(cell) - dot <= 6 and dot > 0 else ""


def name_parts(name: str) -> list[str]:
    """The words of a column's name, in lower case.

    >>> name_parts("patientID_2"), name_parts("zip code")
    (['patient', 'id', '2'], ['zip', 'code'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [part for part in re.split(r"[\W_]+", spaced.lower()) if part]


def _anchored(cell: Any, folder: Path) -> Any:
    known = IMAGE_ENDINGS | AUDIO_ENDINGS | VIDEO_ENDINGS
    return str(folder / cell) if isinstance(cell, str) and ending(cell) in known else cell


def _spread(rows: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, SAMPLE)).astype(np.int64))


def _head(cell: Any) -> Any:
    return cell[:64] if isinstance(cell, bytes) else cell


def _summarise_objects(name: str, cells: list[Any]) -> ColumnSummary:
    present = [cell for cell in cells if cell is not None]
    counts: dict[Any, int] | None = {}
    for cell in present:
        try:
            counts[cell] = counts.get(cell, 0) + 1  # type: ignore[index, union-attr]
        except TypeError:
            counts = None
            break
    distinct = len(present) if counts is None else len(counts)
    if counts is not None:
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
        counts = dict(ordered) if distinct <= 5 * SAMPLE else None
    sample = [_head(present[i]) for i in _spread(len(present))] if present else []
    return ColumnSummary(name, len(cells), len(cells) - len(present), distinct, sample, counts)


def _read_path(path: str, folder: Path | None) -> Table:
    if any(letter in path for letter in "*?["):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches and not Path(path).exists():
            raise TableError(f"No file matches {path!r}.")
        if matches:
            return concatenate([_read_path(glob.escape(m), folder) for m in matches])
    place = Path(path.replace("[[]", "[").replace("[*]", "*").replace("[?]", "?"))
    if not place.exists():
        siblings = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
        hint = nearest(place.name, siblings) if siblings else ""
        raise TableError(f"There is no file or folder {str(place)!r}. {hint}".rstrip())
    if place.is_dir():
        return _read_folder(place, folder)
    kind = TABLE_ENDINGS.get(place.suffix.lower())
    if kind is None:
        raise TableError(
            f"{place.name!r} is not a table polymodal reads; known endings: "
            f"{', '.join(TABLE_ENDINGS)}."
        )
    if place.stat().st_size == 0:
        raise TableError(f"{str(place)!r} is empty (0 bytes).")
    try:
        columns = _READERS[kind](place)
    except (pa.ArrowException, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{str(place)!r} cannot be read as {kind}: {error}") from error
    table = Table(columns, folder=folder or place.parent, source=repr(place.name))
    if len(table) == 0:
        raise TableError(f"{str(place)!r} has a header but no rows.")
    return table


def _read_folder(place: Path, folder: Path | None) -> Table:
    files = sorted(p for p in place.iterdir() if p.suffix.lower() in TABLE_ENDINGS)
    if not files:
        return _read_class_folders(place)
    kinds = {TABLE_ENDINGS[p.suffix.lower()] for p in files}
    named = ", ".join(p.name for p in files)
    if len(kinds) > 1:
        raise TableError(f"{str(place)!r} holds tables of several kinds ({named}): name one.")
    tables = [_read_path(glob.escape(str(p)), folder) for p in files]
    if len({tuple(sorted(t.names)) for t in tables}) > 1:
        raise TableError(f"{str(place)!r} holds tables with different columns ({named}): name one.")
    return concatenate(tables)


def _read_class_folders(place: Path) -> Table:
    known = {"image": IMAGE_ENDINGS, "audio": AUDIO_ENDINGS, "video": VIDEO_ENDINGS}
    files = [p.relative_to(place) for p in sorted(place.rglob("*")) if p.is_file()]
    of_kind = {k: [p for p in files if p.suffix.lower() in e] for k, e in known.items()}
    kind = max(of_kind, key=lambda k: len(of_kind[k]))
    media = [p for p in of_kind[kind] if len(p.parts) >= 2]
    if not media:
        raise TableError(
            f"{str(place)!r} holds neither a table ({', '.join(TABLE_ENDINGS)}) nor one folder "
            "of images or recordings per class."
        )
    columns: dict[str, Column] = {
        kind: pa.chunked_array([[str(p) for p in media]]),
        "label": pa.chunked_array([[p.parts[-2] for p in media]]),
    }
    if all(len(p.parts) >= 3 for p in media):
        columns["split"] = pa.chunked_array([[p.parts[0] for p in media]])
    return Table(columns, folder=place, source=repr(place.name))


def _read_csv(place: Path, delimiter: str = ",") -> dict[str, Column]:
    from pyarrow import csv

    content = place.read_bytes()
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        content = content.decode("gb18030").encode("utf-8")
    convert = csv.ConvertOptions(null_values=MISSING_WORDS, strings_can_be_null=True)
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    # One block: the types are inferred from all rows, not from the first megabyte.
    read = csv.ReadOptions(block_size=min(max(len(content) + 1, 1 << 20), (1 << 31) - 1))
    table = csv.read_csv(
        io.BytesIO(content), read_options=read, parse_options=parse, convert_options=convert
    )
    return _from_arrow(table, place.name)


def _read_tsv(place: Path) -> dict[str, Column]:
    return _read_csv(place, "\t")


def _read_parquet(place: Path) -> dict[str, Column]:
    from pyarrow import parquet

    return _from_arrow(parquet.read_table(place, memory_map=True), place.name)


def _read_jsonl(place: Path) -> dict[str, Column]:
    rows = []
    with place.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except json.JSONDecodeError as error:
                    raise TableError(f"{str(place)!r}, line {number}: {error}") from error
    return _from_rows(rows, place)


def _read_json(place: Path) -> dict[str, Column]:
    rows = json.loads(place.read_text("utf-8-sig"))
    if isinstance(rows, dict):
        lists = [value for value in rows.values() if isinstance(value, list)]
        if len(lists) != 1:
            raise TableError(
                f"{str(place)!r}: expected a list of objects, one for each row: "
                '[{"image": …, "text": …}, …].'
            )
        rows = lists[0]
    return _from_rows(rows, place)


def _from_rows(rows: list[Any], place: Path) -> dict[str, Column]:
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{str(place)!r}: expected one JSON object for each row.")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _to_arrow([row.get(name) for row in rows]) for name in names}


def _to_arrow(cells: list[Any]) -> Column:
    plain = (str, bytes, bool, int, float, type(None))
    if not all(isinstance(cell, plain) for cell in cells):
        return cells
    try:
        return pa.chunked_array([pa.array(cells, from_pandas=True)])
    except pa.ArrowException:
        return cells


def _from_pandas(frame: Any) -> dict[str, Column]:
    names = [str(name) for name in frame.columns]
    _refuse_duplicates(names, "The data frame")
    columns: dict[str, Column] = {}
    for i, name in enumerate(names):
        series = frame.iloc[:, i]
        if series.dtype == object:
            columns[name] = _to_arrow(series.tolist())
        else:
            array = pa.array(series, from_pandas=True)
            columns[name] = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array(array)
    return columns


def _from_arrow(table: pa.Table, source: str) -> dict[str, Column]:
    _refuse_duplicates(table.column_names, repr(source))
    columns: dict[str, Column] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if isinstance(kind, pa.BaseExtensionType):
            column = pa.chunked_array([chunk.storage for chunk in column.chunks])
        elif pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
        elif pa.types.is_string_view(kind):
            column = column.cast(pa.large_string())
        elif pa.types.is_binary_view(kind):
            column = column.cast(pa.large_binary())
        columns[name] = column
    return columns


def _refuse_duplicates(names: Sequence[str], source: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{source} has more than one column named {twice}: rename them.")


_READERS = {
    "csv": _read_csv,
    "tsv": _read_tsv,
    "jsonl": _read_jsonl,
    "json": _read_json,
    "parquet": _read_parquet,
}
