"""Successive halving: many fusions start, few go on, so that losers cost little.

Half of them go on after the first stage, where slow starters are still behind.

After Jamieson & Talwalkar 2016 (https://arxiv.org/abs/1502.07943). A candidate that goes on is not
trained anew: its training is paused and taken up again, on the learning rate's whole course.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

FIRST, SECOND = 1 / 9, 1 / 3
MANY = 12
"""Fusions from which on three of them, not two, come to the final."""
FEWEST_EPOCHS = 3


@dataclass(frozen=True)
class Rung:
    """A stage before the final.

    Args:
        epochs: to which every fusion that is left is trained, with one seed. Where a training has
            few epochs that may be all of them, and only further seeds are spared.
        keep: how many of them go on.
    """

    epochs: int
    keep: int


def rungs(fusions: int, epochs: int) -> list[Rung]:
    """The stages before the final, to which two fusions come; three of many.

    Args:
        fusions: how many compete.
        epochs: of a full training.

    Example:
        >>> [(rung.epochs, rung.keep) for rung in rungs(8, epochs=27)]
        [(3, 4), (9, 2)]
        >>> rungs(2, epochs=27)
        []
    """
    found: list[Rung] = []
    finalists = 3 if fusions >= MANY else 2
    for share, left in ((FIRST, math.ceil(fusions / 2)), (SECOND, finalists)):
        until, keep = max(round(share * epochs), 1), max(left, finalists)
        if keep < fusions:
            found.append(Rung(until, keep))
            fusions = keep
    return found


def cost(fusions: Sequence[float], alone: Sequence[float], *, epochs: int, seeds: int) -> float:
    """What a comparison costs if the dearest candidates go on.

    Every input alone is trained to its end with one seed; the finalists with all. An input alone
    that leads, which is rare, gets all seeds too, and is not counted.

    Args:
        fusions: the cost of an epoch of each fusion, in any unit.
        alone: that of each input alone.
        epochs: of a full training.
        seeds: of the final.

    Returns:
        The cost of all trainings, in the same unit.

    Example:
        Of ten candidates that are trained fully with two seeds each, this is a third:

        >>> round(cost([1.0] * 8, [0.5, 0.5], epochs=27, seeds=2) / (27 * 2 * 9), 2)
        0.34
    """
    left, done = sorted(fusions, reverse=True), 0
    total = epochs * sum(alone)
    for rung in rungs(len(left), epochs):
        total += (rung.epochs - done) * sum(left)
        left, done = left[: rung.keep], rung.epochs
    return total + (epochs * seeds - done) * sum(left)


def affordable(
    fusions: Sequence[float], alone: Sequence[float], *, most: int, seeds: int, budget: float
) -> int:
    """The epochs of a full training that fit a budget; :data:`FEWEST_EPOCHS` at least.

    Args:
        fusions: the cost of an epoch of each fusion.
        alone: that of each input alone.
        most: the epochs without a budget.
        seeds: of the final.
        budget: in the same unit as the costs.

    Example:
        >>> affordable([1.0] * 8, [0.5, 0.5], most=27, seeds=2, budget=88)
        14
    """
    for epochs in range(most, FEWEST_EPOCHS, -1):
        if cost(fusions, alone, epochs=epochs, seeds=seeds) <= budget:
            return epochs
    return min(most, FEWEST_EPOCHS)
