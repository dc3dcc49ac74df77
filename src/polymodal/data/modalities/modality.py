"""What every modality promises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from polymodal.data.media import Shown

if TYPE_CHECKING:
    from torch import Generator, Tensor

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
    tabular: ClassVar[bool] = False
    """One value of a table: such columns are joined in one branch of the network."""
    unread: ClassVar[frozenset[str]] = frozenset(
        {"mean", "std", "variation", "variations", "strength"}
    )
    """Attributes that ``decode`` does not read: encoders standardise, and ``augment`` varies."""
    axes: ClassVar[tuple[int, ...] | None] = None
    """The order of the axes of stacked cells ``(U, …)`` that encoders want; None as they are."""
    derived: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Further inputs that its cells hold: name -> modality. A column ``clip`` of a modality with
    ``{"sound": "audio"}`` brings an input ``clip.sound`` that reads the same cells."""

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
            CellError: the cell is broken, or not of this modality; :class:`NothingThere` where
                nothing is wrong with it, but it holds nothing of this modality.
        """

    @abstractmethod
    def blank(self) -> np.ndarray:
        """Zeros of the shape and type that ``decode`` gives; one token long where ``ragged``."""

    @property
    def max_length(self) -> int | None:
        """How many tokens or frames of a ragged cell are kept; None keeps all."""
        return None

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The part of a decoded cell longer than ``max_length`` that is kept: its start."""
        return array[: self.max_length]

    @property
    def limit(self) -> str:
        """``max_length`` in words, for people ("12 seconds")."""
        return f"{self.max_length} tokens"

    def facts(self) -> dict[str, Any]:
        """What it has learned that encoders and heads are built with.

        A class is given those facts that its constructor has a parameter of that name for.
        """
        return {}

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

    @property
    def augments(self) -> bool:
        """Whether ``augment`` may change anything."""
        return type(self).augment is not Modality.augment

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What ``fit`` learned, as plain JSON."""

    @abstractmethod
    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""

    def augment(self, values: Tensor, generator: Generator, mask: Tensor | None = None) -> Tensor:
        """A random variation of a training batch; the same values by default.

        Args:
            values: ``(U, …)``, the axes in the order of ``axes``; they must stay as they are.
            generator: the only source of chance.
            mask: ``(U, T)`` bool, True at real tokens of ragged cells; None where all are real.
        """
        return values
