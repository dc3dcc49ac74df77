"""What a candidate costs: an epoch of training, a row's answer, its parameters."""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import torch

from polymodal.assessment import Assessor
from polymodal.comparison.ledger import Size
from polymodal.cost import answer, usual_lengths
from polymodal.model import MultimodalModel
from polymodal.train_options import TrainOptions
from polymodal.trainer import Trainer
from polymodal.training.objective import Objective
from polymodal.training.trial import seconds_per_step, untouched

BEYOND = 1.3
"""An epoch beside its forward and backward passes: optimizer, validation, checkpoint."""
ALONE, TOGETHER = 15, 512
MOST_SECONDS = 20.0  # rows that would take longer one by one are not answered together


def seconds_per_epoch(trainer: Trainer, model: MultimodalModel, options: TrainOptions) -> float:
    """About how long one epoch of training takes, from a few steps that leave no trace."""
    source = trainer.source(model, options)
    batch, device = next(iter(islice(source.epoch(0), 1))), next(model.parameters()).device
    objective = Objective(model.train())
    low = options.precision == "bf16"

    def step() -> None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            losses = objective(batch.to(device))
        losses.total.backward()

    with untouched(model, device):
        return BEYOND * source.steps_per_epoch * seconds_per_step(step)


def size(assessor: Assessor, model: MultimodalModel) -> Size:
    """Parameters, and the time of answers to test rows that are decoded already.

    Texts are written out, as long as the references are in the mean.
    """
    model.eval()
    rows = assessor.test[:TOGETHER]
    device = next(model.parameters()).device
    batches = assessor.batches(model, rows, cells=True)  # new rows have no features kept
    lengths = usual_lengths(model, [batches.batch(rows)])

    def spent(some: np.ndarray) -> float:
        before = time.perf_counter()
        with torch.inference_mode():
            answer(model, batches.batch(some).to(device), lengths)
        return time.perf_counter() - before

    spent(rows[:1])
    alone = float(np.median([spent(rows[i : i + 1]) for i in range(min(ALONE, len(rows)))]))
    several = rows[: max(ALONE, int(MOST_SECONDS / alone))]
    spent(several)
    return Size(
        sum(weights.numel() for weights in model.parameters()),
        1000 * alone,
        len(several) / spent(several),
    )
