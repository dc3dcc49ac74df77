"""What computes the answers: one promise for every kind of exported network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack
from polymodal.data.schema import Schema
from polymodal.evaluation.prediction import Answers


class Engine(ABC):
    """A network with its schema, that answers rows whose cells are decoded already.

    One thread calls it. A row's answer never depends on the other rows; a column whose store has
    the index -1 in a row is absent there.

    Args:
        schema: which columns are inputs and targets.
        modalities: column -> fitted modality, of the inputs and the targets.
    """

    kind: ClassVar[str]
    """Its name in ``--engine``."""
    embeds: ClassVar[bool] = True
    """Whether it has a vector for each row."""

    def __init__(self, schema: Schema, modalities: Mapping[str, Modality]) -> None:
        self.schema, self.modalities = schema, dict(modalities)
        self.answers = True
        """Whether it has answers, not vectors only."""
        self.same_from: float | None = None
        """Two rows are of the same identity where their vectors' cosine is at least this; None
        where the model did not learn to tell."""

    @property
    def inputs(self) -> dict[str, Modality]:
        """Input column -> fitted modality."""
        return {name: self.modalities[name] for name in self.schema.inputs}

    @property
    def targets(self) -> dict[str, Modality]:
        """Target column -> fitted modality."""
        return {name: self.modalities[name] for name in self.schema.targets}

    @abstractmethod
    def answer(self, pack: Pack) -> dict[str, Answers]:
        """Each target's answers for all rows of the pack, in their order."""

    @abstractmethod
    def embed(self, pack: Pack) -> np.ndarray:
        """Each row as one vector ``(rows, width)`` float32."""
