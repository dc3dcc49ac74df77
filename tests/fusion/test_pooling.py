import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from polymodal.fusion import Max, Mean, Median, Min
from polymodal.fusion.pooling import maximum, mean, median, minimum

ROWS = {"a": [[1, 8], [1, 8]], "b": [[5, 2], [5, 2]], "c": [[3, 3], None]}


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Mean, [[3, 13 / 3], [3, 5]]),
        (Max, [[5, 8], [5, 8]]),
        (Min, [[1, 2], [1, 2]]),
        (Median, [[3, 3], [3, 5]]),
    ],
)
def test_by_hand(cls, expected, fuse):
    fused = fuse(cls({name: 2 for name in ROWS}, 2), **ROWS)
    torch.testing.assert_close(fused.vector, torch.tensor(expected, dtype=torch.float))


def test_all_absent_gives_the_prior(fuse):
    for cls in (Mean, Max, Min, Median):
        fusion = cls({"a": 2}, 2)
        torch.nn.init.constant_(fusion.prior, 7)
        assert fuse(fusion, a=[None]).vector.tolist() == [[7, 7]]


@given(
    values=st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=7),
    absent=st.integers(0, 7),
)
def test_as_numpy_over_those_that_are_here(values, absent):
    features = torch.tensor([*values, *[9e9] * absent])[:, None]
    here = torch.arange(len(features)) < len(values)
    for ours, theirs in (
        (mean, np.mean),
        (maximum, np.max),
        (minimum, np.min),
        (median, np.median),
    ):
        assert ours(features, here).item() == pytest.approx(theirs(values), rel=1e-5, abs=1e-3)


def test_gradient_of_the_median_goes_to_the_middle():
    features = torch.tensor([[1.0], [5.0], [2.0], [9.0]], requires_grad=True)
    median(features, torch.ones(4) > 0).sum().backward()
    assert features.grad.flatten().tolist() == [0, 0.5, 0.5, 0]
