"""Packs: every cell decoded once, held as arrays in memory or on disk.

Letters: N rows of the table · U distinct cells of a column · T tokens or frames of one cell.
"""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from polymodal.data.findings import Finding, kind_of_defect
from polymodal.data.kept_cells import Decoded
from polymodal.data.kept_packs import KeptPacks, free_bytes
from polymodal.data.kept_sink import Found, KeptSink, NotKept, Room
from polymodal.data.media import hearing, identity, without_remarks
from polymodal.data.modalities import Modality
from polymodal.data.table import Table
from polymodal.errors import CellError, NothingThere, RunError, SchemaError

CHUNK, CHUNK_OF_MEDIA = 4096, 64
LOOK_AHEAD = 2  # chunks of media that are being decoded while one is written
LONG_CELLS = 256  # tokens
FORGET_AFTER_BYTES = 16 << 20
FEW_CELLS = 64  # nobody asks whether a disk has room for so few


class Store:
    """The decoded cells of one column.

    Args:
        index: ``(N,)`` which distinct cell each row holds; -1 where it holds none.
        values: ``(U, …)``; for ragged cells all of them end to end, ``(sum of T, …)``.
        offsets: where each ragged cell begins, and where the last one ends; None for cells of one
            shape.
        places: ``(U,)`` the place of each distinct cell among the values, where others that the
            table does not hold are there too; None where all are the table's, in order.
    """

    def __init__(
        self,
        index: np.ndarray,
        values: np.ndarray,
        offsets: np.ndarray | None = None,
        places: np.ndarray | None = None,
    ) -> None:
        self.index, self.values, self.offsets, self.places = index, values, offsets, places
        self._touched = 0

    @property
    def distinct(self) -> int:
        """The number of distinct cells U."""
        if self.places is not None:
            return len(self.places)
        return len(self.values) if self.offsets is None else len(self.offsets) - 1

    def lengths(self, units: np.ndarray) -> np.ndarray:
        """Length T of these cells ``(len(units),)``; 1 for cells of one shape."""
        if self.offsets is None:
            return np.ones(len(units), np.int64)
        places = units if self.places is None else self.places[units]
        return self.offsets[places + 1] - self.offsets[places]

    def take(self, units: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """These cells ``(len(units), …)``, and their lengths where ragged (padded with zeros)."""
        places = units if self.places is None else self.places[units]
        if self.offsets is None:
            # Plain indexing of a mapped array would go through a slower subclass.
            values = np.asarray(self.values)[places]
            self._forget(values.nbytes)
            return values, None
        lengths = self.offsets[places + 1] - self.offsets[places]
        longest = int(lengths.max(initial=1))
        values = np.zeros((len(units), longest, *self.values.shape[1:]), self.values.dtype)
        starts, total = self.offsets[places], int(lengths.sum())
        if total > LONG_CELLS * len(units):  # few long copies beat an index for each sample
            for i, (start, length) in enumerate(zip(starts, lengths, strict=True)):
                values[i, :length] = self.values[start : start + length]
        else:
            tokens = np.arange(total) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
            values[np.arange(longest) < lengths[:, None]] = np.asarray(self.values)[tokens]
        self._forget(values.nbytes)
        return values, lengths

    def cell(self, unit: int) -> np.ndarray:
        """One distinct cell."""
        unit = unit if self.places is None else int(self.places[unit])
        if self.offsets is None:
            array = self.values[unit]
        else:
            array = self.values[self.offsets[unit] : self.offsets[unit + 1]]
        self._forget(array.nbytes)
        return array

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
        features: column -> what its frozen encoder makes of each cell ``(1 + T, D)``, as an
            encoded :class:`Field` holds it; batches then hold that in place of the cells.
    """

    rows: int
    stores: dict[str, Store]
    findings: list[Finding] = field(default_factory=list)
    broken: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    features: dict[str, Store] = field(default_factory=dict)

    def missing(self, columns: Sequence[str]) -> list[list[str]]:
        """For each row, which of these columns were treated as missing."""
        absent = {name: self.stores[name].index < 0 for name in columns}
        return [[name for name in columns if absent[name][row]] for row in range(self.rows)]


def pack(
    table: Table,
    modalities: Mapping[str, Modality],
    *,
    directory: Path | KeptPacks | None = None,
    broken: Literal["treat_as_missing", "error"] = "treat_as_missing",
    workers: int = 1,
    advance: Callable[[int], None] | None = None,
    first_row: int = 0,
) -> Pack:
    """Decode every cell of these columns once.

    Args:
        table: the table.
        modalities: column -> fitted modality.
        directory: where to put media on disk, to be memory-mapped: a folder, whose packs are made
            anew; or packs that are kept, in which what was decoded before is found again. None
            keeps all in memory.
        broken: what to do with a cell that cannot be used.
        workers: threads that decode.
        advance: called with the number of cells just done.
        first_row: number of the table's first row, for messages, where it is part of a larger one.

    Raises:
        SchemaError: a cell is broken and ``broken`` is "error".
        TableError: a column is not in the table.
        RunError: ``directory`` cannot be written, or its disk is too small. What was written to a
            folder is then removed; kept packs hold what they have.
    """
    result = Pack(len(table), {})
    with without_remarks(), _Threads(workers) as threads:
        for name, modality in modalities.items():
            packer = _Packer(table, name, modality, threads, broken, first_row)
            _add_column(result, packer, packer.run(directory, advance))
    return result


def pack_some(table: Table, modalities: Mapping[str, Modality]) -> Pack:
    """Decode every cell of a few rows, in memory and in this thread.

    Whoever calls it from several threads enters :func:`without_remarks` before they begin.

    Args:
        table: the rows.
        modalities: column -> fitted modality.
    """
    result, here = Pack(len(table), {}), _Threads(1)
    for name, modality in modalities.items():
        packer = _Packer(table, name, modality, here, "treat_as_missing", 0)
        _add_column(result, packer, packer.run(None, None))
    return result


def _add_column(result: Pack, packer: _Packer, store: Store) -> None:
    result.stores[packer.name] = store
    if packer.broken:
        result.broken[packer.name] = packer.broken
    result.findings += packer.findings()


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
        first_row: int,
    ) -> None:
        self.table, self.name, self.modality = table, name, modality
        self.threads, self.policy, self.first_row = threads, policy, first_row
        self.shares = not modality.tabular
        self.done = 0  # rows
        self._begin()

    def _begin(self) -> None:
        """Know nothing of the column."""
        # Cell -> its place; None while it is being decoded.
        self.places: dict[Any, int | CellError | None] = {}
        self.broken: dict[str, list[int]] = {}
        self.nothing: set[str] = set()  # kinds that are no defect
        self.first: dict[str, str] = {}  # kind of defect -> the first cell that has it
        self.remarks: dict[str, list[int]] = {}  # what was amiss with cells that were used -> rows
        self.cut: list[int] = []
        self._said: dict[int, Decoded] = {}  # place -> what is to be said of the cell there

    def run(self, place: Path | KeptPacks | None, advance: Callable[[int], None] | None) -> Store:
        if not self.modality.media:
            return self._run(_Sink(self.modality, self.name, None), advance)
        if isinstance(place, KeptPacks):
            kept = KeptSink(place, self.modality, self.name, cells=self._most_cells())
            try:
                return self._run(kept, advance)
            except NotKept as reason:
                place.tell(f"decoded {self.name!r}: {reason}")
                self._begin()
                if advance is not None:
                    advance(-self.done)
            place = place.private
        most = 0 if place is None else self._most_cells()
        return self._run(_Sink(self.modality, self.name, place, cells=most), advance)

    def _most_cells(self) -> int:
        return min(self.table.summary(self.name).distinct, len(self.table))

    def _run(self, sink: _Sink | KeptSink, advance: Callable[[int], None] | None) -> Store:
        index = np.full(len(self.table), -1, np.int64)
        media = self.modality.media
        ahead: deque[_Chunk] = deque()
        with sink:
            row = 0
            for cells in self.table.chunks(self.name, CHUNK_OF_MEDIA if media else CHUNK):
                ahead.append(self._start(row, cells, sink))
                row += len(cells)
                if len(ahead) > LOOK_AHEAD or not media:
                    self._finish(ahead.popleft(), sink, index, advance)
            while ahead:
                self._finish(ahead.popleft(), sink, index, advance)
            values, offsets, places = sink.close()
        return Store(index, values, offsets, places)

    def _start(self, row: int, cells: list[Any], sink: _Sink | KeptSink) -> _Chunk:
        """Have decoded what is new in some cells."""
        rows = range(row, row + len(cells))
        keys: list[Any] = list(rows)
        if self.shares:
            known = map(identity, cells)
            keys = [row if key is None else key for row, key in zip(rows, known, strict=True)]
        else:
            self.places.clear()  # rows share nothing, so nothing need be kept
        fresh = {
            key: cell
            for key, cell in zip(keys, cells, strict=True)
            if cell is not None and key not in self.places
        }
        self.places |= dict.fromkeys(fresh)
        each = self.threads.map if self.modality.media else map
        decode = partial(self._decode, sink=sink)
        return _Chunk(row, cells, keys, list(fresh), each(decode, list(fresh.values())))

    def _finish(
        self,
        chunk: _Chunk,
        sink: _Sink | KeptSink,
        index: np.ndarray,
        advance: Callable[[int], None] | None,
    ) -> None:
        """Keep what was decoded, and note where each row finds its own."""
        for key, found in zip(chunk.fresh, chunk.decoded, strict=True):
            self.places[key] = found if isinstance(found, CellError) else self._keep(found, sink)
        for row, (key, cell) in enumerate(zip(chunk.keys, chunk.cells, strict=True), chunk.row):
            if cell is None:
                continue
            place = self.places[key]
            if isinstance(place, CellError):
                self._note(row, cell, place)
                continue
            assert place is not None
            index[row] = place
            said = self._said.get(place) if self._said else None
            if said is not None:
                self._note_remarks(row, said)
        self.done = chunk.row + len(chunk.cells)
        if advance is not None:
            advance(len(chunk.cells))

    def _keep(self, found: Decoded | Found, sink: _Sink | KeptSink) -> int:
        unit, said = sink.add(found)
        if said is not None and (said.remarks or said.cut):
            self._said[unit] = said
        return unit

    def _note_remarks(self, row: int, said: Decoded) -> None:
        for one in said.remarks:
            self.remarks.setdefault(one.kind, []).append(row)
            self.first.setdefault(one.kind, f"row {self.first_row + row}: {one.detail}")
        if said.cut:
            self.cut.append(row)

    def findings(self) -> list[Finding]:
        found = [self._finding(kind, rows) for kind, rows in self.broken.items()]
        found += [self._remark(kind, rows) for kind, rows in self.remarks.items()]
        if self.cut:
            found.append(
                Finding(
                    "too_long",
                    "note",
                    column=self.name,
                    what=f"longer than {self.modality.limit}, and cut there",
                    rows=np.array(self.cut),
                    why="what comes after is not seen by the model",
                    remedy=f"raise the limit in columns.{self.name}.modality",
                )
            )
        return found

    def _finding(self, kind: str, rows: list[int]) -> Finding:
        nothing = kind in self.nothing
        known = kind_of_defect(kind, media=self.modality.media)
        return Finding(
            "nothing_there" if nothing and known == "undecodable" else known,
            "note" if nothing else "error",
            column=self.name,
            what=f"{kind} (first: {self.first[kind]})",
            rows=np.array(rows),
            why="there is nothing to read" if nothing else "the cell cannot be used",
            remedy="treated as missing",
        )

    def _remark(self, kind: str, rows: list[int]) -> Finding:
        return Finding(
            "partly_read",
            "note",
            column=self.name,
            what=f"{kind} (first: {self.first[kind]})",
            rows=np.array(rows),
            why="the rest of the cell is used",
            remedy="look at these cells if that should not be so",
        )

    def _decode(self, cell: Any, sink: _Sink | KeptSink) -> Decoded | Found | CellError:
        """What a cell decodes to, or where it is kept already, or why it cannot be used."""
        if not self.modality.media:
            with hearing() as remarks:
                array = self._decoded(cell)
            return array if isinstance(array, CellError) else self._cut(array, tuple(remarks))
        cell = self.table.media(cell)
        found = sink.find(cell)
        if isinstance(found, Found) and found.place is not None:
            return found
        with hearing() as remarks:
            array = self._decoded(cell)
        if isinstance(array, CellError):
            return array
        decoded = self._cut(array, tuple(remarks))
        return decoded if found is None else replace(found, decoded=decoded)

    def _cut(self, array: np.ndarray, remarks: tuple[CellError, ...]) -> Decoded:
        most = self.modality.max_length if self.modality.ragged else None
        if most is None or len(array) <= most:
            return Decoded(array, remarks)
        return Decoded(self.modality.cut(array), remarks, cut=True)

    def _decoded(self, cell: Any) -> np.ndarray | CellError:
        try:
            return self.modality.decode(cell)
        except CellError as error:
            return error

    def _note(self, row: int, cell: Any, error: CellError) -> None:
        plain = isinstance(cell, str | int | float)
        shown = repr(cell) if plain else f"<{type(cell).__name__}>"
        if isinstance(error, NothingThere):
            self.nothing.add(error.kind)
        elif self.policy == "error":
            raise SchemaError(
                f"Column {self.name!r}, row {self.first_row + row}: {error} (cell: "
                f"{shown[:120]}). Mend or remove the row, or set data.broken=treat_as_missing."
            )
        self.broken.setdefault(error.kind, []).append(row)
        self.first.setdefault(error.kind, shown[:80])


@dataclass(frozen=True)
class _Chunk:
    """Some cells that are being decoded."""

    row: int
    cells: list[Any]
    keys: list[Any]
    fresh: list[Any]  # the keys of cells that were not there before
    decoded: Iterator[Decoded | Found | CellError]  # one for each of them


class _Sink:
    """Arrays one after the other, in a list or in a file; no half a file stays behind."""

    def __init__(
        self, modality: Modality, name: str, directory: Path | None, *, cells: int = 0
    ) -> None:
        self.units = 0
        self._lengths = array("q", [0])
        self._blank, self._ragged = modality.blank(), modality.ragged
        self._arrays: list[np.ndarray] = []
        self._blocks: list[np.ndarray] = []
        self._file: BinaryIO | None = None
        self._room, self._most = Room(modality) if cells > FEW_CELLS else None, cells
        if directory is not None:
            digest = hashlib.blake2b(name.encode(), digest_size=8).hexdigest()
            self._path, self._name = directory / f"{digest}.bin", name

    def __enter__(self) -> _Sink:
        if hasattr(self, "_path"):
            with self._explained():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                # Another run may still read the old file: it keeps it, under no name.
                self._path.unlink(missing_ok=True)
                self._file = self._path.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is not None and kind is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def find(self, cell: Any) -> None:
        """Nothing is here from before."""

    def add(self, found: Decoded | Found) -> tuple[int, Decoded | None]:
        """Append a cell, and say which one it is and what there is to say of it."""
        assert isinstance(found, Decoded)
        values = found.array
        assert values.dtype == self._blank.dtype, "a modality decodes to one type"
        if self._ragged:
            self._lengths.append(len(values))
        if self._file is None:
            self._arrays.append(values)
            if len(self._arrays) == CHUNK:
                self._block()
        else:
            if self._room is not None:
                self._check_room(found, self._room)
            with self._explained():
                self._file.write(np.ascontiguousarray(values).data)
        self.units += 1
        return self.units - 1, found

    def close(self) -> tuple[np.ndarray, np.ndarray | None, None]:
        """All arrays, and where each begins where they are ragged."""
        offsets = np.cumsum(self._lengths) if self._ragged else None
        inner = self._blank.shape[1:] if self._ragged else self._blank.shape
        shape = (self.units if offsets is None else int(offsets[-1]), *inner)
        if self._file is not None:
            with self._explained():
                self._file.close()
        if not np.prod(shape):
            values = np.zeros(shape, self._blank.dtype)
        elif self._file is not None:
            values = np.memmap(self._path, self._blank.dtype, "r", shape=shape)
        else:
            self._block()
            values = self._blocks[0] if len(self._blocks) == 1 else np.concatenate(self._blocks)
        return values, offsets, None

    def _block(self) -> None:
        """Join small arrays soon: a million of them would take more memory than their values."""
        if self._arrays:
            self._blocks.append((np.concatenate if self._ragged else np.stack)(self._arrays))
            self._arrays = []

    def _check_room(self, found: Decoded, room: Room) -> None:
        needed = room.needed(found, self._most - self.units)
        if needed and needed > (free := free_bytes(self._path.parent)):
            raise RunError(
                f"The decoded column {self._name!r} needs about {needed / 1e9:,.1f} GB in "
                f"{str(self._path.parent)!r}, where {free / 1e9:,.1f} GB are free. Free some "
                "space, choose another directory, decode to a smaller size "
                f"(columns.{self._name}.modality), or read on the fly: data.stream=true."
            )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"The decoded column {self._name!r} cannot be written to "
                f"{str(self._path.parent)!r}: {error.strerror or error}. Free some space, or "
                "choose another directory."
            ) from error
