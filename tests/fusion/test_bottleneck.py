import pytest
import torch

from polymodal.batch import Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.fusion import Bottleneck


def run(fusion: Bottleneck, a: torch.Tensor, b: torch.Tensor) -> Fused:
    tokens = {"a": Tokens(a, None, a.mean(1)), "b": Tokens(b, None, b.mean(1))}
    return fusion.eval()(tokens, {"a": torch.tensor([True]), "b": torch.tensor([True])})


@pytest.mark.parametrize(("layers", "news"), [(1, False), (2, True)])
def test_news_of_another_branch_arrive_one_layer_later(layers, news):
    torch.manual_seed(0)
    fusion = Bottleneck({"a": 4, "b": 4}, 8, layers=layers, bottlenecks=2)
    a, b = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    first, second = run(fusion, a, b), run(fusion, a, b + torch.randn(4))
    assert torch.allclose(first.tokens[:, 1:3], second.tokens[:, 1:3]) != news
    assert not torch.allclose(first.vector, second.vector)


def test_sizes_that_do_not_fit_are_errors():
    with pytest.raises(RecipeError, match="bottlenecks is 0"):
        Bottleneck({"a": 4}, 8, bottlenecks=0)
    with pytest.raises(RecipeError, match="layers is 0"):
        Bottleneck({"a": 4}, 8, layers=0)
