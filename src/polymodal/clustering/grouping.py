"""Ways of putting rows into groups. Letters: N rows · D numbers of a vector · K groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

import numpy as np

from polymodal.errors import PolymodalError

Method = Literal["kmeans", "hdbscan", "spectral"]
METHODS: tuple[Method, ...] = ("kmeans", "hdbscan", "spectral")
MOST_AUTO, MOST_JUDGED = 20, 3000
MOST_SPECTRAL = 5000
FEWEST_OF_GROUP = 5
NEIGHBOURS = 15


def group(vectors: np.ndarray, k: int, method: Method = "kmeans", *, seed: int = 0) -> np.ndarray:
    """The group ``(N,)`` of each row, by size from 0; -1 where a row is in none (HDBSCAN).

    When to choose which: k-means for groups of like size, and many rows; HDBSCAN where the number
    of groups is unknown, and some rows belong to none (Campello et al., 2013); spectral where
    groups are long or bent, up to some thousand rows (Shi & Malik, 2000).

    Args:
        vectors: ``(N, D)``.
        k: K; HDBSCAN takes none.
        method: how.
        seed: of what is drawn.

    Raises:
        PolymodalError: there are fewer rows than groups, or too many for the method.

    Example:
        >>> line = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]])
        >>> group(line, 2).tolist()
        [0, 0, 0, 1, 1]
    """
    if method != "hdbscan" and not 1 <= k <= len(vectors):
        raise PolymodalError(f"{k} groups of {len(vectors)} rows: ask for fewer.")
    if method == "spectral" and len(vectors) > MOST_SPECTRAL:
        raise PolymodalError(
            f"Spectral clustering compares every row with every other: {len(vectors):,} rows are "
            f"too many (at most {MOST_SPECTRAL:,}). Use kmeans or hdbscan."
        )
    return by_size(_group(vectors, k, method, seed))


def choose_k(
    vectors: np.ndarray,
    method: Method = "kmeans",
    *,
    seed: int = 0,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, dict[int, float]]:
    """The number of groups of the best silhouette, and the silhouette of each that was tried.

    Args:
        vectors: ``(N, D)``.
        method: kmeans or spectral.
        seed: of what is drawn.
        tell: is told how many were tried, and how many there are.

    Raises:
        PolymodalError: there are fewer than four rows.
    """
    if len(vectors) < 4:
        raise PolymodalError(f"{len(vectors)} rows are too few to find groups in.")
    rng = np.random.default_rng(seed)
    few = len(vectors) <= MOST_JUDGED
    sample = vectors if few else vectors[rng.choice(len(vectors), MOST_JUDGED, replace=False)]
    most = min(MOST_AUTO, len(sample) // 2)
    tried = {}
    for k in range(2, most + 1):
        tried[k] = silhouette(sample, _group(sample, k, method, seed))
        tell(k - 1, most - 1)
    return max(tried, key=lambda k: tried[k]), tried


def silhouette(vectors: np.ndarray, groups: np.ndarray, *, seed: int = 0) -> float:
    """How much nearer rows are to their own group than to the next one, -1 to 1; NaN for one group.

    Rows in no group are left out; of many rows, 3,000 are drawn (Rousseeuw, 1987).
    """
    from sklearn.metrics import silhouette_score

    there = groups >= 0
    vectors, groups = vectors[there], groups[there]
    if len(vectors) > MOST_JUDGED:
        drawn = np.random.default_rng(seed).choice(len(vectors), MOST_JUDGED, replace=False)
        vectors, groups = vectors[drawn], groups[drawn]
    if not 2 <= len(np.unique(groups)) < len(vectors):
        return float("nan")
    return float(silhouette_score(vectors, groups))


def by_size(groups: np.ndarray) -> np.ndarray:
    """Groups numbered anew, the largest first, of equal ones that of the first row; -1 stays.

    >>> by_size(np.array([4, 7, 7, -1])).tolist()
    [1, 0, 0, -1]
    """
    names, first, counts = np.unique(groups, return_index=True, return_counts=True)
    order = names[np.lexsort((first, -counts))]
    order = order[order >= 0]
    number = {int(name): place for place, name in enumerate(order)}
    return np.array([number.get(int(one), -1) for one in groups], np.int64)


def distances(vectors: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """How far each row ``(N,)`` is from the middle of its group; NaN in none."""
    found = np.full(len(vectors), np.nan)
    for number in range(groups.max(initial=-1) + 1):
        rows = groups == number
        found[rows] = np.linalg.norm(vectors[rows] - vectors[rows].mean(0), axis=1)
    return found


def _group(vectors: np.ndarray, k: int, method: Method, seed: int) -> np.ndarray:
    from sklearn import cluster

    with warnings.catch_warnings():
        # Equal rows make fewer groups than asked, and a graph may fall apart: both show.
        warnings.simplefilter("ignore")
        if method == "kmeans":
            return cluster.KMeans(k, n_init=4, random_state=seed).fit_predict(vectors)
        if method == "spectral":
            near = min(NEIGHBOURS, len(vectors) - 1)
            return cluster.SpectralClustering(
                k, affinity="nearest_neighbors", n_neighbors=near, random_state=seed,
                assign_labels="cluster_qr",
            ).fit_predict(vectors)  # fmt: skip
        least = max(FEWEST_OF_GROUP, len(vectors) // 100)
        made = cluster.HDBSCAN(min_cluster_size=least, min_samples=FEWEST_OF_GROUP, copy=True)
        return made.fit_predict(vectors)
