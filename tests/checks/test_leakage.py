import sys

import numpy as np
import pytest
from subjects import by_column, classes, subject

from polymodal.checks import check
from polymodal.checks.drift import find_drift
from polymodal.checks.label_errors import find_label_errors
from polymodal.checks.leakage import find_id_columns, find_leaking_columns, find_torn_groups
from polymodal.checks.outliers import find_unusual_cells, strangeness

COUNT = 200


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_column_that_nearly_tells_the_target(rng):
    y = rng.choice(["a", "b", "c"], COUNT).tolist()
    told = [{"a": "u", "b": "v", "c": "w"}[v] for v in y]
    told[5] = "u" if told[5] != "u" else "v"
    looked_at = subject({"told": told, "x": rng.normal(size=COUNT).tolist(), "y": y})
    assert set(by_column(find_leaking_columns(looked_at), "leaking_column")) == {"told"}


def test_a_number_that_nearly_orders_a_number(rng):
    y = rng.gamma(2, 100, COUNT)
    near, far = y * 2 + rng.normal(0, 1, COUNT), y + rng.normal(0, 90, COUNT)
    looked_at = subject({"near": near.tolist(), "far": far.tolist(), "y": y.tolist()})
    assert set(by_column(find_leaking_columns(looked_at), "leaking_column")) == {"near"}


def test_numbers_of_rows(rng):
    numbers = (7000 + rng.permutation(COUNT)).tolist()
    years = rng.integers(1900, 2020, COUNT).tolist()
    looked_at = subject({"code": numbers, "year": years, "y": classes(rng, COUNT)})
    assert set(by_column(find_id_columns(looked_at), "id_column")) == {"code"}


def test_a_person_in_two_parts(rng):
    columns = {
        "person": [f"p{i % 20}" for i in range(COUNT)],
        "x": rng.normal(size=COUNT).tolist(),
        "split": ["test" if i % 20 == 3 and i < 100 else "train" for i in range(COUNT)],
        "y": classes(rng, COUNT),
    }
    found = find_torn_groups(subject(columns))
    assert by_column(found, "group_in_two_parts") == {"person": list(range(3, COUNT, 20))}


def test_parts_that_differ(rng):
    parts = ["train"] * 120 + ["test"] * 80
    moved = np.concatenate([rng.normal(size=120), rng.normal(2, 1, 80)])
    columns = {
        "moved": moved.tolist(),
        "same": rng.normal(size=COUNT).tolist(),
        "y": classes(rng, COUNT),
    }
    found = find_drift(subject({**columns, "split": parts}))
    assert set(by_column(found, "drift")) == {"moved"} and "95 % interval" in found[0].what
    assert not find_drift(subject(columns))  # drawn at random


def labelled(rng):
    y = rng.integers(0, 3, COUNT)
    columns = {f"x{i}": (3.0 * (y == i) + rng.normal(0, 0.4, COUNT)).tolist() for i in range(3)}
    labels = np.array(["ant", "bee", "fly"])[y]
    for row in (7, 70, 150):
        labels[row] = "ant" if labels[row] != "ant" else "bee"
    return subject({**columns, "y": labels.tolist()}), np.array(["ant", "bee", "fly"])[y]


def test_wrong_labels(rng):
    looked_at, truth = labelled(rng)
    (found,) = find_label_errors(looked_at)
    assert sorted(found.rows.tolist()) == [7, 70, 150]
    assert all(found.values[str(row)] == truth[row] for row in (7, 70, 150))
    assert found.remarks[7].startswith("says ")


def test_wrong_labels_without_the_extra(rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    looked_at, _ = labelled(rng)
    (found,) = find_label_errors(looked_at)
    assert found.kind == "not_checked" and "polymodal[clean]" in found.why


def test_labels_that_cannot_be_told_are_not_judged(rng):
    columns = {"x": rng.normal(size=COUNT).tolist(), "y": classes(rng, COUNT)}
    (found,) = find_label_errors(subject(columns))
    assert found.kind == "not_checked"


def test_what_is_unlike_all_others(rng):
    features = rng.normal(size=(300, 12))
    features[17] += 9
    assert strangeness(features).argmax() == 17
    vectors = [row.tolist() for row in features]
    found = find_unusual_cells(subject({"v": vectors, "y": classes(rng, 300)}))
    assert by_column(found, "unusual_row")["v"][0] == 17 or 17 in found[0].rows


def test_an_honest_table_has_no_error_and_the_worst_comes_first(rng):
    columns = {"x": rng.normal(size=COUNT).tolist(), "c": rng.choice(["u", "v"], COUNT).tolist()}
    columns["x"][3] = 9000.0
    found = check(subject({**columns, "y": classes(rng, COUNT)}), labels=False)
    assert [f.severity for f in found] == ["warning"] and found[0].kind == "outlier"
