"""The training loop: one, explicit, for every model and every source of batches."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import torch
from accelerate.state import PartialState
from torch import Tensor

from polymodal.batch import Batch
from polymodal.errors import PolymodalError, RunError
from polymodal.model import MultimodalModel
from polymodal.training.budget import Budget
from polymodal.training.checkpoint import Checkpoints, load_checkpoint
from polymodal.training.choices import Choices, choose, load_choices, save_choices
from polymodal.training.device import from_main, place
from polymodal.training.interruption import Interrupted, StopSignal
from polymodal.training.journal import Journal
from polymodal.training.learner import Learner, broken_weight
from polymodal.training.memory import reuse_memory
from polymodal.training.options import TrainOptions
from polymodal.training.progress import Progress, SilentProgress
from polymodal.training.source import Source
from polymodal.training.state import State
from polymodal.training.validation import Validation

Validate = Callable[[MultimodalModel], Validation]

_LOOK_SECONDS, _LOOK_BATCHES = 0.125, 50  # how long losses may wait until they are looked at
_EVENT_SECONDS = 1.0  # between two points of a TensorBoard curve
_AGREE_STEPS = 10  # how often several processes talk about stopping
_MAY_CHANGE = {"patience", "max_minutes", "checkpoint_minutes", "tensorboard"}


class TrainingError(PolymodalError):
    """The training itself went wrong: a loss or a weight is nan or infinite."""


@dataclass(frozen=True)
class TrainResult:
    """What a training came to; the model holds the best weights.

    Args:
        ended: why it ended: "completed", "patience" or "budget".
        steps: optimizer steps done.
        epochs: epochs done, the last one perhaps in part.
        seconds: time of the training, with earlier parts if it was resumed.
        best_epoch: the epoch whose weights the model holds, from 1; None where no validation
            gave a number, and the model holds the last weights.
        best_metric: its validation metric.
        history: a row for each epoch: epoch, step, train_loss, validation_loss,
            validation_metric, learning_rate, seconds, rows_per_second, waiting (fraction of the
            epoch spent waiting for data), each loss term as ``train_loss/…``, each further
            number of the validation as ``validation/…``.
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


def train(
    model: MultimodalModel,
    source: Source,
    options: TrainOptions,
    *,
    seed: int,
    directory: Path,
    validate: Validate,
    progress: Progress | None = None,
    device: torch.device | str | None = None,
    resume: bool = False,
) -> TrainResult:
    """Train a model until its epochs, its patience or its time are used up.

    Under ``torchrun`` or ``accelerate launch`` each process takes every n-th batch.

    Args:
        model: trained in place; at the end it holds the weights of the best epoch.
        source: the training batches.
        options: with ``epochs`` and ``learning_rate`` as numbers (:meth:`TrainOptions.resolved`).
        seed: of dropout and everything else that is random in a step.
        directory: where ``checkpoints/`` and ``log/`` are written.
        validate: scores a model, which is in evaluation mode, after each epoch.
        progress: is told how it goes; None shows nothing.
        device: where to train; None takes the best one there is.
        resume: go on from the last checkpoint of the directory (from the start if it has none).

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; everything is saved.
        RunError: a checkpoint cannot be written or read, or is that of another training.
        TrainingError: the loss or a weight became nan or infinite.
        PolymodalError: an option does not suit this model or machine.
    """
    if options.epochs == "auto" or options.learning_rate == "auto":
        raise PolymodalError(
            "train.epochs and train.learning_rate must be numbers here: "
            "use options.resolved(rows=…) with the number of training rows."
        )
    checkpoints = Checkpoints(directory)
    found = checkpoints.last.exists()
    if found and not resume:
        raise RunError(f"{directory} already holds a training. Resume it, or take another folder.")
    threads = torch.get_num_threads()
    try:
        with StopSignal() as stop:
            where = place(device)
            if where.type == "cpu":
                reuse_memory()
            model.to(where).to(memory_format=torch.channels_last).train()
            choices = _choices(model, source, options, directory=directory, device=where)
            loop = _Loop(source, options, directory=directory, validate=validate, stop=stop)
            loop.learner = Learner(
                model,
                options,
                seed=seed,
                precision=choices.precision.name,
                total_steps=lambda: loop.state.planned,
            )
            setting = _setting(source, options, seed)
            return _Loop().run()
    finally:
        torch.set_num_threads(threads)
