"""What every modality promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from torch import Generator, Tensor

from polymodal.data.media import Shown
from polymodal.data.summary import ColumnSummary


class Modality(ABC):
    """One kind of content: how to recognise, learn, decode, augment and show it.

    The constructor's keyword arguments are the user's options; what ``fit`` learns from the
    training part is in ``state()`` as plain JSON. A cell handed to ``fit``, ``decode`` or
    ``show`` is never a missing one, and a media path in it is absolute already.
    """

    name: ClassVar[str]
    """Its name in a schema and a recipe."""
    media: ClassVar[bool] = False
    """Cells may be files or bytes: decoded once, shared between rows, held in a pack on disk."""
    ragged: ClassVar[bool] = False
    """Arrays of two cells may differ in their first length (tokens, frames)."""

    @classmethod
    @abstractmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """How sure it is, 0 to 1, that a column is of this modality."""

    @abstractmethod
    def fit(self, cells: Sequence[Any]) -> None:
        """Learn statistics or a vocabulary from cells of the training part.

        Cells that cannot be decoded are passed over here; packing reports them.
        """

    @abstractmethod
    def decode(self, cell: Any) -> np.ndarray:
        """The cell as an array: the same shape for all, or ``(T, …)`` where ``ragged``.

        Raises:
            CellError: the cell is broken, or not of this modality.
        """

    @abstractmethod
    def blank(self) -> np.ndarray:
        """Zeros of the shape and type that ``decode`` gives; one token long where ``ragged``."""

    @property
    def max_length(self) -> int | None:
        """How many tokens or frames of a ragged cell are kept; None keeps all."""
        return None

    @abstractmethod
    def restore(self, array: np.ndarray) -> list[Any]:
        """The inverse of ``decode`` for stacked arrays ``(N, …)``: answers for people.

        Raises:
            NotImplementedError: this modality cannot be a target yet.
        """

    @abstractmethod
    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Hand-made features ``(F,)`` float32 of one decoded cell, for classical baselines."""

    @abstractmethod
    def show(self, cell: Any) -> Shown:
        """The cell for a report."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What ``fit`` learned, as plain JSON."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""

    def augment(self, values: Tensor, generator: Generator) -> Tensor:
        """A random variation of a training batch ``(U, …)``; the same values by default."""
        return values
