from decimal import Decimal

import numpy as np
import pytest

from polymodal.data.modalities import Number
from polymodal.data.modalities.number import to_numbers
from polymodal.data.summary import summarise
from polymodal.errors import CellError


@pytest.mark.parametrize(
    ("cell", "value"),
    [(3, 3.0), ("3.5", 3.5), ("1,234,567.5", 1234567.5), (" -12 ", -12.0), ("1e3", 1000.0),
     (True, 1.0), (np.int8(4), 4.0), (Decimal("2.5"), 2.5), ("-1,000", -1000.0)],
)  # fmt: skip
def test_readable(cell, value):
    assert Number().decode(cell) == np.float32(value)


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("3,5", "not a number"), ("1,23", "not a number"), ("2020_01", "not a number"),
     ("x", "not a number"), ([1], "not a number"), (np.zeros(1), "not a number"),
     ("inf", "infinite number"), (float("-inf"), "infinite number"), (1e39, "infinite number"),
     (10**400, "infinite number"), ("nan", "infinite number")],
)  # fmt: skip
def test_refused(cell, kind):
    with pytest.raises(CellError) as error:
        Number().decode(cell)
    assert error.value.kind == kind


def test_centre_and_scale():
    number = Number()
    number.fit([1, "3", "x", float("inf")])
    assert (number.center, number.scale, number.log) == (2.0, 1.0, False)
    constant = Number()
    constant.fit([5, 5])
    assert (constant.center, constant.scale) == (5.0, 1.0)


def test_a_long_upper_tail_is_read_on_a_log_scale():
    number = Number()
    number.fit(np.exp(np.random.default_rng(0).normal(10, 1, 500)).tolist())
    assert number.log and abs(number.center - 10) < 0.2 and abs(number.scale - 1) < 0.1
    with_nought = Number()
    with_nought.fit([0.0, *np.exp(np.random.default_rng(0).normal(0, 1, 500))])
    assert not with_nought.log


def test_logarithms_need_positive_numbers():
    with pytest.raises(CellError, match="no logarithm"):
        Number(scale="log").decode(0)


def test_recognised():
    assert Number.recognise(summarise("a", ["1,000", "2.5", "3"])) == 0.75
    assert Number.recognise(summarise("a", ["3,5", "4,5", "6,25"])) == 0
    assert Number.recognise(summarise("a", [True, False])) == 0


def test_to_numbers():
    found = to_numbers(["1,000", None, "x", float("inf"), 2])
    assert np.array_equal(found, [1000, np.nan, np.nan, np.nan, 2], equal_nan=True)
