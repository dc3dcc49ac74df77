import numpy as np
import pytest

from polymodal.clustering.grouping import by_size, choose_k, distances, group, silhouette
from polymodal.errors import PolymodalError


def blobs(count: int = 3, size: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), size)
    return 10 * np.eye(count, 5)[truth] + rng.standard_normal((len(truth), 5)), truth


@pytest.mark.parametrize("method", ["kmeans", "hdbscan", "spectral"])
def test_groups_far_apart_are_found(method) -> None:
    vectors, truth = blobs()
    found = group(vectors, 3, method)
    there = found >= 0
    pairs = set(zip(found[there].tolist(), truth[there].tolist(), strict=True))
    assert len(pairs) == 3 and there.mean() > 0.8


def test_the_number_is_found() -> None:
    vectors, _ = blobs(4)
    k, tried = choose_k(vectors)
    assert k == 4 and set(tried) == set(range(2, 21)) and max(tried, key=tried.get) == 4


def test_silhouette_and_distances_by_hand() -> None:
    line = np.array([[0.0], [1.0], [10.0], [11.0]])
    groups = np.array([0, 0, 1, 1])
    outer, inner = 1 - 1 / 10.5, 1 - 1 / 9.5
    assert silhouette(line, groups) == pytest.approx((2 * outer + 2 * inner) / 4)
    assert np.isnan(silhouette(line, np.zeros(4, int)))
    assert distances(line, np.array([0, 0, 1, -1])).tolist()[:3] == [0.5, 0.5, 0.0]
    assert by_size(np.array([5, 5, 2, 2, 2, -1])).tolist() == [1, 1, 0, 0, 0, -1]


def test_too_few_and_too_many() -> None:
    with pytest.raises(PolymodalError, match="5 groups of 2 rows"):
        group(np.zeros((2, 1)), 5)
    with pytest.raises(PolymodalError, match="too few"):
        choose_k(np.zeros((3, 1)))
    with pytest.raises(PolymodalError, match="Spectral clustering compares every row"):
        group(np.zeros((5001, 1)), 2, "spectral")
