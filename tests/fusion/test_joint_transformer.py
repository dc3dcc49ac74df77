import torch

from polymodal.batch import Tokens
from polymodal.fusion import JointTransformer


def test_tokens_of_branches_meet():
    torch.manual_seed(0)
    fusion = JointTransformer({"a": 4, "b": 4}, 8, layers=1, heads=2).eval()
    a, b = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    present = {"a": torch.tensor([True]), "b": torch.tensor([True])}
    fused = fusion({"a": Tokens(a, None, a[:, 0]), "b": Tokens(b, None, b[:, 0])}, present)
    assert fused.tokens.shape == (1, 6, 8) and fused.mask.all()
    assert torch.equal(fused.tokens[:, 0], fused.vector)
    b = b + torch.randn(4)
    changed = fusion({"a": Tokens(a, None, a[:, 0]), "b": Tokens(b, None, b[:, 0])}, present)
    assert not torch.allclose(changed.tokens[:, 1:3], fused.tokens[:, 1:3])


def test_parameters_by_count():
    # Per branch: Linear 4*8+8, LayerNorm 16, mark 8; CLS 8, last LayerNorm 16.
    # A layer: LayerNorms 2*16, attention 4*(64+8), feed-forward 8*32+32 + 32*8+8.
    fusion = JointTransformer({"a": 4}, 8, layers=2, heads=2)
    layer = 32 + 288 + 552
    assert sum(p.numel() for p in fusion.parameters()) == 64 + 8 + 16 + 2 * layer
