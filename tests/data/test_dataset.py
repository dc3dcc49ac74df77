import numpy as np
import pytest

from polymodal.data.dataset import fit_modalities, prepare
from polymodal.data.modalities import Category, Number
from polymodal.data.table import Table
from polymodal.errors import SchemaError


def columns(rows=60):
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=rows).tolist(),
        "kind": rng.choice(["u", "v", "w"], rows).tolist(),
        "y": ["a", "b"] * (rows // 2),
    }


def test_rows_without_a_target_belong_to_no_part():
    content = columns()
    content["y"][:10] = [None] * 10
    dataset = prepare(Table.read(content), ["y"])
    rows = np.concatenate([dataset.rows(p) for p in ("train", "validation", "test")])
    assert sorted(rows) == list(range(10, 60))
    assert [f.column for f in dataset.findings] == ["y"]


def test_a_leak_is_left_out_unless_it_is_asked_for():
    content = columns() | {"label_zh": ["甲", "乙"] * 30}
    table = Table.read(content)
    dataset = prepare(table, ["y"])
    assert dataset.schema["label_zh"].role == "ignored"
    assert "gives the target away" in dataset.schema["label_zh"].reason
    assert "label_zh" in prepare(table, ["y"], roles={"label_zh": "input"}).schema.inputs
    assert "label_zh" in prepare(table, ["y"], inputs=["x", "label_zh"]).schema.inputs
    assert "label_zh" in prepare(table, ["y"], drop_leaks=False).schema.inputs


def test_a_table_of_its_own_for_validation_and_test():
    given = {"validation": Table.read(columns(10)), "test": Table.read(columns(20))}
    dataset = prepare(Table.read(columns()), ["y"], given=given)
    assert [len(dataset.rows(p)) for p in ("train", "validation", "test")] == [60, 10, 20]
    assert not any(f.severity == "warning" and "lacks" in f.what for f in dataset.findings)


def test_a_given_table_that_lacks_columns():
    test = {name: cells for name, cells in columns(20).items() if name != "kind"}
    dataset = prepare(Table.read(columns()), ["y"], given={"test": Table.read(test)})
    assert any("lacks 'kind'" in f.what for f in dataset.findings)
    assert [len(dataset.rows(p)) for p in ("validation", "test")] == [6, 20]
    del test["y"]
    with pytest.raises(SchemaError, match=r"lacks \['y'\]"):
        prepare(Table.read(columns()), ["y"], given={"test": Table.read(test)})


def test_no_input_is_left():
    with pytest.raises(SchemaError, match=r"No column is left as input.*id \(a key"):
        prepare(Table.read({"id": list(range(40)), "y": ["a", "b"] * 20}), ["y"])


def test_a_split_column_that_is_named():
    content = columns() | {"use": ["train"] * 30 + ["val"] * 10 + ["test"] * 20}
    dataset = prepare(Table.read(content), ["y"], split={"column": "use"})
    assert [len(dataset.rows(p)) for p in ("train", "validation", "test")] == [30, 10, 20]


def test_modalities_learn_from_the_training_part_only():
    content = columns() | {"split": ["train"] * 40 + ["val"] * 10 + ["test"] * 10}
    content["kind"][55] = "never in training"
    content["x"][:40] = [1.0, 3.0] * 20
    dataset = prepare(Table.read(content), ["y"])
    modalities = {"x": Number(), "kind": Category(), "y": Category()}
    fit_modalities(dataset, modalities)
    assert modalities["kind"].labels == ["u", "v", "w"]
    assert (modalities["x"].center, modalities["x"].scale) == (2.0, 1.0)


def test_a_target_that_is_constant_in_training():
    content = columns() | {"split": ["train"] * 40 + ["val"] * 10 + ["test"] * 10}
    content["y"] = ["a"] * 40 + ["b"] * 20
    dataset = prepare(Table.read(content), ["y"])
    with pytest.raises(SchemaError, match="fewer than two values in the training part"):
        fit_modalities(dataset, {"x": Number(), "kind": Category(), "y": Category()})
