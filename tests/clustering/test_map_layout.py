import sys

import numpy as np
import pytest

from polymodal.clustering.map_layout import lay_out


def test_without_umap_it_is_t_sne(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(2, 60) * 20, 30, axis=0) + rng.standard_normal((60, 60))
    places, made_by = lay_out(vectors)
    assert made_by == "t-SNE" and places.shape == (60, 2)
    assert places.min() == 0 and places.max() == 1
    first, second = places[:30].mean(0), places[30:].mean(0)
    assert np.linalg.norm(first - second) > 2 * np.linalg.norm(places[:30] - first, axis=1).mean()


def test_few_or_equal_rows_lie_on_a_line() -> None:
    assert lay_out(np.zeros((9, 3)))[1] == "a line"
    assert lay_out(np.ones((1, 3)))[0].shape == (1, 2)


@pytest.mark.slow
def test_umap_keeps_neighbours() -> None:
    rng = np.random.default_rng(0)
    vectors = np.repeat(np.eye(2, 5) * 20, 40, axis=0) + rng.standard_normal((80, 5))
    places, made_by = lay_out(vectors)
    assert made_by == "UMAP" and np.isfinite(places).all()
    first, second = places[:40].mean(0), places[40:].mean(0)
    assert np.linalg.norm(first - second) > np.linalg.norm(places[:40] - first, axis=1).mean()
