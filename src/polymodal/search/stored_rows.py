"""Rows of a table as a search index keeps them: key, digest, own columns, thumbnail, vectors."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polymodal.data.media import as_list, ending, identity, unwrapped
from polymodal.data.table import Table
from polymodal.errors import TableError
from polymodal.search.vector_table import KEY

DIGEST, THUMBNAIL = "_digest", "_thumbnail"
ROW = ""
"""The name of the vectors of whole rows, among the columns' names."""
MOST_NAMED = 5


@dataclass(frozen=True)
class Layout:
    """Where an index keeps what.

    Args:
        key: the column whose cells are the rows' keys; None where a row's content is.
        fields: column of the table -> field of the index.
        vectors: embedded column (:data:`ROW` for whole rows) -> field of its vectors.
        width: D of each of these fields.
    """

    key: str | None
    fields: dict[str, str]
    vectors: dict[str, str]
    width: dict[str, int]

    def schema(self, types: Mapping[str, pa.DataType]) -> pa.Schema:
        """The index's columns.

        Args:
            types: field -> its type.
        """
        fields = [pa.field(KEY, pa.string(), nullable=False), pa.field(DIGEST, pa.string())]
        fields += [pa.field(name, types[name]) for name in self.fields.values()]
        fields.append(pa.field(THUMBNAIL, pa.binary()))
        fields += [
            pa.field(field, pa.list_(pa.float32(), self.width[name]))
            for name, field in self.vectors.items()
        ]
        return pa.schema(fields)


def field_names(columns: Sequence[str]) -> dict[str, str]:
    """Column -> a name that can be written in a filter.

    Raises:
        TableError: two columns would have the same.

    Example:
        >>> field_names(["price", "clip.sound", "_id"])
        {'price': 'price', 'clip.sound': 'clip_sound', '_id': 'x_id'}
    """
    made: dict[str, str] = {}
    for name in columns:
        field = re.sub(r"[.`\"]", "_", name)
        made[name] = f"x{field}" if field.startswith("_") else field
    twice = [field for field, count in Counter(made.values()).items() if count > 1]
    if twice:
        names = [name for name, field in made.items() if field == twice[0]]
        raise TableError(f"Columns {names} would both be called {twice[0]!r}: rename one.")
    return made


def own_cells(table: Table, column: str, kind: pa.DataType | None = None) -> pa.Array:
    """A column as the index keeps it: values as they are, of media the path.

    Args:
        table: the rows.
        column: which one.
        kind: the type that the index has; None takes the column's own.
    """
    values = table.column(column)
    if isinstance(values, list) or _is_bytes(values.type):
        values = pa.array([_written(cell) for cell in table.cells(column)], pa.string())
    whole = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    if pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_decode()
    if pa.types.is_null(whole.type) or pa.types.is_large_string(whole.type):
        whole = whole.cast(pa.string())
    if kind is None or whole.type == kind:
        return whole
    try:
        return whole.cast(kind)
    except pa.ArrowException as error:
        if pa.types.is_string(kind):
            return pa.array([_written(cell) for cell in whole.to_pylist()], kind)
        raise TableError(
            f"Column {column!r} holds {whole.type} here, but {kind} in the index: {error}. Give "
            "it the same type, or make the index anew (--replace)."
        ) from error


def keys_of(table: Table, key: str | None) -> list[str]:
    """The key ``(N,)`` of each row: a column's cell, or a digest of all its cells.

    Rows that hold the same are told apart by how often they came before.

    Raises:
        TableError: a row has no key, or two rows have the same one.
    """
    if key is None:
        seen: Counter[str] = Counter()
        keys = []
        for digest in digests_of(table, files=False):
            keys.append(f"{digest}-{seen[digest]}" if seen[digest] else digest)
            seen[digest] += 1
        return keys
    cells = table.cells(key)
    empty = [row for row, cell in enumerate(cells) if cell is None]
    if empty:
        raise TableError(f"Column {key!r} is the key, but row {empty[0]} has none there.")
    keys = [str(cell) for cell in cells]
    twice = [name for name, count in Counter(keys).items() if count > 1]
    if twice:
        rows = [row for row, name in enumerate(keys) if name == twice[0]][:MOST_NAMED]
        raise TableError(
            f"Column {key!r} is the key, but {len(twice)} keys occur more than once: {twice[0]!r} "
            f"in rows {rows}. A key names one row."
        )
    return keys


def digests_of(table: Table, *, files: bool = True) -> list[str]:
    """What tells ``(N,)`` whether a row is the one that was indexed.

    Args:
        table: the rows.
        files: whether size and time of the files that cells name count, too.
    """
    digests = [hashlib.blake2b(digest_size=12) for _ in range(len(table))]
    for name in table.names:
        for digest, cell in zip(digests, table.cells(name), strict=True):
            digest.update(repr((name, _content(cell))).encode("utf-8", "surrogatepass"))
            if files and isinstance(cell, str) and ending(cell):
                digest.update(_stamp(table.media(cell)))
    return [digest.hexdigest() for digest in digests]


def vector_array(vectors: np.ndarray) -> pa.Array:
    """Vectors ``(N, D)`` for Arrow; null where all is zero: nothing is there to be found."""
    there = vectors.any(axis=1)
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1], mask=pa.array(~there))


def _is_bytes(kind: pa.DataType) -> bool:
    wrapped = pa.types.is_struct(kind) and {"bytes", "path"} & {field.name for field in kind}
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or bool(wrapped)


def _written(cell: Any) -> str | None:
    """A cell as text; None for media in memory, of which a thumbnail is all that is kept."""
    cell = cell.get("path") if isinstance(cell, Mapping) and "path" in cell else unwrapped(cell)
    if cell is None or isinstance(cell, bytes):
        return None
    if isinstance(cell, str | int | float | bool | Path):
        return str(cell)
    parts = as_list(cell)
    if parts is not None and all(isinstance(part, str | int | float) for part in parts):
        return json.dumps(parts, ensure_ascii=False)
    return None


def _content(cell: Any) -> Any:
    if isinstance(cell, np.ndarray):
        return hashlib.blake2b(cell.tobytes(), digest_size=16).digest()
    known = identity(cell)
    return cell if known is None else known


def _stamp(path: Any) -> bytes:
    """Size and time of a file; nothing where there is none."""
    try:
        found = Path(path).stat()
    except (OSError, ValueError):
        return b""
    return f"{found.st_size} {found.st_mtime_ns}".encode()
