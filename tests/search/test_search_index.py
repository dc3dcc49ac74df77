import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polymodal.data.table import Table
from polymodal.errors import PolymodalError, RunError, TableError
from polymodal.predictor import Predictor
from polymodal.search import row_writer, search_index
from polymodal.search.result_view import result_page
from polymodal.search.row_writer import Added
from polymodal.search.search_index import SearchIndex
from polymodal.search.stored_rows import ROW, digests_of, field_names, keys_of
from small_table import ROWS, only

Rows = list[dict[str, Any]]
GOOD = 40  # a row with every cell whole


@pytest.fixture(scope="module")
def built(whole_run: Path, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("search") / "index"
    SearchIndex.build(whole_run, small_folder / "table.csv", place)
    return place


@pytest.fixture
def index(built: Path, tmp_path: Path) -> SearchIndex:
    """A copy of its own."""
    shutil.copytree(built, tmp_path / "index")
    return SearchIndex.open(tmp_path / "index")


@pytest.fixture(scope="module")
def aligned_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from polymodal.experiment import fit

    out = tmp_path_factory.mktemp("runs") / "aligned"
    recipe = only("photo", "sound", "says", train={"epochs": 2}) | {"objective": {"name": "align"}}
    fit(small_folder / "table.csv", recipe=recipe, out=out)
    return out


def test_what_was_put_in_is_found(index: SearchIndex, small_rows: Rows) -> None:
    assert len(index) == ROWS
    assert index.columns["photo"] == "image" and index.columns["says"] == "text"
    row = small_rows[GOOD]
    for column in ("photo", "sound", "says"):
        found = index.search({column: row[column]}, k=3)
        assert found.within == [column] and found.hits[0].score == pytest.approx(1, abs=1e-4)
        scores = [hit.score for hit in found.hits]
        assert scores == sorted(scores, reverse=True) and len(scores) == 3
    assert found.hits[0].row["says"] == row["says"]
    assert found.hits[0].thumbnail is not None
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_bytes_ask_like_paths(index: SearchIndex, small_rows: Rows) -> None:
    path = small_rows[GOOD]["photo"]
    by_path = index.search({"photo": path}, k=5)
    by_bytes = index.search({"photo": Path(path).read_bytes()}, k=5)
    assert [hit.key for hit in by_path.hits] == [hit.key for hit in by_bytes.hits]


def test_a_whole_row_asks_among_whole_rows(index: SearchIndex, small_rows: Rows) -> None:
    found = index.search({ROW: small_rows[GOOD]}, k=1)
    assert found.hits[0].row["says"] == small_rows[GOOD]["says"]
    assert found.hits[0].score == pytest.approx(1, abs=1e-4)
    part = {"photo": small_rows[GOOD]["photo"], "says": small_rows[GOOD]["says"]}
    assert index.search(part, within=ROW, k=1).within == [ROW]


def test_several_cells_ask_by_their_weights(index: SearchIndex, small_rows: Rows) -> None:
    one, other = small_rows[GOOD], small_rows[GOOD + 1]
    asked = {"photo": one["photo"], "says": other["says"]}
    cosines = {
        name: defaultdict(float, {h.key: h.score for h in index.search({name: c}, k=ROWS).hits})
        for name, c in asked.items()
    }
    near = {hit.key for name in asked for hit in index.search({name: asked[name]}, k=50).hits}
    expected = {key: (3 * cosines["photo"][key] + cosines["says"][key]) / 4 for key in near}
    both = index.search(asked, weights={"photo": 3.0}, k=10).hits
    assert [hit.score for hit in both] == pytest.approx(
        sorted(expected.values(), reverse=True)[:10], abs=1e-4
    )


def test_filters_and_words(index: SearchIndex, small_rows: Rows) -> None:
    found = index.search({"photo": small_rows[GOOD]["photo"]}, where="price < 55", k=20)
    assert all(hit.row["price"] < 55 for hit in found.hits) and len(found.hits) == 20
    words = index.search(words="偶数", k=5)
    assert len(words.hits) == 5 and all("偶数" in hit.row["says"] for hit in words.hits)
    both = index.search({"says": small_rows[GOOD + 1]["says"]}, words="这是", k=5)
    assert any("words" in hit.places and "vectors" in hit.places for hit in both.hits)
    ranked = index.search({"says": small_rows[GOOD]["says"]}, rerank=True, k=5)
    assert [h.score for h in ranked.hits] == sorted((h.score for h in ranked.hits), reverse=True)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "Nothing is asked. Columns that may ask: photo"),
        ({"cells": {"phto": "x"}}, "no column 'phto'.*Did you mean 'photo'"),
        ({"cells": {"photo": "nowhere.png"}}, "cannot be read as 'photo'"),
        ({"cells": {"says": "a"}, "within": "photo"}, "did not learn to compare"),
        ({"cells": {"says": "a"}, "within": "nothing"}, "No vectors are kept of 'nothing'"),
        ({"cells": {"says": "a"}, "weights": {"photo": 1}}, "no weight 'photo'"),
        ({"cells": {"says": "a"}, "k": 0}, "ask for at least one"),
        ({"words": "a", "rerank": True}, "Words alone"),
    ],
)
def test_what_cannot_be_asked_is_said(
    index: SearchIndex, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(PolymodalError, match=message):
        index.search(**asked)


def test_rows_are_added_updated_and_removed(
    whole_run: Path, small_rows: Rows, tmp_path: Path
) -> None:
    rows = [{**row, "name": f"row {i}"} for i, row in enumerate(small_rows[:30])]
    index = SearchIndex.build(whole_run, rows, tmp_path / "i", key="name")
    assert index.add(rows) == Added(0, 0, 30)
    changed = [{**rows[20], "says": "纯属新句子"}, {**rows[21], "name": "a new one"}]
    assert index.add(changed) == Added(1, 1, 0)
    assert len(index) == 31
    assert index.search({"says": "纯属新句子"}, k=1).hits[0].key == "row 20"
    assert index.search(words="新句子", k=1).hits[0].key == "row 20"
    assert index.delete(["row 20", "nobody"]) == 1
    assert {hit.key for hit in index.search(words="新句子", k=3).hits} == set()
    with pytest.raises(TableError, match="more than once: 'row 1' in rows"):
        index.add([rows[1], rows[1]])
    with pytest.raises(TableError, match="no column 'sound'"):
        index.add([{name: cell for name, cell in rows[0].items() if name != "sound"}])


def test_another_model_is_refused(index: SearchIndex, ink_run: Path) -> None:
    with pytest.raises(RunError, match=r"made by another model.*--replace"):
        SearchIndex.open(index.store.place, predictor=Predictor.load(ink_run))


def test_an_index_is_not_overwritten_unasked(
    index: SearchIndex, whole_run: Path, small_rows: Rows
) -> None:
    with pytest.raises(PolymodalError, match="There is an index in"):
        SearchIndex.build(whole_run, small_rows, index.store.place)


def test_readers_go_on_while_an_index_is_replaced(
    index: SearchIndex, whole_run: Path, small_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "SECONDS_BETWEEN_LOOKS", 0.0)
    asked = {"says": small_rows[GOOD]["says"]}
    during = []

    def tell(stage: str, done: int, total: int) -> None:
        during.append(len(index.search(asked, k=3).hits) + len(index))

    SearchIndex.build(whole_run, small_rows[:50], index.store.place, replace=True, tell=tell)
    assert during and set(during) == {3 + ROWS}
    assert len(index.search(asked, k=100).hits) == 49  # it has looked again; one says nothing


def test_an_interrupted_build_opens_and_goes_on(
    whole_run: Path, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_writer, "ROWS_AT_ONCE", 50)
    table = small_folder / "table.csv"

    def stop(stage: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        SearchIndex.build(whole_run, table, tmp_path / "i", tell=stop)
    index = SearchIndex.open(tmp_path / "i")
    assert len(index) == 50 and not index.about.whole
    assert index.add(table) == Added(ROWS - 50, 0, 50)
    assert SearchIndex.open(tmp_path / "i").about.whole and len(index) == ROWS
    assert index.search(words="偶数", k=1).hits


def test_where_columns_are_aligned_any_asks_for_any(
    aligned_run: Path, small_folder: Path, small_rows: Rows, tmp_path: Path
) -> None:
    index = SearchIndex.build(aligned_run, small_folder / "table.csv", tmp_path / "i")
    assert index.about.aligned
    run, row = index.predictor, small_rows[GOOD]
    found = index.search({"says": row["says"]}, within="photo", k=5)
    asked = run.embed([{"says": row["says"]}], "says")[0]
    photos = run.embed(small_rows, "photo")
    best = np.sort(photos @ asked)[::-1][:5]
    assert [hit.score for hit in found.hits] == pytest.approx(best.tolist(), abs=1e-4)
    both = index.search({"says": row["says"], "photo": row["photo"]}, weights={"photo": -1}, k=1)
    whole = asked - run.embed([{"photo": row["photo"]}], "photo")[0]
    rows = run.embed(small_rows)
    assert both.hits[0].score == pytest.approx(
        float((rows @ whole).max() / np.linalg.norm(whole)), abs=1e-4
    )
    assert index.column_for("text", "x") == "says"
    with pytest.raises(PolymodalError, match="No column of this index asks with video"):
        index.column_for("video")


def test_the_page_shows_and_plays(index: SearchIndex, small_rows: Rows) -> None:
    found = index.search({"photo": small_rows[GOOD]["photo"]}, words="偶数", k=4)
    html = result_page(index, found, command="polymodal search x")
    assert html.count('<li class="example">') == 4
    assert html.count("<audio") >= 3 and "data:image/png" in html
    assert "http://" not in html and "https://" not in html


def test_an_index_of_vectors_is_measured_and_used(
    whole_run: Path,
    small_folder: Path,
    small_rows: Rows,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search_index, "INDEX_FROM", 50)
    table = small_folder / "table.csv"
    index = SearchIndex.build(whole_run, table, tmp_path / "i", columns=["says"])
    assert set(index.about.measured) == {ROW, "says"}
    assert index.about.measured["says"]["chosen"]["recall"] >= 0.97
    found = index.search({"says": small_rows[GOOD]["says"]}, k=1)
    assert found.hits[0].row["says"] == small_rows[GOOD]["says"]
    assert "(used)" in result_page(index, found)


def test_keys_and_names(tmp_path: Path) -> None:
    rows = Table.read([{"a": 1, "b": "x"}, {"a": 1, "b": "x"}, {"a": 2, "b": "x"}])
    keys = keys_of(rows, None)
    assert len(set(keys)) == 3 and keys[1] == f"{keys[0]}-1"
    with pytest.raises(TableError, match="more than once: '1' in rows \\[0, 1\\]"):
        keys_of(rows, "a")
    with pytest.raises(TableError, match="row 1 has none"):
        keys_of(Table.read([{"a": "1"}, {"a": None}]), "a")
    with pytest.raises(TableError, match="rename one"):
        field_names(["a.b", "a_b"])
    (tmp_path / "p.png").write_bytes(b"1")
    media = Table.read([{"p": "p.png"}], folder=tmp_path)
    before = digests_of(media)
    (tmp_path / "p.png").write_bytes(b"22")
    assert digests_of(media) != before
    assert keys_of(media, None) == keys_of(media, None)
