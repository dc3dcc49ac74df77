import torch

from polymodal.fusion import Product
from polymodal.fusion.product import products


def mixed(fusion: Product) -> list[torch.Tensor]:
    seen: list[torch.Tensor] = []
    fusion.mix[0].register_forward_hook(lambda module, args, out: seen.append(args[0]))
    return seen


def test_two_branches_and_their_product_by_hand(fuse):
    fusion = Product({"a": 2, "b": 2}, 2)
    seen = mixed(fusion)
    torch.nn.init.constant_(fusion.absent, 9)
    fuse(fusion, a=[[1, 2], None], b=[[3, 4], [3, 4]])
    assert seen[0].tolist() == [[1, 2, 3, 4, 3, 8], [9, 9, 3, 4, 0, 0]]


def test_one_branch_is_an_mlp(fuse):
    fusion = Product({"a": 2}, 2)
    seen = mixed(fusion)
    fuse(fusion, a=[[1, 2]])
    assert seen[0].tolist() == [[1, 2]]


def test_many_branches_use_the_sum_of_the_others():
    assert products(torch.ones(6, 1)).shape == (15, 1)
    features = torch.arange(1.0, 8.0)[:, None]  # 1 … 7, sum 28
    assert products(features).flatten().tolist() == [27, 52, 75, 96, 115, 132, 147]


def test_eight_branches_any_of_them_absent(fuse):
    fusion = Product({f"c{i}": 2 for i in range(8)}, 2)
    rows = {f"c{i}": [[1, 2] if i % 3 else None, None] for i in range(8)}
    assert fuse(fusion, **rows).vector.isfinite().all()
