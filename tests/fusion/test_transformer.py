import pytest
import torch

from polymodal.errors import RecipeError
from polymodal.fusion.transformer import Transformer


def test_a_masked_token_is_not_read():
    transformer = Transformer(4, layers=2, heads=2, dropout=0.0)
    x = torch.randn(1, 3, 4)
    mask = torch.tensor([[True, True, False]])
    changed = x.clone()
    changed[0, 2] = 7.0
    assert torch.equal(transformer(x, mask)[:, :2], transformer(changed, mask)[:, :2])


def test_with_a_context_only_the_context_is_read():
    transformer = Transformer(4, layers=1, heads=2, dropout=0.0)
    x, context = torch.randn(1, 3, 4), torch.randn(1, 2, 4)
    mask = torch.ones(1, 2, dtype=torch.bool)
    alone = transformer(x[:, :1], mask, context)
    torch.testing.assert_close(transformer(x, mask, context)[:, :1], alone)
    assert not torch.allclose(transformer(x[:, :1], mask, context + torch.randn(4)), alone)


def test_one_key_attention_by_hand():
    transformer = Transformer(2, layers=1, heads=1, dropout=0.0)
    layer = transformer.layers[0]
    with torch.no_grad():
        layer.key_value.weight[2:] = torch.eye(2)
        layer.key_value.bias[2:] = 0
        layer.out.weight.copy_(torch.eye(2))
        layer.out.bias.zero_()
        layer.feed_forward[-1].weight.zero_()
        layer.feed_forward[-1].bias.zero_()
    # One token attends to itself: x + LayerNorm(x), the norm of (3, 1) being (1, -1).
    out = transformer(torch.tensor([[[3.0, 1.0]]]), torch.tensor([[True]]))
    torch.testing.assert_close(out, torch.tensor([[[4.0, 0.0]]]), atol=1e-4, rtol=0)


def test_sizes_that_do_not_fit_are_errors():
    with pytest.raises(RecipeError, match="3 attention heads do not divide the width 8"):
        Transformer(8, layers=1, heads=3, dropout=0.0)
    with pytest.raises(RecipeError, match="layers is 0"):
        Transformer(8, layers=0, heads=2, dropout=0.0)
