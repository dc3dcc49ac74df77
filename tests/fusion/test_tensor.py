import pytest
import torch

from polymodal.errors import RecipeError
from polymodal.fusion import TensorFusion
from polymodal.fusion.tensor import tensor_product


def test_product_by_hand():
    a, b, c = torch.tensor([2.0, 1.0]), torch.tensor([3.0, 1.0]), torch.tensor([5.0, 1.0])
    assert tensor_product([a, b, c]).tolist() == [30, 6, 10, 2, 15, 3, 5, 1]
    assert tensor_product([torch.ones(4, 2), torch.ones(4, 3)]).shape == (4, 6)


def test_an_absent_branch_leaves_the_product_of_the_others(fuse):
    fusion = TensorFusion({"a": 1, "b": 1}, 1, size=1)
    seen = []
    fusion.mix[1].register_forward_hook(lambda module, args, out: seen.append(args[0]))
    fuse(fusion, a=[[2], [2], None], b=[[3], None, None])
    assert seen[0].tolist() == [[6, 2, 3, 1], [0, 2, 0, 1], [0, 0, 0, 1]]


def test_too_big_a_product_is_refused_with_its_sizes():
    with pytest.raises(
        RecipeError, match=r"5 branches \(a, b, c, d, e\) of size 16 \+ 1 has 1,419"
    ):
        TensorFusion(dict.fromkeys("abcde", 8), 8)
    TensorFusion(dict.fromkeys("abcde", 8), 8, size=4)
