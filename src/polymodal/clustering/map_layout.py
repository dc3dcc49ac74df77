"""A map of rows: each a point in the plane, near to those that it is like."""

from __future__ import annotations

import warnings

import numpy as np

NEIGHBOURS = 15
FEWEST = 5
WIDE = 50


def lay_out(vectors: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, str]:
    """Places ``(N, 2)`` from 0 to 1, and what made them: UMAP, or t-SNE where it is not installed.

    Only neighbourhoods mean something on such a map: not distances between groups, nor their
    sizes (McInnes et al., *UMAP*, 2018; van der Maaten & Hinton, *Visualizing data using t-SNE*,
    2008).

    Args:
        vectors: ``(N, D)``.
        seed: of the layout.
    """
    if len(vectors) < FEWEST or not np.ptp(vectors, axis=0).any():
        spread = np.linspace(0.1, 0.9, max(len(vectors), 1))[: len(vectors)]
        return np.stack([spread, np.full(len(vectors), 0.5)], 1), "a line"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on threads and seeds
        try:
            places, made_by = _umap(vectors, seed), "UMAP"
        except ImportError:
            places, made_by = _tsne(vectors, seed), "t-SNE"
    low, high = places.min(0), places.max(0)
    return (places - low) / np.maximum(high - low, 1e-12), made_by


def _umap(vectors: np.ndarray, seed: int) -> np.ndarray:
    from umap import UMAP

    near = min(NEIGHBOURS, len(vectors) - 1)
    start = "spectral" if len(vectors) > 4 * NEIGHBOURS else "random"
    made = UMAP(n_neighbors=near, min_dist=0.1, random_state=seed, init=start, n_jobs=1)
    return np.asarray(made.fit_transform(vectors.astype(np.float32)), np.float64)


def _tsne(vectors: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if vectors.shape[1] > WIDE and len(vectors) > WIDE:
        vectors = PCA(WIDE, random_state=seed).fit_transform(vectors)
    near = min(30.0, (len(vectors) - 1) / 3)
    start = "pca" if min(vectors.shape) > 1 else "random"
    made = TSNE(perplexity=near, init=start, random_state=seed)
    return np.asarray(made.fit_transform(vectors), np.float64)
