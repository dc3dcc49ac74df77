"""What every head promises."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from polymodal.batch import Field, Fused


class Head(nn.Module, ABC):
    """From the fused row to a prediction of one target column, with its loss.

    ``forward`` gives what the loss needs (logits, a standardised value); ``answer`` turns that
    into the target's own terms. A row whose target is absent adds nothing to the loss.
    """

    reads: tuple[str, ...] = ()
    """The branches whose tokens it reads by itself (``Fused.branches``), besides what is fused."""

    rows_at_once: int = 256
    """How many rows are predicted or measured at a time, so that they fit into the memory."""

    @abstractmethod
    def forward(self, fused: Fused) -> Tensor:
        """The prediction, ``(B, …)``, as the loss wants it; ``(B, M, …)`` of M vectors a row."""

    @abstractmethod
    def blend(self, predictions: Tensor, weights: Tensor) -> Tensor:
        """One prediction ``(B, …)`` of several of the same row, made by single branches.

        Args:
            predictions: ``(B, M, …)``, what ``forward`` gives for M branches.
            weights: ``(B, M)``, not negative, at least one above zero in each row; a branch
                with the weight 0 has no influence.
        """

    @abstractmethod
    def loss(self, prediction: Tensor, target: Field) -> dict[str, Tensor]:
        """Named scalar terms whose sum is minimised: the mean over rows with a target."""

    @abstractmethod
    def answer(self, prediction: Tensor) -> Tensor:
        """The most likely answer: class number ``(B,)``, value ``(B,)``, labels ``(B, L)`` bool."""

    @abstractmethod
    def probabilities(self, prediction: Tensor) -> Tensor | None:
        """Probabilities ``(B, C)`` of classes or labels; None where the target has none."""
