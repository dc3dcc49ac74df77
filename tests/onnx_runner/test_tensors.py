"""Cells to tensors, by hand."""

from pathlib import Path

import numpy as np
import pytest

from polymodal.data.modalities import Category, Number, Text
from polymodal.errors import SchemaError, TableError
from polymodal.onnx_runner.description import Column, TensorSpec
from polymodal.onnx_runner.tensors import InputColumn


def spec(name: str) -> TensorSpec:
    return TensorSpec(name, "", (), "")


def number(source: str = "") -> InputColumn:
    modality = Number()
    modality.fit([1.0, 2.0, 3.0])
    tensors = {"values": spec("a"), "present": spec("a.present")}
    return InputColumn(Column("a", "number", {}, modality.state(), tensors, source=source))


def text(shortest: int = 2) -> InputColumn:
    modality = Text(vocabulary=300)
    modality.fit(["one two three", "one", "two"])
    names = {part: spec(f"t.{part}") for part in ("values", "present", "mask")}
    state = modality.state() | {"max_tokens": 2}
    return InputColumn(Column("t", "text", {}, state, names, shortest=shortest))


def decoded(column: InputColumn, rows: list[dict[str, object]], **options: object):
    settings = {"folder": Path(), "broken": "treat_as_missing", "first": 0} | options
    return column.decode(rows, **settings)


def test_numbers_are_stacked_and_absent_ones_are_nought() -> None:
    column = number()
    cells = decoded(column, [{"a": 2.5}, {"a": None}, {}, {"a": "1"}, {"a": float("nan")}])
    made = column.tensors(cells.arrays)
    assert made["a.present"].tolist() == [True, False, False, True, False]
    assert made["a"].tolist() == [2.5, 0, 0, 1, 0]
    assert not cells.broken


def test_texts_are_cut_filled_up_and_masked() -> None:
    column = text()
    made = column.tensors(decoded(column, [{"t": "one"}, {"t": ""}, {"t": "one two two"}]).arrays)
    assert made["t.values"].shape == (3, 2) and made["t.values"].dtype == np.int32
    assert made["t.present"].tolist() == [True, False, True]
    assert made["t.mask"].tolist() == [[True, False], [True, False], [True, True]]
    assert made["t.values"][1].tolist() == [0, 0]
    long = text(shortest=5)
    assert long.tensors(decoded(long, [{"t": "one"}]).arrays)["t.mask"].shape == (1, 5)


def test_a_broken_cell_is_told_of_or_an_error() -> None:
    column = number()
    assert list(decoded(column, [{"a": 1.0}, {"a": "many"}]).broken) == [1]
    with pytest.raises(SchemaError, match=r"Column 'a', row 41: .*'many'"):
        decoded(column, [{"a": 1.0}, {"a": "many"}], broken="error", first=40)


def test_a_cell_may_be_made_of_other_columns() -> None:
    column = number(source="{b}{c}")
    assert decoded(column, [{"b": 1, "c": 2.0}, {"b": 1}]).arrays[0] == 12
    assert decoded(column, [{"b": 1}]).arrays == [None]
    assert decoded(column, [{"a": 7}]).arrays[0] == 7


def test_a_name_that_is_almost_right_is_an_error() -> None:
    with pytest.raises(TableError, match="Did you mean 'ab'"):
        number().check_known([{"ab": 1}])
    number().check_known([{"something": 1}])
    number().check_known([{"ab": 1}, {"a": 2}])


def test_an_unseen_category_is_missing() -> None:
    modality = Category()
    modality.fit(["x", "y"])
    tensors = {"values": spec("k"), "present": spec("k.present")}
    column = InputColumn(Column("k", "category", {}, modality.state(), tensors))
    assert decoded(column, [{"k": "z"}, {"k": "y"}]).arrays == [None, np.array(1)]
