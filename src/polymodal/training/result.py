"""How a training can end."""

from __future__ import annotations

from dataclasses import dataclass

from polymodal.errors import PolymodalError
from polymodal.training.choices import Choices

NOTHING = "nothing to train"
"""How a training ends of a model whose weights are all frozen."""


class TrainingError(PolymodalError):
    """The training itself went wrong: a loss or a weight is nan or infinite."""


@dataclass(frozen=True)
class TrainResult:
    """What a training came to; the model holds the best weights.

    Args:
        ended: why it ended: "completed", "patience", "budget", "nothing to train", or
            "paused" where it goes on.
        steps: optimizer steps done.
        epochs: epochs done, the last one perhaps in part.
        seconds: time of the training, with earlier parts if it was resumed.
        best_epoch: the epoch whose weights the model holds, from 1; None where no validation
            gave a number, and the model holds the last weights.
        best_metric: its validation metric.
        history: a row for each epoch: epoch, step, train_loss, validation_loss,
            validation_metric, learning_rate, seconds, rows_per_second, waiting (fraction of the
            epoch spent waiting for data), each loss term as ``train_loss/…``, each further
            number of the validation as ``validation/…``, of each branch alone ``alone/…`` (the
            metric) and ``alone_loss/…``, and what was done to balance it as ``balance/…``.
        choices: how it computed.
    """

    ended: str
    steps: int
    epochs: int
    seconds: float
    best_epoch: int | None
    best_metric: float | None
    history: list[dict[str, float]]
    choices: Choices
