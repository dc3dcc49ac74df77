import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymodal.clustering.cluster_view import cluster_page
from polymodal.clustering.clustering import cluster
from polymodal.clustering.row_vectors import text_features, vectors_by_hand
from polymodal.errors import PolymodalError
from polymodal.predictor import Predictor
from small_table import ROWS

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _without_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes half a minute to load."""
    import sys

    monkeypatch.setitem(sys.modules, "umap", None)


def test_a_table_alone_is_grouped_by_hand_made_features(small_rows: Rows) -> None:
    rows = [{"photo": r["photo"], "says": r["says"], "digit": r["digit"]} for r in small_rows]
    found = cluster(rows, k=4, columns=["photo"], labels=["digit"])
    assert found.vectors.by_model is False and "hand-made" in found.vectors.made_by
    assert found.agreements[0].ari > 0.5  # digits 0 to 3 differ on the surface
    assert found.alone == [] and found.stability is not None
    rows_of = found.members(0)
    assert np.all(np.diff(found.distance[rows_of]) >= 0)
    assert [found.size(i) for i in range(4)] == sorted(map(found.size, range(4)), reverse=True)


def test_labels_do_not_count(small_rows: Rows) -> None:
    rows = [{"ink": r["ink"], "hand": r["hand"], "digit": r["digit"]} for r in small_rows]
    found = vectors_by_hand(rows, without=["digit"])
    assert set(found.columns) == {"ink", "hand"}
    with pytest.raises(PolymodalError, match="cannot be compared by 'digit'"):
        vectors_by_hand(rows, ["digit"], without=["digit"])


@pytest.mark.slow
def test_a_run_groups_by_its_vectors(whole: Predictor, small_folder: Path) -> None:
    found = cluster(small_folder / "table.csv", whole, k=4, stable=False)
    assert found.vectors.by_model and found.stability is None
    assert [one.label for one in found.agreements] == whole.targets
    assert {one.compared_by for one in found.alone} == set(whole.embeds)
    assert len(found.to_table()) == ROWS
    assert found.to_table().column_names == ["row", "cluster", "name", "distance"]


def test_the_same_seed_gives_the_same_groups(small_rows: Rows) -> None:
    rows = [{"photo": r["photo"]} for r in small_rows]
    first, again = (cluster(rows, stable=False, seed=3) for _ in range(2))
    assert np.array_equal(first.groups, again.groups) and first.tried == again.tried
    assert len(first) == max(first.tried, key=lambda k: first.tried[k])


def test_texts_of_the_same_words_are_near() -> None:
    said = ["red bus", "red bus drives", "蓝色的大海", "蓝色大海边", None] * 4
    found = text_features(said)
    assert not found[4].any()
    unit = found[:4] / np.linalg.norm(found[:4], axis=1, keepdims=True)
    foreign = unit[0] @ unit[2]
    assert unit[0] @ unit[1] > foreign + 0.5 and unit[2] @ unit[3] > foreign + 0.5
    assert text_features(["a", "b", None]).shape == (3, 1)


@pytest.mark.slow
def test_the_page_holds_map_and_groups(whole: Predictor, small_folder: Path) -> None:
    found = cluster(small_folder / "table.csv", whole, k=3)
    html = cluster_page(found, title="t", command="c", tell=lambda *told: None)
    points = json.loads(re.search(r'id="points">(.*?)</script>', html, re.S)[1])  # type: ignore[index]
    assert len(points["x"]) == ROWS == len(points["words"]) and set(points["group"]) == {0, 1, 2}
    assert max(points["picture"]) == len(points["pictures"]) - 1
    assert html.count('class="card group"') == 3
    assert "ARI with digit" in html and "alone" in html
    assert "http://" not in html and "https://" not in html


def test_wrong_questions_are_answered(small_rows: Rows) -> None:
    with pytest.raises(PolymodalError, match="no method 'x'"):
        cluster(small_rows, method="x")  # type: ignore[arg-type]
    with pytest.raises(PolymodalError, match="no column 'nothing'"):
        cluster(small_rows, labels=["nothing"])
    with pytest.raises(PolymodalError, match="HDBSCAN found no group"):
        rng = np.random.default_rng(0)
        cluster([{"a": float(x)} for x in rng.uniform(size=12)], method="hdbscan")
