import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from polymodal.data.media import is_missing
from polymodal.data.summary import summarise


@pytest.mark.parametrize(
    "cell", [None, "", " \n", float("nan"), np.float32("nan"), pd.NA, pd.NaT, [], (),
             np.datetime64("NaT"), {"bytes": None, "path": None}],
)  # fmt: skip
def test_missing(cell):
    assert is_missing(cell)


@pytest.mark.parametrize("cell", [0, False, "0", b"", [None], {"a": 1}, np.zeros(0), float("inf")])
def test_present(cell):
    assert not is_missing(cell)


@pytest.mark.parametrize("wrap", [list, lambda cells: pa.chunked_array([cells])])
def test_counts_are_the_same_for_lists_and_arrow(wrap):
    found = summarise("a", wrap(["x", "y", None, "x", " "]))
    assert (found.rows, found.missing, found.distinct, found.present) == (5, 2, 2, 3)
    assert found.counts == {"x": 2, "y": 1}
    assert found.sample == ["x", "y", "x"]


def test_nan_is_missing_and_infinite_is_not():
    found = summarise("a", pa.chunked_array([[1.0, float("nan"), float("inf")]]))
    assert (found.missing, found.distinct) == (1, 2)


def test_bytes_are_sampled_by_their_start_only():
    blob = b"\x89PNG" + bytes(10_000)
    for column in ([blob], pa.chunked_array([[blob]]), [{"bytes": blob, "path": None}]):
        cell = summarise("a", column).sample[0]
        assert len(cell["bytes"] if isinstance(cell, dict) else cell) == 64


def test_no_present_cell():
    assert summarise("a", [None, ""]).sample == []
    assert summarise("a", pa.chunked_array([pa.nulls(3)])).present == 0


def test_many_values_are_not_counted_one_by_one():
    assert summarise("a", pa.chunked_array([list(range(6000))])).counts is None
    assert len(summarise("a", list(range(6000))).sample) == 1000
