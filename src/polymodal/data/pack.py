"""Packs: every cell decoded once, held as arrays in memory or on disk.

Letters: N rows of the table · U distinct cells of a column · T tokens or frames of one cell.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polymodal.data.cleaning import Finding
from polymodal.data.modalities import Modality
from polymodal.data.table import Table
from polymodal.errors import CellError, SchemaError

CHUNK = 256
FORGET_AFTER_BYTES = 64 << 20


class Store:
    """The decoded cells of one column.

    Args:
        index: ``(N,)`` which distinct cell each row holds; -1 where it holds none.
        values: ``(U, …)``; for ragged cells all of them end to end, ``(sum of T, …)``.
        offsets: ``(U + 1,)`` where each ragged cell begins; None for cells of one shape.
    """

    def __init__(
        self, index: np.ndarray, values: np.ndarray, offsets: np.ndarray | None = None
    ) -> None:
        self.index, self.values, self.offsets = index, values, offsets
        self._touched = 0

    @property
    def distinct(self) -> int:
        """The number of distinct cells U."""
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def lengths(self, units: np.ndarray) -> np.ndarray:
        """Length T of these cells ``(len(units),)``; 1 for cells of one shape."""
        if self.offsets is None:
            return np.ones(len(units), np.int64)
        return self.offsets[units + 1] - self.offsets[units]

    def take(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """These cells ``(len(units), …)``, and their lengths where ragged (padded with zeros)."""
        if self.offsets is None:
            values = self.values[units]
            self._forget(values.nbytes)
            return values, None
        lengths = self.lengths(units)
        shape = (len(units), int(lengths.max(initial=1)), *self.values.shape[1:])
        values = np.zeros(shape, self.values.dtype)
        for i, (unit, length) in enumerate(zip(units, lengths, strict=True)):
            start = self.offsets[unit]
            values[i, :length] = self.values[start : start + length]
        self._forget(values.nbytes)
        return values, lengths

    def cell(self, unit: int) -> np.ndarray:
        """One distinct cell."""
        if self.offsets is None:
            return self.values[unit]
        return self.values[self.offsets[unit] : self.offsets[unit + 1]]

    def _forget(self, size: int) -> None:
        """Give pages of the file back, so that memory stays flat however large the file is."""
        self._touched += size
        mapped = getattr(self.values, "_mmap", None)
        if self._touched > FORGET_AFTER_BYTES and mapped is not None:
            self._touched = 0
            if hasattr(mmap, "MADV_DONTNEED"):
                mapped.madvise(mmap.MADV_DONTNEED)


@dataclass
class Pack:
    """The decoded columns of a table.

    Args:
        rows: rows of the table N.
        stores: column -> its decoded cells.
        findings: cells that could not be used, and cells that were cut.
        broken: column -> kind of defect -> rows.
    """

    rows: int
    stores: dict[str, Store]
    findings: list[Finding] = field(default_factory=list)
    broken: dict[str, dict[str, list[int]]] = field(default_factory=dict)

    def missing(self, columns: Sequence[str]) -> list[list[str]]:
        """For each row, which of these columns were treated as missing."""
        absent = {name: self.stores[name].index < 0 for name in columns}
        return [[name for name in columns if absent[name][row]] for row in range(self.rows)]


def pack(
    table: Table,
    modalities: Mapping[str, Modality],
    *,
    directory: Path | None = None,
    broken: Literal["treat_as_missing", "error"] = "treat_as_missing",
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
) -> Pack:
    """Decode every cell of these columns once.

    Args:
        table: the table.
        modalities: column -> fitted modality.
        directory: where to put media on disk, to be memory-mapped; None keeps all in memory.
        broken: what to do with a cell that cannot be used.
        workers: threads that decode.
        advance: called with the number of cells just done.

    Raises:
        SchemaError: a cell is broken and ``broken`` is "error".
        TableError: a column is not in the table.
    """
    result = Pack(len(table), {})
    with _Threads(workers) as threads:
        for name, modality in modalities.items():
            packer = _Packer(table, name, modality, threads, broken)
            result.stores[name] = packer.run(directory, advance)
            if packer.broken:
                result.broken[name] = packer.broken
            result.findings += packer.findings()
    return result


class _Threads:
    """``map`` over threads, or without them where there is little to do."""

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Any], Any], items: list[Any]) -> Iterator[Any]:
        if self._pool is None or len(items) < 8:
            return map(function, items)
        # A task for each item would cost more than decoding a small picture.
        parts = [items[start : start + 16] for start in range(0, len(items), 16)]
        done = self._pool.map(lambda part: [function(item) for item in part], parts)
        return chain.from_iterable(done)


class _Packer:
    """Packs one column."""

    def __init__(
        self,
        table: Table,
        name: str,
        modality: Modality,
        threads: _Threads,
        policy: Literal["treat_as_missing", "error"],
    ) -> None:
        self.table, self.name, self.modality = table, name, modality
        self.threads, self.policy = threads, policy
        self.broken: dict[str, list[int]] = {}
        self.details: dict[str, str] = {}
        self.cut: list[int] = []

    def run(self, directory: Path | None, advance: Callable[[int], None] | None) -> Store:
        shares = self.modality.media or self.modality.ragged
        index = np.full(len(self.table), -1, np.int64)
        units: dict[Any, int] = {}  # cell -> its place among the distinct ones, -1 broken
        kinds: dict[Any, CellError] = {}
        place = directory if self.modality.media else None
        sink = _Sink(self.modality, self.name, place)
        cut: set[int] = set()
        row = 0
        for cells in self.table.chunks(self.name, CHUNK):
            keys = [_identity(c, row + i) if shares else row + i for i, c in enumerate(cells)]
            fresh = {k: c for k, c in zip(keys, cells, strict=True)
                     if c is not None and k not in units}
            each = self.threads.map if self.modality.media else map
            decoded = each(self._decode, list(fresh.values()))
            for key, array in zip(fresh, decoded, strict=True):
                if isinstance(array, CellError):
                    units[key], kinds[key] = -1, array
                    continue
                most = self.modality.max_length
                units[key] = sink.units
                if most is not None and len(array) > most:
                    array = array[:most]
                    cut.add(sink.units)
                sink.add(array)
            for i, (key, cell) in enumerate(zip(keys, cells, strict=True)):
                if cell is not None:
                    index[row + i] = units[key]
                    if key in kinds:
                        self._note(row + i, cell, kinds[key])
                    elif cut and units[key] in cut:
                        self.cut.append(row + i)
            if not shares:
                units.clear()
                kinds.clear()
            row += len(cells)
            if advance is not None:
                advance(len(cells))
        values, offsets = sink.close()
        return Store(index, values, offsets)

    def findings(self) -> list[Finding]:
        found = [
            Finding.of(
                "error",
                self.name,
                f"{kind} ({self.details[kind]})" if self.details[kind] else kind,
                rows=rows,
                why="the cell cannot be used",
                remedy="treated as missing",
            )
            for kind, rows in self.broken.items()
        ]
        if self.cut:
            found.append(
                Finding.of(
                    "note",
                    self.name,
                    f"longer than {self._limit()}, and cut there",
                    rows=self.cut,
                    why="what comes after is not seen by the model",
                    remedy=f"raise the limit in columns.{self.name}.modality",
                )
            )
        return found

    def _limit(self) -> str:
        seconds = getattr(self.modality, "max_seconds", None)
        if seconds is not None:
            return f"{seconds:g} seconds"
        return f"{self.modality.max_length} tokens"

    def _decode(self, cell: Any) -> np.ndarray | CellError:
        try:
            return self.modality.decode(self.table.media(cell) if self.modality.media else cell)
        except CellError as error:
            return error

    def _note(self, row: int, cell: Any, error: CellError) -> None:
        shown = repr(cell) if isinstance(cell, str | int | float) else f"<{type(cell).__name__}>"
        if self.policy == "error":
            raise SchemaError(
                f"Column {self.name!r}, row {row}: {error} (cell: {shown[:120]}). Mend or remove "
                "the row, or set data.broken=treat_as_missing."
            )
        self.broken.setdefault(error.kind, []).append(row)
        self.details.setdefault(error.kind, f"first: {shown[:80]}")


class _Sink:
    """Arrays one after the other, in a list or in a file."""

    def __init__(self, modality: Modality, name: str, directory: Path | None) -> None:
        self.units, self.lengths = 0, [0]
        self._blank, self._ragged = modality.blank(), modality.ragged
        self._arrays: list[np.ndarray] = []
        self._path = None
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
            self._path = directory / f"{digest}.bin"
            self._file = self._path.open("wb")

    def add(self, array: np.ndarray) -> None:
        assert array.dtype == self._blank.dtype, "a modality decodes to one type"
        self.units += 1
        self.lengths.append(len(array) if self._ragged else 1)
        if self._path is not None:
            self._file.write(np.ascontiguousarray(array).data)
        else:
            self._arrays.append(array)

    def close(self) -> tuple[np.ndarray, np.ndarray | None]:
        offsets = np.cumsum(self.lengths)
        inner = self._blank.shape[1:] if self._ragged else self._blank.shape
        shape = (int(offsets[-1]), *inner)
        if self._path is not None:
            self._file.close()
        if not self.units:
            values = np.zeros(shape, self._blank.dtype)
        elif self._path is not None:
            values = np.memmap(self._path, self._blank.dtype, "r", shape=shape)
        else:
            values = (np.concatenate if self._ragged else np.stack)(self._arrays)
        return values, offsets if self._ragged else None


def _identity(cell: Any, row: int) -> Any:
    """What two equal cells have in common: the cell, or a digest of its bytes."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, os.PathLike):
        return os.fspath(cell)
    if isinstance(cell, bytes):
        return hashlib.blake2b(cell, digest_size=16).digest()
    if isinstance(cell, Mapping):
        return _identity(cell.get("bytes") or cell.get("path"), row)
    return row
