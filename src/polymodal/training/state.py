"""What a training knows of itself, apart from tensors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class State:
    """Where a training stands; plain JSON, so that a checkpoint can hold it.

    Args:
        planned: steps of the whole training; a time budget may change it.
        epoch: the running epoch, from 0.
        batch: batches of it that are done.
        step: optimizer steps done.
        seconds: time of the training so far, validations and checkpoints included.
        sums: of the running epoch: rows, batches, seconds, seconds of waiting, each loss term.
        history: a row for each epoch that is over.
        best_epoch: number of the best epoch, from 1; None before the first.
        best_metric: its validation metric.
        best_loss: its validation loss.
        lowest_loss: the lowest validation loss of any epoch; None before the first.
        epochs_without_progress: epochs since metric or loss was last the best so far.
        finished: why it is over; None while it is not.
    """

    planned: int
    epoch: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    best_epoch: int | None = None
    best_metric: float | None = None
    best_loss: float = 0.0
    lowest_loss: float | None = None
    epochs_without_progress: int = 0
    finished: str | None = None

    def add(self, name: str, value: float) -> None:
        """Add to a sum of the running epoch."""
        self.sums[name] = self.sums.get(name, 0.0) + value
