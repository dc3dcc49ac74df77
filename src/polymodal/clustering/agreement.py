"""How sure groups are: whether they come again on other rows, and whether they match labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polymodal.clustering.grouping import MOST_JUDGED, Method, group

DRAWS = 12


@dataclass(frozen=True)
class Agreement:
    """How well groups match labels. Both are 1 where they are the same.

    Args:
        label: the column.
        rows: that have a label and a group.
        classes: how many labels there are.
        nmi: normalised mutual information, 0 where groups tell nothing of labels.
        ari: adjusted Rand index (Hubert & Arabie, 1985), 0 on average for groups by chance.
        ari_interval: 95 % of bootstrap samples of the rows.
    """

    label: str
    rows: int
    classes: int
    nmi: float
    ari: float
    ari_interval: tuple[float, float]


def agreement(
    groups: np.ndarray, labels: np.ndarray, label: str, *, resamples: int = 200, seed: int = 0
) -> Agreement | None:
    """Compare groups ``(N,)`` with labels ``(N,)``; None where fewer than two rows have both.

    Rows in no group (-1) count as a group of their own: who leaves rows out does not gain by it.

    Args:
        groups: of each row.
        labels: a number for each row, equal where labels are; -1 where there is none.
        label: what they are called.
        resamples: bootstrap samples for the interval.
        seed: of the samples.

    Example:
        >>> same = agreement(np.array([0, 0, 1, 1]), np.array([5, 5, 3, 3]), "kind")
        >>> same.nmi, same.ari
        (1.0, 1.0)
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    there = labels >= 0
    groups, labels = groups[there], labels[there]
    if len(labels) < 2:
        return None
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, len(labels), len(labels)) for _ in range(resamples))
    scores = [adjusted_rand_score(labels[rows], groups[rows]) for rows in drawn]
    low, high = np.quantile(scores, [0.025, 0.975])
    return Agreement(
        label,
        len(labels),
        len(np.unique(labels)),
        float(normalized_mutual_info_score(labels, groups)),
        float(adjusted_rand_score(labels, groups)),
        (float(low), float(high)),
    )


def stability(
    vectors: np.ndarray,
    groups: np.ndarray,
    method: Method,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[float, float, float]:
    """Whether the groups come again: mean ARI, lowest and highest, over bootstrap samples.

    Each sample of the rows is grouped anew; what it says of its rows is compared with the groups
    of all rows (Hennig, *Cluster-wise assessment of cluster stability*, 2007). Below 0.6 or so,
    groups depend on which rows happened to be there.

    Args:
        vectors: ``(N, D)``.
        groups: ``(N,)`` of all rows.
        method: how they were made.
        draws: how many samples.
        seed: of the samples.
        tell: is told how many are done, and how many there are.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    scores = []
    k = max(int(groups.max(initial=0)) + 1, 1)
    for number in range(draws):
        drawn = np.unique(rng.integers(0, len(vectors), min(len(vectors), 2 * MOST_JUDGED)))
        again = group(vectors[drawn], min(k, len(drawn)), method, seed=seed + number)
        scores.append(adjusted_rand_score(groups[drawn], again))
        tell(number + 1, draws)
    return float(np.mean(scores)), float(np.min(scores)), float(np.max(scores))
