import pytest
import torch

from polymodal.fusion import Gated
from polymodal.fusion.gated import gated_sum


def with_gate(per_branch: bool, weight: list[list[float]], bias: list[float]) -> Gated:
    fusion = Gated({"a": 1, "b": 1}, 1, per_branch=per_branch)
    with torch.no_grad():
        fusion.gate.weight.copy_(torch.tensor(weight))
        fusion.gate.bias.copy_(torch.tensor(bias))
    return fusion


def sigmoid(x: float) -> float:
    return torch.tensor(x).sigmoid().item()


def tanh(x: float) -> float:
    return torch.tensor(x).tanh().item()


def test_a_gate_for_each_branch_by_hand(fuse):
    fusion = with_gate(True, [[1.0, 2.0], [-1.0, 0.0]], [0.5, 0.0])
    fused = fuse(fusion, a=[[1], [1], None], b=[[2], None, None])
    first, second = sigmoid(1 + 4 + 0.5), sigmoid(-1.0)
    both = first * tanh(1.0) + second * tanh(2.0)
    torch.testing.assert_close(
        fused.vector, torch.tensor([[both], [sigmoid(1.5) * tanh(1.0)], [0.0]])
    )
    total = first + second
    torch.testing.assert_close(
        fused.weights, torch.tensor([[first / total, second / total], [1, 0], [0, 0]])
    )


def test_one_gate_for_the_sum_by_hand(fuse):
    fusion = with_gate(False, [[1.0, 2.0]], [0.5])
    fused = fuse(fusion, a=[[1]], b=[[2]])
    expected = sigmoid(5.5) * (tanh(1.0) + tanh(2.0))
    assert fused.vector.item() == pytest.approx(expected, rel=1e-6)
    assert fused.weights.tolist() == [[0.5, 0.5]]


def test_gated_sum_shares_one_gate():
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert gated_sum(features, torch.tensor([[0.5, 0.0]])).tolist() == [2, 0]
