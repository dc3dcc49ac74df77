"""Decoded cells on disk, each found again by its key."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from polymodal.data.growing_array import GrowingArray
from polymodal.data.modalities import Modality
from polymodal.errors import CellError, RunError
from polymodal.files import write_file

KEY_BYTES = 16
SECONDS_BETWEEN_SAVES = 2.0
ENDINGS = ("", ".lengths", ".keys", ".remarks", ".lock")


@dataclass(frozen=True)
class Decoded:
    """What a cell became.

    Args:
        array: its array, cut where it was too long.
        remarks: what was amiss with it.
        cut: whether it was cut.
    """

    array: np.ndarray
    remarks: tuple[CellError, ...] = ()
    cut: bool = False


class KeptCells:
    """The cells that one modality decoded, in a file that grows.

    What :meth:`save` has noted survives a kill at any instant. One process writes at a time: it
    holds a lock, which ends with it however it ends.

    Args:
        path: the file; beside it are the lengths, the keys and the remarks.
        modality: what decodes the cells.
        name: what to call the cells in messages.

    Raises:
        RunError: a file cannot be read or written.
    """

    def __init__(self, path: Path, modality: Modality, *, name: str) -> None:
        blank = modality.blank()
        self.path, self.ragged = path, modality.ragged
        self._open = partial(
            GrowingArray,
            path,
            blank.shape[1:] if self.ragged else blank.shape,
            dtype=blank.dtype,
            what=f"The decoded column {name!r}",
            option="data.keep_packs",
        )
        self._keys: list[bytes] = []
        self._places: dict[bytes, int] = {}
        self._remarks: dict[int, Decoded] = {}  # place -> what there is to say, without an array
        self._lock: IO[bytes] | None = None
        self._growing, self._saved = False, time.monotonic()
        self._load()

    def __len__(self) -> int:
        """The number of cells."""
        return len(self._array)

    def lock(self) -> bool:
        """Become the one that writes; False where another process is, or took the cells away.

        What others have added meanwhile is known from here on.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = _beside(self.path, ".lock").open("ab")
        except OSError:  # a folder that cannot be written to can still be read
            return False
        if not _locked(handle):
            handle.close()
            return False
        self._lock, before = handle, self._keys
        self._load()
        return self._keys[: len(before)] == before

    def find(self, key: bytes) -> int | None:
        """The place of a cell; None where it is not here."""
        return self._places.get(key)

    def remarked(self, place: int) -> Decoded | None:
        """What there is to say of a cell (its array is empty); None where nothing is."""
        return self._remarks.get(place)

    def add(self, key: bytes, cell: Decoded) -> int:
        """Append a cell, and say which one it is."""
        assert self._lock is not None, "lock before adding"
        if not self._growing:
            self._array.__enter__()
            self._growing = True
        rows = cell.array if self.ragged else cell.array[None]
        self._array.add(rows, np.array([len(rows)]))
        place = len(self._keys)
        self._keys.append(key)
        self._places[key] = place
        if cell.remarks or cell.cut:
            self._remarks[place] = Decoded(np.empty(0), cell.remarks, cell.cut)
        if time.monotonic() - self._saved > SECONDS_BETWEEN_SAVES:
            self.save()
        return place

    def save(self) -> None:
        """Bring everything to the disk, and note it; the lengths come last and make it valid."""
        try:
            write_file(_beside(self.path, ".keys"), b"".join(self._keys))
            if self._remarks:
                write_file(_beside(self.path, ".remarks"), self._written_remarks())
        except OSError as error:
            raise RunError(
                f"Decoded cells cannot be kept in {str(self.path.parent)!r}: "
                f"{error.strerror or error}. Free some space, or set data.keep_packs=false."
            ) from error
        self._array.save()
        self._saved = time.monotonic()

    def close(self) -> None:
        """Save what is new, and let others write."""
        try:
            if self._growing:
                self.save()
        finally:
            if self._growing:
                self._growing = False
                self._array.__exit__()
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def rows(self) -> tuple[np.ndarray, np.ndarray | None]:
        """Every cell, mapped, and where each begins if they are ragged."""
        values, offsets = self._array.rows()
        return values, offsets if self.ragged else None

    def _load(self) -> None:
        """Read keys and remarks of what has been noted."""
        self._array = self._open()
        keys, count = b"", len(self._array)
        with suppress(FileNotFoundError):
            keys = _beside(self.path, ".keys").read_bytes()
        whole = range(0, min(len(keys), count * KEY_BYTES), KEY_BYTES)
        self._keys = [keys[i : i + KEY_BYTES] for i in whole]
        if len(self._keys) < count:  # the disk has lost keys: nothing can be found
            self._array.forget()
            self._keys = []
        self._places = {key: place for place, key in enumerate(self._keys)}
        self._remarks = {}
        if self._keys and _beside(self.path, ".remarks").exists():
            said = json.loads(_beside(self.path, ".remarks").read_text("utf-8"))
            for place, cut, remarks in said:
                if place < count:
                    told = tuple(CellError(*remark) for remark in remarks)
                    self._remarks[place] = Decoded(np.empty(0), told, cut)

    def _written_remarks(self) -> str:
        said = [
            (place, cell.cut, [(remark.kind, remark.detail) for remark in cell.remarks])
            for place, cell in self._remarks.items()
        ]
        return json.dumps(said, ensure_ascii=False)


def remove(path: Path) -> None:
    """Delete kept cells; who has mapped them keeps them."""
    for ending in ENDINGS:
        with suppress(OSError):
            _beside(path, ending).unlink(missing_ok=True)


def size_of(path: Path) -> int:
    """Bytes that kept cells take on disk."""
    sizes = 0
    for ending in ENDINGS:
        with suppress(OSError):
            sizes += os.stat(_beside(path, ending)).st_size
    return sizes


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _locked(handle: IO[bytes]) -> bool:
    """Whether a lock that ends with the process could be taken; never where there are none."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
