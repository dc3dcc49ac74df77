"""A column's cells in a pack that is kept: those found there, and those added to it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.kept_cells import Decoded
from polymodal.data.kept_packs import KeptPacks
from polymodal.data.modalities import Modality

MEASURED = 64  # ragged cells by which the room for all of them is judged


@dataclass(frozen=True)
class Found:
    """A cell's key in the kept packs, with its place there or what it was now decoded to.

    Args:
        key: empty where the cell has none.
        place: among the kept cells; None where it is not there yet.
        decoded: what it became.
    """

    key: bytes
    place: int | None
    decoded: Decoded | None = None


class NotKept(Exception):
    """A column cannot be kept, and why."""


class KeptSink:
    """Cells in a pack that is kept: those found in it, and those that are added to it."""

    def __init__(self, packs: KeptPacks, modality: Modality, name: str, *, cells: int) -> None:
        self._packs, self._most = packs, cells
        self._kept = packs.cells(modality, name)
        self._room = Room(modality)
        self._places = array("q")
        self._locked = False

    def __enter__(self) -> KeptSink:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def find(self, cell: Any) -> Found:
        """Where a cell is kept, if it is. Called by the threads that decode.

        Raises:
            NotKept: nothing tells this cell from others.
        """
        key = self._packs.key(cell)
        if key is None:
            # Such a cell is broken, or it is an object that exists in memory only.
            if isinstance(cell, str | Path | list | tuple):
                return Found(b"", None)
            raise NotKept("not kept for other runs, its cells are objects in memory")
        return Found(key, self._kept.find(key))

    def add(self, found: Decoded | Found) -> tuple[int, Decoded | None]:
        """Take a cell, and say which one it is and what there is to say of it."""
        assert isinstance(found, Found)
        place, decoded = found.place, found.decoded
        if place is None:
            assert decoded is not None
            if not found.key:
                raise NotKept("not kept for other runs, files change or go while they are read")
            place = self._kept.find(found.key) if self._locked else self._lock(found.key)
            if place is None:
                self._check_room(decoded)
                place = self._kept.add(found.key, decoded)
        self._places.append(place)
        return len(self._places) - 1, self._kept.remarked(place)

    def close(self) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """All values, where each begins, and the places of this table's cells among them.

        Raises:
            NotKept: another run needed the room, and has deleted the file.
        """
        if self._locked:
            self._kept.save()
        try:
            values, offsets = self._kept.rows()
        except FileNotFoundError as error:
            raise NotKept("not kept for other runs, one of them needed the room") from error
        places = np.array(self._places, np.int64)
        count = len(values) if offsets is None else len(offsets) - 1
        whole = len(places) == count and bool((places == np.arange(count)).all())
        return values, offsets, None if whole else places

    def _lock(self, key: bytes) -> int | None:
        if not self._kept.lock():
            raise NotKept(
                f"not kept for other runs, another run is writing to {self._packs.folder}"
            )
        self._locked = True
        return self._kept.find(key)

    def _check_room(self, decoded: Decoded) -> None:
        needed = self._room.needed(decoded, self._most - max(len(self._places), len(self._kept)))
        if needed and not self._packs.make_room(needed, self._kept.path):
            raise NotKept(
                f"not kept for other runs, it takes {needed / 1e9:,.1f} GB (data.keep_packs_gb, or "
                f"the disk of {self._packs.folder}, has less)"
            )


class Room:
    """How much room a column takes, judged by its first cells."""

    def __init__(self, modality: Modality) -> None:
        self._measured = MEASURED if modality.ragged else 1
        self._sizes: list[int] = []

    def needed(self, decoded: Decoded, cells_left: int) -> float:
        """Bytes that the cells left take; 0 where that is not known yet, or was asked before."""
        if len(self._sizes) >= self._measured:
            return 0.0
        self._sizes.append(decoded.array.nbytes)
        if len(self._sizes) < self._measured:
            return 0.0
        return float(np.mean(self._sizes)) * max(cells_left, 1)
