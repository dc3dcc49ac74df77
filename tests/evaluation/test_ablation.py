from itertools import pairwise

import pytest

from polymodal.evaluation.ablation import subsets


@pytest.mark.parametrize("count", range(1, 6))
def test_up_to_five_inputs_every_subset_once(count: int) -> None:
    found = subsets("abcde"[:count])
    assert len(found) == len(set(found)) == 2**count - 1
    assert found[0] == tuple("abcde"[:count])
    assert all(len(one) >= len(other) for one, other in pairwise(found))


def test_beyond_five_each_alone_and_each_left_out() -> None:
    found = subsets("abcdefg")
    assert found[0] == tuple("abcdefg")
    assert found[1] == tuple("bcdefg") and found[7] == tuple("abcdef")
    assert found[8:] == [(name,) for name in "abcdefg"]
