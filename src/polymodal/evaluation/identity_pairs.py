"""Verification: how well a score tells pairs of the same identity from pairs of different ones.

Letters: P pairs · R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from polymodal.evaluation.scores import Score

MOST_SAME, MOST_DIFFERENT = 20_000, 80_000
FARS = (0.1, 0.01, 0.001)
RESAMPLES = 200
FEWEST_IDENTITIES = 5  # of which an interval can tell


class SameOrNot(NamedTuple):
    """What verification says of two rows.

    Args:
        same: whether they are of one identity: the score reaches the threshold.
        score: the cosine of their vectors.
        threshold: chosen on the validation part, where both kinds of error are equally frequent.
    """

    same: bool
    score: float
    threshold: float


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows with how alike they are.

    Args:
        first: ``(P,)`` rows.
        second: ``(P,)`` rows.
        same: ``(P,)`` bool, whether they are of one identity.
        scores: ``(P,)`` higher where they are more alike.
        identities: row -> whose it is ``(N,)``; pairs of one identity stand or fall together in
            the bootstrap.
    """

    first: np.ndarray
    second: np.ndarray
    same: np.ndarray
    scores: np.ndarray
    identities: np.ndarray

    def __len__(self) -> int:
        """The number of pairs P."""
        return len(self.same)


@dataclass(frozen=True)
class ErrorRates:
    """What is wrong at every threshold, the highest first.

    Args:
        thresholds: ``(T,)`` "same" from here on.
        false_accepts: ``(T,)`` share of different pairs taken for the same (FAR).
        false_rejects: ``(T,)`` share of same pairs taken for different (FRR).
    """

    thresholds: np.ndarray
    false_accepts: np.ndarray
    false_rejects: np.ndarray

    def equal(self) -> tuple[float, float]:
        """The equal error rate, where the two are the same, and its threshold.

        Between two thresholds the rates are joined by a straight line.

        Example:
            >>> rates = error_rates(np.array([0.9, 0.4, 0.6, 0.1]), np.array([1, 1, 0, 0]) > 0)
            >>> rates.equal()
            (0.5, 0.6)
        """
        gap = self.false_accepts - self.false_rejects
        after = int(np.argmax(gap >= 0))
        if after == 0 or gap[after] == 0:
            return float(self.false_accepts[after]), float(self.thresholds[after])
        before = after - 1
        part = gap[before] / (gap[before] - gap[after])
        rate = self.false_accepts[before] + part * (
            self.false_accepts[after] - self.false_accepts[before]
        )
        threshold = self.thresholds[after]
        if np.isfinite(self.thresholds[before]):
            threshold += (1 - part) * (self.thresholds[before] - self.thresholds[after])
        return float(rate), float(threshold)

    def accepted_at(self, far: float) -> float:
        """The share of same pairs taken for the same where at most ``far`` of the others are."""
        return float(1 - self.false_rejects[self.false_accepts <= far].min())

    def at(self, threshold: float) -> tuple[float, float]:
        """False accepts and false rejects at a threshold."""
        place = int((self.thresholds >= threshold).sum()) - 1
        return float(self.false_accepts[place]), float(self.false_rejects[place])


def error_rates(
    scores: np.ndarray, same: np.ndarray, weights: np.ndarray | None = None
) -> ErrorRates:
    """The rates of error at each score as threshold; equal scores fall together.

    Args:
        scores: ``(P,)``.
        same: ``(P,)`` bool, with pairs of both kinds.
        weights: ``(P,)`` how often each pair counts; None counts all once.
    """
    order = np.argsort(-scores, kind="stable")
    weight = np.ones(len(scores)) if weights is None else weights[order].astype(np.float64)
    right = np.cumsum(np.where(same[order], weight, 0.0))
    wrong = np.cumsum(np.where(same[order], 0.0, weight))
    last = np.flatnonzero(np.r_[scores[order][1:] != scores[order][:-1], True])
    thresholds = np.r_[np.inf, scores[order][last]]
    accepts = np.r_[0.0, wrong[last] / wrong[-1]]
    return ErrorRates(thresholds, accepts, 1 - np.r_[0.0, right[last] / right[-1]])


@dataclass(frozen=True)
class VerificationScores:
    """What verification is worth on some pairs.

    Args:
        pairs: the pairs.
        threshold: "same" from here on, chosen on other pairs.
        rates: what is wrong at every threshold.
        scores: metric -> value and interval: ``eer``, ``auroc``, ``tar@far=…``, and at the
            threshold ``accuracy``, ``false_accepts``, ``false_rejects``.
    """

    pairs: Pairs
    threshold: float
    rates: ErrorRates
    scores: Mapping[str, Score]

    def to_dict(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it."""
        return {
            "pairs": len(self.pairs),
            "same": int(self.pairs.same.sum()),
            "threshold": self.threshold,
            **{name: score.to_dict() for name, score in self.scores.items()},
        }


def all_pairs(vectors: np.ndarray, identities: np.ndarray, *, seed: int = 0) -> Pairs:
    """Every pair of rows of known identity; of very many, some drawn at random.

    Args:
        vectors: ``(N, D)`` of length 1.
        identities: ``(N,)``, -1 where not known.
        seed: of the draw.
    """
    known = np.flatnonzero((identities >= 0) & (vectors != 0).any(1))
    first, second = (known[i] for i in np.triu_indices(len(known), 1))
    same = identities[first] == identities[second]
    rng = np.random.default_rng(seed)
    kept = np.sort(
        np.concatenate(
            [
                rng.permutation(np.flatnonzero(same))[:MOST_SAME],
                rng.permutation(np.flatnonzero(~same))[:MOST_DIFFERENT],
            ]
        )
    )
    return scored(vectors, first[kept], second[kept], same=same[kept], identities=identities)


def scored(
    vectors: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    same: np.ndarray,
    identities: np.ndarray,
) -> Pairs:
    """Pairs of rows with the cosines of their vectors ``(N, D)``."""
    cosines = np.einsum("pd,pd->p", vectors[first], vectors[second])
    return Pairs(first, second, same, cosines, identities)


def verification_scores(
    pairs: Pairs, *, threshold: float, seed: int = 0, resamples: int = RESAMPLES
) -> VerificationScores:
    """Every metric with its 95 % bootstrap interval.

    Identities are drawn, not pairs, since those of one person are not independent: a pair counts
    as often as both its identities were drawn. Of fewer than five identities there is no interval:
    what others would be like cannot be told from so few.

    Args:
        pairs: of both kinds.
        threshold: chosen on other pairs.
        seed: of the draws.
        resamples: how often.
    """
    rates = error_rates(pairs.scores, pairs.same)
    value = _metrics(pairs, rates, threshold, None)
    there = pairs.identities[np.concatenate([pairs.first, pairs.second])]
    people = np.unique(there)
    a = np.searchsorted(people, pairs.identities[pairs.first])
    b = np.searchsorted(people, pairs.identities[pairs.second])
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(resamples if len(people) >= FEWEST_IDENTITIES else 0):
        counts = rng.multinomial(len(people), np.full(len(people), 1 / len(people)))
        weights = np.where(pairs.same, counts[a], counts[a] * counts[b])
        if weights[pairs.same].any() and weights[~pairs.same].any():
            some = error_rates(pairs.scores, pairs.same, weights)
            drawn.append(_metrics(pairs, some, threshold, weights))
    scores = {
        name: Score.around(number, np.array([one[name] for one in drawn]) if drawn else None)
        for name, number in value.items()
    }
    return VerificationScores(pairs, threshold, rates, scores)


def _metrics(
    pairs: Pairs, rates: ErrorRates, threshold: float, weights: np.ndarray | None
) -> dict[str, float]:
    accepts, rejects = rates.at(threshold)
    weight = np.ones(len(pairs)) if weights is None else weights
    right = (pairs.scores >= threshold) == pairs.same
    return {
        "eer": rates.equal()[0],
        "auroc": area(rates),
        **{f"tar@far={far:g}": rates.accepted_at(far) for far in FARS},
        "accuracy": float((weight * right).sum() / weight.sum()),
        "false_accepts": accepts,
        "false_rejects": rejects,
    }


def decidability(pairs: Pairs) -> float:
    """How far the scores of same and of different pairs lie apart (d′, Daugman 2000).

    The distance of the two means in units of their deviation. It goes on rising where a few
    people are told apart without a mistake already, so it chooses between epochs.

    Example:
        >>> two = np.array([0, 1])
        >>> scores = np.array([0.7, 0.9, 0.1, 0.3])
        >>> same = np.array([True, True, False, False])
        >>> pairs = Pairs(two, two, same, scores, two)
        >>> round(decidability(pairs), 6)  # 0.6 apart, each with a deviation of 0.1
        6.0
    """
    same, different = pairs.scores[pairs.same], pairs.scores[~pairs.same]
    spread = np.sqrt((same.var() + different.var()) / 2)
    return float((same.mean() - different.mean()) / max(float(spread), 1e-12))


def area(rates: ErrorRates) -> float:
    """How often a same pair is more alike than a different one (AUROC)."""
    return float(np.trapezoid(1 - rates.false_rejects, rates.false_accepts))
