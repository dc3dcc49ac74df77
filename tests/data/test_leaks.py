import numpy as np
import pytest

from polymodal.data.leaks import find_leaks, find_missing_targets, find_shared_rows
from polymodal.data.schema import infer_schema
from polymodal.data.table import Table


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(0)


def leaks(columns, target="y"):
    table = Table.read(columns)
    return {f.column: f for f in find_leaks(table, infer_schema(table, [target]))}


def test_the_target_under_another_name_is_found(rng):
    y = rng.choice(["cat", "dog", "cow"], 120)
    finer = np.array([f"{name} {i % 3}" for i, name in enumerate(y)])
    found = leaks(
        {
            "y": y.tolist(),
            "chinese": [{"cat": "猫", "dog": "狗", "cow": "牛"}[name] for name in y],
            "finer": finer.tolist(),
            "number": [{"cat": 3, "dog": 7, "cow": 1}[name] for name in y],
            "honest": rng.choice(["u", "v", "w"], 120).tolist(),
            "size": rng.normal(size=120).tolist(),
        }
    )
    assert set(found) == {"chinese", "finer", "number"}
    assert found["chinese"].severity == "error" and found["chinese"].count == 120


def test_only_known_rows_count_and_are_named():
    y = ["a", "b"] * 30
    told = [None, None, *({"a": "x", "b": "z"}[v] for v in y[2:])]
    assert leaks({"y": y, "told": told})["told"].rows.tolist() == list(range(2, 60))
    told[10] = "z"
    assert not leaks({"y": y, "told": told})


def test_a_number_that_orders_rows_as_the_target_does(rng):
    y = rng.gamma(2, 100, 80)
    near = y + rng.normal(0, 20, 80)
    found = leaks({"y": y, "log": np.log(y), "cents": -100 * y, "near": near})
    assert set(found) == {"log", "cents"}


def test_few_rows_prove_nothing():
    assert not leaks({"y": ["a", "b"] * 10, "x": ["u", "v"] * 10})


def test_cells_and_rows_that_stand_in_two_parts():
    photos = ["1.png", "2.png", "3.png", "1.png", None, None]
    table = Table.read({"photo": photos, "y": ["a", "b", "a", "b", "a", "a"]})
    parts = np.array(["train", "train", "test", "test", "train", "test"])
    findings = find_shared_rows(table, infer_schema(table, ["y"]), parts)
    assert [(f.column, f.rows.tolist()) for f in findings] == [("photo", [3]), ("", [3])]


@pytest.mark.parametrize("wrap", [lambda b: b, lambda b: {"bytes": b, "path": None}])
def test_pictures_as_bytes_are_compared_too(wrap):
    blobs = [wrap(b"\x89PNG" + bytes([i])) for i in (1, 2, 1, 3)]
    table = Table.read({"photo": blobs, "y": ["a", "b", "a", "b"]})
    parts = np.array(["train", "train", "test", "test"])
    findings = find_shared_rows(table, infer_schema(table, ["y"]), parts)
    assert [(f.severity, f.rows.tolist()) for f in findings] == [
        ("warning", [2]), ("warning", [2]), ("note", [2]),
    ]  # fmt: skip


def test_missing_targets():
    table = Table.read({"x": [1.5, 2.5, 3.5], "y": ["a", None, "b"]})
    (finding,) = find_missing_targets(table, infer_schema(table, ["y"]))
    assert finding.rows.tolist() == [1] and finding.severity == "note"
