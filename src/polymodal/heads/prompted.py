"""What pretrained heads promise that read columns by themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar


class Prompted(ABC):
    """A head that holds a pretrained model, whose prompt may name columns."""

    readable: ClassVar[frozenset[str]]
    """Modalities of the columns that its prompt may name."""
    reads_row: ClassVar[bool] = True
    """Whether it reads what the fusion made of the row, and so of all columns."""
    config: dict[str, Any]
    """Plain JSON to keep with the weights: rebuilds the head. ``files`` are those of its tokenizer
    or processor, name -> text."""

    @classmethod
    @abstractmethod
    def as_is(cls, prompt: str | None, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """The columns whose cells it reads by itself, if no encoder is named for them.

        Args:
            prompt: as for the head; None for the usual one.
            inputs: input column -> its modality.
        """

    @staticmethod
    @abstractmethod
    def preprocessing(model: str, modality: str) -> dict[str, Any]:
        """How cells must be made that it reads or writes: options of their modality.

        Args:
            model: as for the head.
            modality: of a column that is read as it is, or of the target.

        Raises:
            RecipeError: a part of the model cannot be found or used.
            MissingExtra: a package is not installed.
        """
