"""Heads that make vectors which are compared with one another."""

from abc import abstractmethod

from torch import Tensor

from polymodal.heads.head import Head


class EmbeddingHead(Head):
    """A head whose prediction is a vector in a space where alike things are near.

    Its target says which rows are the same thing: the same person, or one picture and its
    captions. Whole rows and single columns (the others hidden) have their vectors in one space.
    """

    @property
    @abstractmethod
    def together(self) -> int | None:
        """How many rows of the same thing training draws together; None: one at random of all."""

    @abstractmethod
    def vector(self, prediction: Tensor) -> Tensor:
        """The row as one vector ``(B, D)`` of length 1, from what ``forward`` gave."""
