"""A table from anywhere: files, folders, data frames, Arrow, lists of dictionaries."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from polymodal.data.adapters import (
    from_datasets,
    is_datasets,
    is_saved_datasets,
    load_saved_datasets,
)
from polymodal.data.media import (
    MEDIA_ENDINGS,
    as_list,
    ending,
    identity,
    is_missing,
    located,
)
from polymodal.data.readers import (
    TABLE_ENDINGS,
    from_arrow,
    from_pandas,
    from_rows,
    read_class_folders,
    read_file,
    to_column,
)
from polymodal.data.summary import Column, ColumnSummary, summarise
from polymodal.data.views import columns_named, filling
from polymodal.errors import TableError, nearest


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
        self._summaries: dict[str, ColumnSummary] = {}

    @classmethod
    def read(cls, source: Any, *, folder: Path | str | None = None) -> Table:
        """Read a table.

        Args:
            source: path of a CSV, TSV, JSONL, JSON or Parquet file, of COCO's or Flickr's
                captions, of a WebDataset archive (tar); a glob or a list of such paths; a folder
                of such files, or with one folder of media per class, or saved by `datasets`; a
                ``datasets.Dataset``; a pandas data frame; an Arrow table or anything with
                ``__arrow_c_stream__`` (polars, duckdb); a list of dictionaries; a dictionary of
                lists.
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
        if is_datasets(source):
            columns = from_arrow(from_datasets(source), "The data set")
            return cls(columns, folder=start, source="the data set")
        if isinstance(source, Mapping):
            return cls({str(n): to_column(list(c)) for n, c in source.items()}, folder=start)
        if isinstance(source, Sequence):
            if not source:
                raise TableError("The list of rows is empty.")
            if not all(isinstance(row, Mapping) for row in source):
                raise TableError("A list of rows must hold dictionaries: column name -> cell.")
            return cls(from_rows(source), folder=start, source="the list of rows")
        if hasattr(source, "iloc") and hasattr(source, "columns"):
            return cls(from_pandas(source), folder=start, source="the data frame")
        if isinstance(source, pa.Table | pa.RecordBatch) or hasattr(source, "__arrow_c_stream__"):
            columns = from_arrow(pa.table(source), "The Arrow table")
            return cls(columns, folder=start, source="the Arrow table")
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
            raise TableError(f"{self.source} has no column {name!r}. {nearest(name, self.columns)}")
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

    def with_views(self, sources: Mapping[str, str]) -> Table:
        """The table with further columns that are made of its own.

        Args:
            sources: new column -> the column whose cells it shows, or a text with columns' names
                in braces (``"windows.npz#{row}"``), which are filled in row by row; a cell is
                missing where one of these is; or ``"[{caption_1}, {caption_2}]"``, a list of those
                that are not missing. A column of that name is replaced, unless what it
                is made of is not there.

        Raises:
            TableError: a column that is named is not in the table.
        """
        made = {
            name: self._view(source)
            for name, source in sources.items()
            if name not in self.columns or set(columns_named(source)) <= set(self.columns)
        }
        return Table(self.columns | made, folder=self.folder, source=self.source) if made else self

    def _view(self, source: str) -> Column:
        names = columns_named(source)
        if names == [source]:
            return self.column(source)
        cells = zip(*map(self.cells, names), strict=True)
        return to_column([*map(filling(source), cells)])

    def media(self, cell: Any) -> Any:
        """A media cell with its paths made absolute; bytes and objects as they are."""
        return located(cell, self.folder)

    def _part(self, name: str, *, anchored: bool) -> Column:
        """A column, all missing where there is none, its media paths absolute if so wanted."""
        column = self.columns.get(name)
        if column is None:
            return pa.chunked_array([pa.nulls(len(self))])
        if not anchored:
            return column
        if not isinstance(column, list) and not _may_hold_paths(column.type):
            return column
        return to_column([_anchored(cell, self.folder) for cell in self.cells(name)])

    def codes(self, name: str) -> np.ndarray:
        """A number for each row ``(rows,)``, equal where the cells are; -1 where missing.

        Objects that cannot be compared (arrays, pictures in memory) are equal to themselves only.
        """
        column = self.column(name)
        kind = None if isinstance(column, list) else column.type
        if kind is not None and not pa.types.is_nested(kind) and not pa.types.is_null(kind):
            encoded = pc.dictionary_encode(column).combine_chunks()
            missing = np.array([is_missing(c) for c in encoded.dictionary.to_pylist()], bool)
            numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
            return np.where(np.append(missing, True)[numbers], -1, numbers).astype(np.int64)
        seen: dict[Any, int] = {}
        keys = (_key(cell) for cell in self.cells(name))
        return np.array(
            [-1 if k is None else seen.setdefault(k, len(seen)) for k in keys], np.int64
        )

    def summary(self, name: str) -> ColumnSummary:
        """What a column holds, in little; worked out once."""
        if name not in self._summaries:
            self._summaries[name] = summarise(name, self.column(name))
        return self._summaries[name]


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
    one_folder = len({table.folder for table in tables}) == 1
    names = dict.fromkeys(name for table in tables for name in table.names)
    columns = {
        name: _joined([table._part(name, anchored=not one_folder) for table in tables])
        for name in names
    }
    return Table(columns, folder=tables[0].folder, source=tables[0].source)


def _joined(parts: Sequence[Column]) -> Column:
    """One column of several, of the widest of their types, or of any objects."""
    arrays = [part for part in parts if not isinstance(part, list)]
    if len(arrays) == len(parts):
        whole = [pa.table({"": array}) for array in arrays]
        try:
            return pa.concat_tables(whole, promote_options="permissive").column(0)
        except pa.ArrowException:
            pass  # numbers in one table, strings in another
    lists = (part if isinstance(part, list) else part.to_pylist() for part in parts)
    return [cell for part in lists for cell in part]


def _key(cell: Any) -> Any:
    """What equal cells share, of any type; None where missing."""
    if cell is None:
        return None
    known = identity(cell)
    if known is not None:
        return known
    if isinstance(cell, list | tuple):
        return tuple(map(_key, cell))
    try:
        hash(cell)
    except TypeError:
        return ("object", id(cell))
    return cell


def _may_hold_paths(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _anchored(cell: Any, folder: Path) -> Any:
    if isinstance(cell, Mapping) and isinstance(cell.get("path"), str):
        return {**cell, "path": _anchored(cell["path"], folder)}
    parts = as_list(cell)
    if parts is not None:
        anchored = [_anchored(part, folder) for part in parts]
        return anchored if anchored != parts else cell
    if not isinstance(cell, str) or "://" in cell or not ending(cell):
        return cell
    is_path = ending(cell) in MEDIA_ENDINGS or (folder / cell).is_file()
    return str(folder / cell) if is_path else cell


def _read_path(path: str, folder: Path | None) -> Table:
    place = Path(path)
    if place.is_dir():
        return _read_folder(place, folder)
    if place.exists():
        return Table(read_file(place), folder=folder or place.parent, source=repr(place.name))
    if any(letter in path for letter in "*?["):
        matches = sorted(glob.glob(path, recursive=True))
        if not matches:
            raise TableError(f"No file matches {path!r}.")
        return concatenate([_read_path(match, folder) for match in matches])
    if "://" in path:
        raise TableError(
            f"{path!r} is an address: those are streamed (data.stream=true, --stream)."
        )
    siblings = [p.name for p in place.parent.iterdir()] if place.parent.is_dir() else []
    hint = nearest(place.name, siblings) if siblings else ""
    raise TableError(f"There is no file or folder {path!r}. {hint}".rstrip())


def _read_folder(place: Path, folder: Path | None) -> Table:
    if is_saved_datasets(place):
        return Table.read(load_saved_datasets(place), folder=folder or place)
    files = [p for p in sorted(place.iterdir()) if p.suffix.lower() in TABLE_ENDINGS]
    files = [p for p in files if p.is_file() and not p.name.startswith(".")]
    if not files:
        return Table(read_class_folders(place), folder=folder or place, source=repr(place.name))
    kinds = {TABLE_ENDINGS[p.suffix.lower()] for p in files}
    named = ", ".join(p.name for p in files)
    if len(kinds) > 1:
        raise TableError(f"{str(place)!r} holds tables of several kinds ({named}): name one.")
    tables = [_read_path(str(p), folder) for p in files]
    # A sample of an archive lacks the files it has none of.
    if kinds != {"tar"} and len({tuple(sorted(t.names)) for t in tables}) > 1:
        raise TableError(f"{str(place)!r} holds tables with different columns ({named}): name one.")
    return concatenate(tables)
