"""Cells that hold arrays of numbers: lists, NumPy files, and places inside such files."""

from __future__ import annotations

import io
import json
import os
import re
import tokenize
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.media import is_tensor, read_bytes, unwrapped
from polymodal.errors import CellError

CLOCKS = {"time", "timestamp", "t", "date", "datetime", "index"}
# PATH, PATH#ROW, PATH#NAME or PATH#NAME[ROW]
ADDRESS = re.compile(r"(.+?\.np[yz])(?:#(?:(\d+)|([^#\[\]]+)(?:\[(\d+)\])?))?", re.I | re.S)
DAMAGE = (
    OSError, ValueError, EOFError, MemoryError, LookupError, TypeError, SyntaxError,
    ArithmeticError, NotImplementedError, RuntimeError, RecursionError, zipfile.BadZipFile,
    zlib.error, tokenize.TokenError,
)  # fmt: skip


def array_ending(cell: Any) -> str:
    """The ending of a cell that names a NumPy file or a place inside one, else ''.

    >>> array_ending("a/windows.npz#x[17]"), array_ending("A.NPY"), array_ending("the end.")
    ('.npz', '.npy', '')
    """
    short = isinstance(cell, str | Path) and len(str(cell)) < 1000
    found = ADDRESS.fullmatch(str(cell)) if short else None
    return found[1][-4:].lower() if found else ""


def read_array(cell: Any) -> np.ndarray:
    """The numbers of a cell, of any shape; None inside a list is NaN.

    Args:
        cell: an array or tensor; a list, lists in lists, or such lists as JSON text; the path or
            the bytes of a ``.npy`` or ``.npz`` file; a path with the place of the cell in it:
            ``windows.npz#17`` is row 17 of its only array, ``windows.npz#x[17]`` row 17 of the
            array x, ``cells.npz#x`` the array x.

    Raises:
        CellError: there is no such file or place, it is damaged, or it holds no numbers.
    """
    cell = unwrapped(cell)
    if array_ending(cell):
        array = _from_file(str(cell))
    elif isinstance(cell, bytes):
        array = _loaded(cell)
    elif isinstance(cell, str) and cell.lstrip().startswith("["):
        array = _from_json(cell)
    elif isinstance(cell, np.ndarray | list | tuple) or is_tensor(cell):
        array = _from_memory(cell)
    else:
        raise CellError("not an array", repr(cell)[:60])
    if array.dtype.kind not in "buif":
        raise CellError("not numbers", f"an array of {array.dtype}")
    return array


def read_number_table(content: bytes) -> np.ndarray:
    """The numbers ``(T, C)`` of a file of separated values, with or without a line of names.

    A first column that is called time, timestamp, t, date, datetime or index is left out.

    Raises:
        CellError: it is no such file, or another column holds something else than numbers.
    """
    import pyarrow as pa
    from pyarrow import csv

    first = content.split(b"\n", 1)[0].decode("utf-8", "replace")
    mark = max(",;\t ", key=first.count)
    nameless = all(map(_reads_as_number, first.split(mark)))
    try:
        table = csv.read_csv(
            pa.BufferReader(content),
            csv.ReadOptions(autogenerate_column_names=nameless, use_threads=False),
            csv.ParseOptions(delimiter=mark),
        )
        columns = [
            column.to_numpy().astype(np.float64)
            for i, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True))
            if i or name.strip().lower() not in CLOCKS
        ]
        return np.stack(columns, 1)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise CellError("not a table of numbers", str(error)[:120]) from error


def _reads_as_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return not word.strip()
    return True


def _from_memory(cell: Any) -> np.ndarray:
    if is_tensor(cell):
        cell = cell.detach().cpu().numpy()
    if isinstance(cell, np.ndarray) and cell.dtype.kind != "O":
        return cell
    try:
        parts = [np.asarray(part, np.float64) for part in cell]  # None becomes NaN
        if len({part.shape for part in parts}) > 1:
            raise CellError("lists of different lengths", str(sorted({p.shape for p in parts})))
        return np.stack(parts) if parts else np.zeros(0)
    except CellError:
        raise
    except DAMAGE as error:
        raise CellError("not numbers", f"a {type(cell).__name__} of other things") from error


def _from_json(text: str) -> np.ndarray:
    try:
        return _from_memory(json.loads(text))
    except DAMAGE as error:
        if isinstance(error, CellError):
            raise
        raise CellError("not numbers", repr(text)[:60]) from error


def _from_file(place: str) -> np.ndarray:
    found = ADDRESS.fullmatch(place)
    assert found is not None
    path, row, name = found[1], found[2] or found[4], found[3]
    if row is None:
        return _loaded(read_bytes(path), name)
    rows = _rows(path, _stamp(path), name)
    if rows.ndim < 1 or int(row) >= len(rows):
        raise CellError("row not in the file", f"{place}: it holds {len(rows) if rows.ndim else 0}")
    return np.array(rows[int(row)])


def _stamp(path: str) -> tuple[int, int]:
    """What changes when a file does."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise CellError("file not found", path) from error
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=4)
def _rows(path: str, _: tuple[int, int], name: str | None) -> np.ndarray:
    """An array whose rows are cells, kept open: mapped from a ``.npy``, read from a ``.npz``."""
    if not path.lower().endswith(".npy"):
        return _loaded(read_bytes(path), name)
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except DAMAGE as error:
        raise CellError("damaged array file", f"{path}: {error}") from error


def _loaded(content: bytes, name: str | None = None) -> np.ndarray:
    """The array of a ``.npy``; of a ``.npz`` the one of a name, or the only one."""
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        names = found.files
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            what = "no array of that name" if name else "several arrays in the file"
            raise CellError(what, f"name one of {', '.join(names[:9])}: file.npz#{names[0]}")
        return found[name]
    except CellError:
        raise
    except DAMAGE as error:
        raise CellError("damaged array file", str(error)[:120]) from error
