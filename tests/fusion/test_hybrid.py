import torch

from polymodal.batch import Tokens
from polymodal.fusion import Hybrid


def test_the_gate_mixes_the_two_paths():
    fusion = Hybrid({"a": 4}, 8).eval()
    torch.nn.init.zeros_(fusion.gate.weight)
    a, here = torch.randn(2, 3, 4), {"a": torch.tensor([True, False])}
    tokens = {"a": Tokens(a, None, a.mean(1))}
    early, late = fusion.early(tokens, here).vector, fusion.late(tokens, here).vector
    for bias, share in ((0.0, 0.5), (20.0, 1.0), (-20.0, 0.0)):
        torch.nn.init.constant_(fusion.gate.bias, bias)
        expected = share * early + (1 - share) * late
        torch.testing.assert_close(fusion(tokens, here).vector, expected, atol=1e-5, rtol=1e-5)
