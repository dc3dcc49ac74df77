import torch

from polymodal.fusion import Attention


def test_by_hand(fuse):
    fusion = Attention({"a": 1, "b": 1}, 1)
    with torch.no_grad():
        fusion.own.weight.fill_(1)
        fusion.own.bias.zero_()
        fusion.beside.weight.fill_(0.5)
        fusion.score.weight.fill_(2)
    fused = fuse(fusion, a=[[1], [1], None], b=[[3], None, None])
    # The mean of 1 and 3 is 2: scores 2 tanh(1 + 1) and 2 tanh(3 + 1).
    scores = 2 * torch.tensor([2.0, 4.0]).tanh()
    weights = scores.softmax(0)
    torch.testing.assert_close(fused.weights[0], weights)
    torch.testing.assert_close(fused.vector[0], (weights * torch.tensor([1.0, 3.0])).sum()[None])
    assert fused.weights[1:].tolist() == [[1, 0], [0, 0]]
    assert fused.vector[1].item() == 1
