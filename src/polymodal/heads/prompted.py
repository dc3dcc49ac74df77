"""What pretrained heads promise that read columns by themselves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any, ClassVar


class Prompted(ABC):
    """A head that holds a pretrained model, whose prompt may name columns."""

    readable: ClassVar[frozenset[str]]
    """Modalities of the columns that its prompt may name."""
    reads_row: ClassVar[bool] = True
    """Whether its prompt may name what the fusion made of the row."""
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

    @classmethod
    def heeds(cls, prompt: str | None, inputs: Mapping[str, str]) -> Collection[str]:
        """The columns that have a say in what it writes: those that it reads by itself.

        Args:
            prompt: as for the head; None for the usual one.
            inputs: input column -> its modality.
        """
        return cls.as_is(prompt, inputs)

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
