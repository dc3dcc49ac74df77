from decimal import Decimal

import numpy as np
import pytest

from polymodal.data.modalities import Category
from polymodal.data.summary import summarise
from polymodal.errors import CellError


def fitted(cells, **options):
    category = Category(**options)
    category.fit(cells)
    return category


def test_values_stand_in_their_natural_order():
    assert fitted(["b", "a", " b "]).labels == ["a", "b"]
    assert fitted([10, 9, 2.0]).labels == [2, 9, 10]


def test_the_same_value_in_other_clothes():
    category = fitted([1, 2, 3])
    for cell in (2, 2.0, "2", " 2 ", np.int64(2), Decimal("2")):
        assert category.decode(cell) == 1
    assert fitted([True, False]).decode("True") == 1


def test_unseen_and_rare_values():
    category = fitted(["a", "a", "b"], min_count=2)
    assert category.labels == ["a"]
    for cell in ("b", "z"):
        with pytest.raises(CellError, match="unseen category"):
            category.decode(cell)
    with pytest.raises(CellError, match="not a single value"):
        category.decode(["a"])


@pytest.mark.parametrize(
    ("name", "cells", "found"),
    [
        ("colour", ["red", "blue", "green"] * 10, True),
        ("ok", [True, False] * 10, True),
        ("zipcode", [94110, 94112, 94114] * 5, True),
        ("rooms", [2, 3, 4] * 10, False),
        ("words", [f"w{i}" for i in range(60)], False),
    ],
)
def test_recognised(name, cells, found):
    assert (Category.recognise(summarise(name, cells)) >= 0.5) == found


def test_many_values_are_summarised_by_their_number():
    category = fitted([str(i) for i in range(40)])
    assert category.summarise(np.array(7)).tolist() == [7]
    assert fitted(["a", "b"]).summarise(np.array(1)).tolist() == [0, 1]
