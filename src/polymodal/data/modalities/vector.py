"""Ready-made vectors: embeddings, fingerprints, histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from polymodal.data.arrays import array_ending, read_array
from polymodal.data.media import Shown, is_tensor, spread
from polymodal.data.modalities.modality import Modality
from polymodal.data.summary import ColumnSummary, name_parts
from polymodal.errors import CellError

ENOUGH = 4096  # cells that statistics are learned from
LONGEST = 4096
MOST_FEATURES = 256
LARGEST = float(np.finfo(np.float32).max)
NAMES = {"vector", "embedding", "embeddings", "emb", "vec", "features", "fingerprint", "histogram",
         "latent"}  # fmt: skip


class Vector(Modality):
    """Numbers of one length that belong together, as ``(F,)`` float32.

    A cell is a list, an array or tensor, a ``.npy`` file, or a row of a file of many
    (``embeddings.npy#17``). Each number is standardised by what the training part says.

    Args:
        size: numbers F of a vector; None takes the usual one of the training part.
    """

    name: ClassVar[str] = "vector"
    media: ClassVar[bool] = True

    def __init__(self, *, size: int | None = None) -> None:
        self.size = size or 0
        self.mean: list[float] = []
        self.std: list[float] = []

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Lists or arrays of as many numbers each; NumPy files by the column's name."""
        named = bool(NAMES & set(name_parts(column.name)))
        lengths = [_length(cell) for cell in column.sample]
        likely = [n for n in lengths if n]
        if not likely or len(likely) < 0.95 * len(lengths):
            return 0.0
        if named:
            return 0.95
        size, count = Counter(likely).most_common(1)[0]
        if not 2 <= size <= LONGEST or count < 0.9 * len(likely):
            return 0.0
        return 0.9 if all(isinstance(cell, str) for cell in column.sample) else 0.7

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn the size, and mean and deviation of each number."""
        arrays = []
        for cell in spread(cells, ENOUGH):
            try:
                arrays.append(_read(cell))
            except CellError:
                continue  # packing reports it, with its row
        if not self.size:
            sizes = Counter(map(len, arrays)).most_common(1)
            self.size = sizes[0][0] if sizes else 1
        known = [array for array in arrays if len(array) == self.size]
        values = np.stack(known) if known else np.zeros((1, self.size))
        self.mean = [float(f"{m:.6g}") for m in values.mean(0)]
        self.std = [float(f"{s:.6g}") if s > 0 else 1.0 for s in values.std(0)]

    def facts(self) -> dict[str, Any]:
        """Size, and mean and deviation of each number."""
        return {"size": self.size, "mean": self.mean, "std": self.std}

    def decode(self, cell: Any) -> np.ndarray:
        """The numbers ``(F,)`` float32."""
        array = _read(cell)
        if len(array) != self.size:
            raise CellError("wrong length of a vector", f"{len(array)}, expected {self.size}")
        return array.astype(np.float32)

    def blank(self) -> np.ndarray:
        """Noughts."""
        return np.zeros(self.size, np.float32)

    def restore(self, array: np.ndarray) -> list[Any]:
        """Lists of floats."""
        return [[float(value) for value in row] for row in array]

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """The first 256 numbers, and the length of the arrow."""
        whole = float(np.linalg.norm(array.astype(np.float64)))
        return np.append(array[:MOST_FEATURES], min(whole, LARGEST)).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """The first numbers."""
        array = _read(cell)
        first = ", ".join(f"{value:.3g}" for value in array[:8])
        return Shown("text", first + (", …" if len(array) > 8 else ""), f"{len(array)} numbers")

    def state(self) -> dict[str, Any]:
        """Size, mean and deviation."""
        return {"size": self.size, "mean": self.mean, "std": self.std}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.size, self.mean, self.std = state["size"], state["mean"], state["std"]


def _read(cell: Any) -> np.ndarray:
    array = read_array(cell)
    if array.ndim == 2 and 1 in array.shape:
        array = array.ravel()
    if array.ndim != 1:
        raise CellError("not a vector", f"an array of shape {array.shape}")
    if not array.size:
        raise CellError("empty vector", "no numbers")
    array = array.astype(np.float64)
    if not (np.abs(array) <= LARGEST).all():
        raise CellError("NaN or infinite values", "in a vector")
    return array


def _length(cell: Any) -> int:
    """How many numbers a cell holds by itself; 1 for a file, 0 for anything else."""
    if array_ending(cell):
        return 1
    if isinstance(cell, np.ndarray) or is_tensor(cell):
        numeric = is_tensor(cell) or cell.dtype.kind in "iuf"
        return len(cell) if numeric and cell.ndim == 1 else 0
    if isinstance(cell, str) and cell.lstrip()[:1] == "[":
        return cell.count(",") + 1 if "[" not in cell.lstrip()[1:] and '"' not in cell else 0
    if isinstance(cell, list | tuple):
        number = (isinstance(x, int | float | np.number) for x in cell)
        whole = all(number) and not any(isinstance(x, bool) for x in cell)
        return len(cell) if whole else 0
    return 0
