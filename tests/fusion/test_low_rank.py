import pytest
import torch

from polymodal.errors import RecipeError
from polymodal.fusion import LowRank
from polymodal.fusion.low_rank import low_rank_product


def test_product_by_hand():
    # Two branches, two ranks, width 1: 0.5 * (2 * 5) + 1 * (3 * 7).
    factors = torch.tensor([[[2.0], [3.0]], [[5.0], [7.0]]])
    assert low_rank_product(factors, torch.tensor([0.5, 1.0])).tolist() == [26]


def test_an_absent_branch_is_the_factor_one(fuse):
    fusion = LowRank({"a": 2, "b": 2}, 2, rank=1)
    fusion.norm = torch.nn.Identity()
    with torch.no_grad():
        for factor in fusion.factors:
            factor.weight.copy_(torch.eye(2))  # the constants start at one
    fused = fuse(fusion, a=[[1, 2], [1, 2], None], b=[[3, 4], None, None])
    assert fused.vector.tolist() == [[2 * 4, 3 * 5], [2, 3], [1, 1]]


def test_rank_must_be_positive():
    with pytest.raises(RecipeError, match="rank is 0"):
        LowRank({"a": 2}, 2, rank=0)
