"""An array on disk that grows by whole cells, and goes on growing after a kill."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.errors import RunError
from polymodal.files import write_file


class GrowingArray:
    """Cells ``(T, …)`` end to end in a file, and beside it how long each one is.

    It grows inside a ``with`` block. What :meth:`save` has noted survives a kill at any instant;
    what came after is cut off when the array is opened again. One process writes to it.

    Args:
        path: the file. The lengths are in a file of that name and ``.lengths``.
        row: shape of a row, what comes after T.
        dtype: of the numbers.
        what: what the cells hold, for messages.
        option: the option of the recipe that does without the file.

    Raises:
        RunError: a file cannot be read or written.
    """

    def __init__(
        self,
        path: Path,
        row: tuple[int, ...],
        *,
        dtype: np.dtype[Any] | type = np.float32,
        what: str = "What a frozen encoder makes of the cells",
        option: str = "data.keep_features",
    ) -> None:
        self.path, self.row, self.dtype = path, row, np.dtype(dtype)
        self._what, self._option = what, option
        self._noted = path.with_name(f"{path.name}.lengths")
        with self._explained():
            noted = np.fromfile(self._noted, np.int64).tolist() if self._noted.exists() else []
            size = path.stat().st_size if path.exists() else 0
        self._lengths: list[int] = noted
        if size < self._bytes():  # the disk has lost what was noted
            self._lengths = []

    def __len__(self) -> int:
        """The number of cells."""
        return len(self._lengths)

    def __enter__(self) -> GrowingArray:
        """Open the file, and cut off what was not noted."""
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
            self._file.truncate(self._bytes())
        return self

    def __exit__(self, *_: object) -> None:
        """Save, also what an interruption leaves."""
        try:
            self.save()
        finally:
            self._file.close()

    def add(self, rows: np.ndarray, lengths: np.ndarray) -> None:
        """Append some cells.

        Args:
            rows: ``(sum of lengths, …)``.
            lengths: rows of each cell.
        """
        assert rows.shape == (lengths.sum(), *self.row) and rows.dtype == self.dtype
        with self._explained():
            self._file.write(np.ascontiguousarray(rows).data)
        self._lengths += lengths.tolist()

    def save(self) -> None:
        """Bring everything to the disk, and note it."""
        with self._explained():
            self._file.flush()
            os.fsync(self._file.fileno())
            write_file(self._noted, np.array(self._lengths, np.int64).tobytes())

    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """All cells end to end ``(sum of T, …)``, mapped, and where each begins ``(U + 1,)``."""
        offsets = np.concatenate([[0], np.cumsum(np.array(self._lengths, np.int64))])
        shape = (int(offsets[-1]), *self.row)
        if not math.prod(shape):  # what is empty cannot be mapped
            return np.zeros(shape, self.dtype), offsets
        return np.memmap(self.path, self.dtype, "r", shape=shape), offsets

    def mapped(self) -> tuple[np.ndarray, np.ndarray | None]:
        """The whole array, mapped from the file.

        Returns:
            ``(U, T, …)`` and None where all cells are of one length; otherwise
            ``(sum of T, …)``, and where each cell begins ``(U + 1,)``.
        """
        values, offsets = self.rows()
        lengths = np.diff(offsets)
        if (lengths == lengths[0]).all():
            return values.reshape(len(lengths), -1, *self.row), None
        return values, offsets

    def forget(self) -> None:
        """Begin anew: what is there is cut off as soon as it grows."""
        self._lengths = []

    def remove(self) -> None:
        """Delete the files."""
        self._lengths = []
        for path in (self.path, self._noted):
            path.unlink(missing_ok=True)

    def _bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.row) * sum(self._lengths)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self._what} cannot be kept in {str(self.path.parent)!r}: "
                f"{error.strerror or error}. Free some space, choose another directory, or do "
                f"without: {self._option}=false."
            ) from error
