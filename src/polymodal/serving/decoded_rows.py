"""What a worker makes of some rows, and how it travels: plain arrays, no pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from polymodal.data.pack import Pack, Store


class Remark(NamedTuple):
    """What is to be said of one cell.

    Args:
        row: the row's number among those that were decoded together.
        column: the input column.
        what: in plain words.
        usable: False where the cell cannot be used, and counts as missing.
    """

    row: int
    column: str
    what: str
    usable: bool


@dataclass(frozen=True)
class DecodedRows:
    """Rows whose cells are arrays.

    Args:
        pack: the decoded input columns.
        remarks: cells that cannot be used, were cut, or were read in part.
    """

    pack: Pack
    remarks: tuple[Remark, ...] = ()

    def to_bytes(self) -> bytes:
        """As bytes that are safe to read, whoever wrote them."""
        stores, buffers = [], []
        for name, store in self.pack.stores.items():
            values = np.ascontiguousarray(store.values)
            offsets = None if store.offsets is None else store.offsets.tolist()
            stores.append([name, store.index.tolist(), values.dtype.str, values.shape, offsets])
            buffers.append(values.tobytes())
        head = {"rows": self.pack.rows, "stores": stores, "remarks": self.remarks}
        written = json.dumps(head).encode()
        return b"".join((len(written).to_bytes(4, "big"), written, *buffers))

    @classmethod
    def from_bytes(cls, content: bytes) -> DecodedRows:
        """From what :meth:`to_bytes` gave.

        Raises:
            ValueError: it is something else.
        """
        start = 4 + int.from_bytes(content[:4], "big")
        head = json.loads(content[4:start])
        stores = {}
        for name, index, kind, shape, offsets in head["stores"]:
            dtype = np.dtype(kind)
            count = int(np.prod(shape))
            values = np.frombuffer(content, dtype, count, start).reshape(shape)
            start += count * dtype.itemsize
            ends = None if offsets is None else np.asarray(offsets, np.int64)
            stores[name] = Store(np.asarray(index, np.int64), values, ends)
        remarks = tuple(Remark(*remark) for remark in head["remarks"])
        return cls(Pack(head["rows"], stores), remarks)


class Row(NamedTuple):
    """One row of those that were decoded together, perhaps with some inputs hidden.

    Args:
        pack: the rows that were decoded together.
        number: of the row among them.
        hidden: input columns that count as absent.
    """

    pack: Pack
    number: int
    hidden: frozenset[str] = frozenset()


def joined(rows: Sequence[Row]) -> Pack:
    """One pack of rows of several packs; cells of the same pack are held once.

    Args:
        rows: of packs with the same columns.
    """
    packs = {id(row.pack): row.pack for row in rows}
    names = rows[0].pack.stores
    return Pack(len(rows), {name: _joined(name, rows, packs) for name in names})


def _joined(name: str, rows: Sequence[Row], packs: Mapping[int, Pack]) -> Store:
    stores = {key: pack.stores[name] for key, pack in packs.items()}
    first: dict[int, int] = {}
    units = 0
    for key, store in stores.items():
        first[key] = units
        units += store.distinct
    index = np.array([_place(name, row, first[id(row.pack)]) for row in rows], np.int64)
    parts = list(stores.values())
    if len(parts) == 1:
        return Store(index, parts[0].values, parts[0].offsets)
    values = np.concatenate([store.values for store in parts])
    if parts[0].offsets is None:
        return Store(index, values)
    lengths = [np.diff(store.offsets) for store in parts if store.offsets is not None]
    return Store(index, values, np.concatenate([[0], np.cumsum(np.concatenate(lengths))]))


def _place(name: str, row: Row, first: int) -> int:
    unit = int(row.pack.stores[name].index[row.number])
    return -1 if unit < 0 or name in row.hidden else first + unit


def given(row: Row) -> list[str]:
    """The input columns that a row has."""
    return [n for n, store in row.pack.stores.items() if _place(n, row, 0) >= 0]


def cells_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> dict[str, list[Any]]:
    """Column -> cells, None where a row has none."""
    return {name: [row.get(name) for row in rows] for name in columns}
