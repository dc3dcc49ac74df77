"""The course of the learning rate over a training."""

from __future__ import annotations

import math

from polymodal.train_options import Schedule

_RISE = 0.3  # of a one_cycle training
_LOWEST = 1e-4


def rate_factor(schedule: Schedule, step: int, *, total: int, warmup: float) -> float:
    """The part of the highest learning rate that a step gets, 0 to 1.

    Args:
        schedule: ``cosine`` and ``linear`` fall to zero, ``constant`` stays, ``one_cycle`` rises
            for 30 % of the steps (or the warm-up, if longer), then falls by a cosine (Smith &
            Topin 2018, https://arxiv.org/abs/1708.07120).
        step: number of the step, from 0.
        total: number of steps of the whole training.
        warmup: fraction of ``total`` in which it rises linearly.

    >>> [round(rate_factor("linear", s, total=4, warmup=0.0), 2) for s in range(4)]
    [1.0, 0.75, 0.5, 0.25]
    >>> [round(rate_factor("constant", s, total=8, warmup=0.5), 2) for s in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    rising = round(total * (max(warmup, _RISE) if schedule == "one_cycle" else warmup))
    if step < rising:
        return (step + 1) / rising
    done = min(1.0, (step - rising) / max(1, total - rising))
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1.0 - done
    factor = 0.5 * (1.0 + math.cos(math.pi * done))
    return max(_LOWEST, factor) if schedule == "one_cycle" else factor
