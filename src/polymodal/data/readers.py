"""From files, folders and data frames to columns: one reader for each kind."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polymodal.data.adapters import (
    is_coco,
    is_flickr,
    is_karpathy,
    read_coco,
    read_flickr,
    read_karpathy,
)
from polymodal.data.media import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from polymodal.data.summary import Column
from polymodal.data.webdataset import read_samples
from polymodal.errors import TableError

TABLE_ENDINGS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tar": "tar",
}
MISSING_WORDS = ["", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "<NA>"]
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LARGEST_BLOCK = (1 << 31) - 1


def read_file(place: Path) -> dict[str, Column]:
    """The columns of a table file, by its ending.

    Raises:
        TableError: the ending is not known, the file is empty, or it is no such table.
    """
    kind = TABLE_ENDINGS.get(place.suffix.lower())
    if is_flickr(place):
        kind = "flickr"
    if kind is None:
        raise TableError(
            f"{place.name!r} is not a table polymodal reads; known endings: "
            f"{', '.join(TABLE_ENDINGS)}."
        )
    try:
        if place.stat().st_size == 0:
            raise TableError(f"{str(place)!r} is empty (0 bytes).")
        columns = READERS[kind](place)
    except (pa.ArrowException, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TableError(f"{str(place)!r} cannot be read as {kind}: {error}") from error
    except OSError as error:
        raise TableError(f"{str(place)!r} cannot be read: {error.strerror or error}") from error
    if not columns:
        raise TableError(f"{str(place)!r} has no columns.")
    if not any(map(len, columns.values())):
        raise TableError(f"{str(place)!r} has a header but no rows.")
    return columns


def read_csv(place: Path, delimiter: str | None = None) -> dict[str, Column]:
    """A text file of separated cells, in UTF-8, UTF-16 or GB18030, with a line of names.

    Args:
        place: the file.
        delimiter: what stands between cells; None takes the comma, or what else the line of names
            is cut by when it holds no comma (semicolon, tab, bar).
    """
    with pa.memory_map(str(place)) as file:
        start = file.read(1 << 16)
    if start[:2] in UTF_16_MARKS:
        return _parse_csv(place, place.read_bytes().decode("utf-16").encode(), delimiter)
    try:
        # Mapped, not read: a large file is gone through once, and never copied as a whole.
        columns = _parse_csv(place, None, delimiter)
        kinds = [c.type for c in columns.values() if not isinstance(c, list)]
        is_utf_8 = not any(map(pa.types.is_binary, kinds))
    except UnicodeDecodeError:
        is_utf_8 = False
    return columns if is_utf_8 else _parse_csv(place, _from_gb18030(place), delimiter)


def read_tsv(place: Path) -> dict[str, Column]:
    """A text file of cells separated by tabs."""
    return read_csv(place, "\t")


def read_parquet(place: Path) -> dict[str, Column]:
    """A Parquet file."""
    from pyarrow import parquet

    return from_arrow(parquet.ParquetFile(place, memory_map=True).read(), repr(place.name))


def read_jsonl(place: Path) -> dict[str, Column]:
    """A text file with one JSON object a line; an object may lack some names."""
    rows = []
    with place.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except json.JSONDecodeError as error:
                    raise TableError(f"{str(place)!r}, line {number}: {error}") from error
                if not isinstance(rows[-1], dict):
                    raise TableError(f"{str(place)!r}, line {number}: not a JSON object.")
    return from_rows(rows)


def read_json(place: Path) -> dict[str, Column]:
    """A JSON list of objects, or an object that holds one such list; COCO's, Karpathy's files."""
    rows = json.loads(place.read_text("utf-8-sig"))
    if is_coco(rows):
        return read_coco(place, rows)
    if is_karpathy(rows):
        return read_karpathy(place, rows)
    if isinstance(rows, dict):
        lists = {name: value for name, value in rows.items() if isinstance(value, list)}
        if len(lists) != 1:
            several = (
                f"it holds several lists ({', '.join(lists)})" if lists else "it holds no list"
            )
            raise TableError(
                f"{str(place)!r}: {several}; expected one list of objects, one for each row: "
                '[{"image": …, "text": …}, …].'
            )
        rows = next(iter(lists.values()))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise TableError(f"{str(place)!r}: expected one JSON object for each row.")
    return from_rows(rows)


def read_tar(place: Path) -> dict[str, Column]:
    """An archive of the WebDataset layout, its media as bytes."""
    with place.open("rb") as file:
        return from_rows(read_samples(file, repr(place.name)))


def read_class_folders(place: Path) -> dict[str, Column]:
    """The media below a folder: their paths, and as label the folder each is in.

    Where every file is two folders deep and the upper folders are few, these are the split.

    Raises:
        TableError: no media lie in folders below.
    """
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
    return columns


def from_rows(rows: Iterable[Mapping[Any, Any]]) -> dict[str, Column]:
    """Columns of dictionaries; what a row lacks is missing."""
    rows = list(rows)
    names = dict.fromkeys(name for row in rows for name in row)
    refuse_duplicates(map(str, names), "The rows")
    return {str(name): to_column([row.get(name) for row in rows]) for name in names}


def from_pandas(frame: Any) -> dict[str, Column]:
    """Columns of a pandas data frame; NaN, NaT and NA are missing."""
    names = [str(name) for name in frame.columns]
    refuse_duplicates(names, "The data frame")
    columns: dict[str, Column] = {}
    for i, name in enumerate(names):
        series = frame.iloc[:, i]
        if series.dtype == object:
            columns[name] = to_column(series.tolist())
            continue
        try:
            array = pa.array(series, from_pandas=True)
        except pa.ArrowException:  # complex numbers, sparse columns, …
            columns[name] = series.astype(object).tolist()
            continue
        whole = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
        columns[name] = _plain(whole)
    return columns


def from_arrow(table: pa.Table, source: str) -> dict[str, Column]:
    """Columns of an Arrow table, each of a plain type."""
    refuse_duplicates(table.column_names, source)
    return dict(zip(table.column_names, map(_plain, table.columns), strict=True))


def to_column(cells: list[Any]) -> Column:
    """Cells as an Arrow array where they are plain and of one type, else as they are."""
    plain = (str, bytes, bool, int, float, type(None))
    if not all(isinstance(cell, plain) for cell in cells):
        return cells
    if {str, bytes} <= set(map(type, cells)):
        return cells  # Arrow would make bytes of the paths
    try:
        return pa.chunked_array([pa.array(cells, from_pandas=True)])
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return cells  # of several types, or beyond 64 bits


def refuse_duplicates(names: Iterable[str], source: str) -> None:
    """Raise a TableError where two columns have one name."""
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise TableError(f"{source} has more than one column named {twice}: rename them.")


def _parse_csv(place: Path, content: bytes | None, delimiter: str | None) -> dict[str, Column]:
    """Parse a file, or the UTF-8 ``content`` it was turned into."""
    from pyarrow import csv as arrow_csv

    file = pa.memory_map(str(place)) if content is None else pa.BufferReader(content)
    with file:
        header = _header(file.read(1 << 16))
        file.seek(0)
        delimiter = delimiter or _delimiter(header)
        # One block: the types are inferred from all rows, not from the first megabyte.
        block = min(max(file.size() + 1, 1 << 20), LARGEST_BLOCK)
        try:
            table = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(block_size=block),
                arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                arrow_csv.ConvertOptions(null_values=MISSING_WORDS, strings_can_be_null=True),
            )
        except pa.ArrowInvalid as error:
            _name_the_line(place, content, delimiter)
            raise TableError(f"{str(place)!r} cannot be read: {error}") from error
    # An odd number of quotes may be one that is never closed and swallows what follows it.
    if _quotes(place, content) % 2:
        _name_the_line(place, content, delimiter, widths=False)
    return from_arrow(table, repr(place.name))


def _header(start: bytes) -> bytes:
    return start.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]


def _delimiter(header: bytes) -> str:
    counts = {mark: header.count(mark.encode()) for mark in (",", ";", "\t", "|")}
    return "," if counts[","] else max(counts, key=lambda mark: counts[mark])


def _quotes(place: Path, content: bytes | None) -> int:
    if content is not None:
        return content.count(b'"')
    with place.open("rb") as file:
        return sum(part.count(b'"') for part in iter(lambda: file.read(1 << 22), b""))


def _name_the_line(
    place: Path, content: bytes | None, delimiter: str, *, widths: bool = True
) -> None:
    """Raise a TableError that names the first malformed line, if there is one."""
    raw: Any = place.open("rb") if content is None else io.BytesIO(content)
    with io.TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        width, line = 0, 1
        try:
            for cells in reader:
                width = width or len(cells)
                if widths and cells and len(cells) != width:
                    raise TableError(
                        f"{str(place)!r}, line {line}: {len(cells)} cells where the line of names "
                        f"has {width}: {delimiter.join(cells)[:80]!r}. Mend or remove the line; "
                        f"cells that contain {delimiter!r} or line breaks need quotes."
                    )
                line = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise TableError(
                    f'{str(place)!r}, line {line}: a quotation mark (") is opened and never closed.'
                ) from error


def _from_gb18030(place: Path) -> bytes:
    content = place.read_bytes()
    # Text in Latin-1 often decodes as GB18030 too, to nonsense: in real Chinese text nearly all
    # bytes beyond ASCII stand in pairs that are both of the upper half.
    pairs = len(re.findall(rb"[\xa1-\xf7][\xa1-\xfe]", content))
    high = sum(map(len, re.findall(rb"[\x80-\xff]+", content)))
    try:
        if 2 * pairs >= 0.7 * high:
            return content.decode("gb18030").encode()
    except UnicodeDecodeError:
        pass
    raise TableError(
        f"{str(place)!r} is neither in UTF-8 nor in UTF-16 nor in GB18030: save it as UTF-8."
    )


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of one of the types that the rest of the house knows."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        storage = [chunk.storage for chunk in column.chunks]
        return _plain(pa.chunked_array(storage, kind.storage_type))
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return _plain(pa.chunked_array([pc.run_end_decode(c) for c in column.chunks]))
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_binary_view(kind):
        return column.cast(pa.large_binary())
    if pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    return column


READERS: dict[str, Callable[[Path], dict[str, Column]]] = {
    "csv": read_csv,
    "tsv": read_tsv,
    "jsonl": read_jsonl,
    "json": read_json,
    "parquet": read_parquet,
    "tar": read_tar,
    "flickr": read_flickr,
}
