"""The options of a training, and the rules that fill in those left at "auto"."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Auto = Literal["auto"]
Optimizer = Literal["adamw", "adam", "sgd"]
Schedule = Literal["cosine", "linear", "constant", "one_cycle"]
Precision = Literal["fp32", "bf16", "fp16"]
Balance = Literal["off", "ogm_ge", "gradient_blending"]
Mix = Literal["off", "mixup", "cutmix", "both"]

_Count = Annotated[int, Field(ge=1)]
_Fraction = Annotated[float, Field(ge=0, lt=1)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TrainOptions(BaseModel):
    """How to train: one field for each option a user may set.

    ``TrainOptions.model_fields[name].description`` is the comment that a recipe prints beside an
    option. ``modality_dropout`` and ``loss_weights`` are for whoever builds the model,
    ``batch_size`` for whoever builds the source of batches, ``curves`` for whoever validates;
    the loop reads the others. Where ``balance`` is auto, the ``Trainer`` finds out first.

    Raises:
        pydantic.ValidationError: (a ``ValueError``) an unknown option, a wrong type or range.

    Example:
        >>> TrainOptions(epochs=5).resolved(rows=575).batch_size
        32
        >>> TrainOptions.model_fields["clip"].description
        'largest norm of the gradient, longer ones are scaled down to it; 0 = off'
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    epochs: _Count | Auto = "auto"
    """passes over the training rows; auto aims at 3,000 steps, between 8 and 60 passes"""
    batch_size: _Count | Auto = "auto"
    """rows in one batch; auto is a power of two from 16 to 128, by the number of rows"""
    optimizer: Optimizer = "adamw"
    """adamw (safe choice), adam, or sgd with momentum"""
    learning_rate: _Positive | Auto = "auto"
    """highest learning rate; auto goes by the optimizer and the batch size"""
    weight_decay: _Amount = 0.05
    """pull of weight matrices towards zero (never of biases, norms, embeddings)"""
    momentum: _Fraction = 0.9
    """momentum of sgd; the others ignore it"""
    schedule: Schedule = "cosine"
    """course of the learning rate after the warm-up: cosine, linear, constant, one_cycle"""
    warmup: _Fraction = 0.05
    """fraction of all steps in which the learning rate rises from near zero"""
    clip: _Amount = 1.0
    """largest norm of the gradient, longer ones are scaled down to it; 0 = off"""
    accumulate: _Count = 1
    """batches whose gradients are averaged into one step, for batches too big for the memory"""
    cells_at_once: _Count | None = None
    """cells an encoder is run on at a time (gradient caching), for batches beyond the memory"""
    precision: Precision | Auto = "auto"
    """number format of the computation: fp32, bf16, fp16; auto measures, and takes the faster"""
    threads: _Count | Auto = "auto"
    """CPU threads of the computation; auto measures one against all cores"""
    patience: Annotated[int, Field(ge=0)] = 15
    """epochs without a better validation metric or loss after which training ends; 0 = never"""
    max_minutes: _Positive | None = None
    """time budget in minutes, to which the schedule is fitted; null = none"""
    checkpoint_minutes: _Positive = 5.0
    """longest time between two checkpoints in minutes (one is written after each epoch too)"""
    modality_dropout: _Fraction | dict[str, _Fraction] = 0.1
    """chance that an input of a training row is hidden; or input -> chance, others never are"""
    mix: Mix = "off"
    """training rows mixed in pairs: pictures blended (mixup), a box put into them (cutmix), both"""
    mix_alpha: _Positive | Auto = "auto"
    """how evenly rows are mixed, 1 = any share alike, less = mostly one; auto: 0.2, cutmix 1"""
    balance: Balance | Auto = "off"
    """remedy for inputs that starve others: ogm_ge, gradient_blending, off; auto tries all"""
    curves: bool = True
    """score each input alone after each epoch, the others hidden, for curves in the report"""
    loss_weights: dict[str, _Amount] | None = None
    """weight of each target's loss; null lets the model learn the balance"""
    tensorboard: bool = True
    """write TensorBoard event files into log/"""
    compile: bool = False
    """torch.compile the model: a slow first step, faster ones after; for long trainings"""
    ema: _Fraction = 0.0
    """decay of a running average of the weights, used in place of the last ones; 0 = off"""

    def resolved(self, rows: int) -> TrainOptions:
        """The same options with ``epochs``, ``batch_size`` and ``learning_rate`` as numbers.

        Args:
            rows: rows in the training part.
        """
        size = auto_batch_size(rows) if self.batch_size == "auto" else self.batch_size
        together = size * self.accumulate
        epochs = auto_epochs(rows, batch_size=together) if self.epochs == "auto" else self.epochs
        rate = self.learning_rate
        if rate == "auto":
            rate = auto_learning_rate(self.optimizer, batch_size=together)
        changes = {"batch_size": size, "epochs": epochs, "learning_rate": rate}
        return self.model_copy(update=changes)


def auto_batch_size(rows: int) -> int:
    """The largest power of two from 16 to 128 that still gives 16 steps per epoch.

    Small networks from scratch learn by the number of steps more than by the number of rows.

    >>> [auto_batch_size(rows) for rows in (100, 575, 3_000, 38_000)]
    [16, 32, 128, 128]
    """
    return max(size for size in (16, 32, 64, 128) if size == 16 or rows >= 16 * size)


def contrastive_batch_size(rows: int) -> int:
    """The largest power of two from 16 to 256 that still gives 4 steps per epoch.

    A contrastive loss compares the rows of a batch: the more of them, the more it tells.

    >>> [contrastive_batch_size(rows) for rows in (50, 703, 38_000)]
    [16, 128, 256]
    """
    return max(size for size in (16, 32, 64, 128, 256) if size == 16 or rows >= 4 * size)


def auto_epochs(rows: int, *, batch_size: int | None = None) -> int:
    """The epochs that make about 3,000 steps: at least 8, at most 60.

    Args:
        rows: rows in the training part.
        batch_size: rows in one step; None takes :func:`auto_batch_size`.

    >>> [auto_epochs(rows) for rows in (575, 38_000, 10_000_000)]
    [60, 10, 8]
    """
    steps = math.ceil(rows / (batch_size or auto_batch_size(rows)))
    return min(60, max(8, round(3_000 / steps)))


def auto_learning_rate(optimizer: Optimizer, *, batch_size: int) -> float:
    """A learning rate that seldom fails.

    sgd: 0.05. adamw and adam: 0.001 for 64 rows a step, growing with the square root of that
    number (Malladi et al. 2022, https://arxiv.org/abs/2205.10287) from 0.0005 to 0.002.

    Args:
        optimizer: its name.
        batch_size: rows in one step.

    >>> auto_learning_rate("adamw", batch_size=64), auto_learning_rate("sgd", batch_size=64)
    (0.001, 0.05)
    """
    if optimizer == "sgd":
        return 0.05
    return min(0.002, max(0.0005, 0.001 * math.sqrt(batch_size / 64)))
