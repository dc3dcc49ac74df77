"""Encoders run part by part: the same gradient as in one go."""

import pytest
import torch

from polymodal.batch import ITEM, Batch, Field
from polymodal.encoders import BagOfTokens, VisionTransformer
from polymodal.fusion.side_by_side import SideBySide
from polymodal.heads.alignment import Alignment
from polymodal.model import MultimodalModel


def model_of(cells_at_once: int | None) -> MultimodalModel:
    torch.manual_seed(0)
    encoders = {
        "photo": VisionTransformer(3, 16, width=16, depth=1, heads=2, dropout=0.0),
        "says": BagOfTokens(50, width=12),
    }
    widths = {name: encoder.width for name, encoder in encoders.items()}
    head = Alignment(widths, width=8, dropout=0.0)
    return MultimodalModel(
        encoders, SideBySide(widths), {ITEM: head}, cells_at_once=cells_at_once
    ).train()


def batch_of(rows: int) -> Batch:
    torch.manual_seed(1)
    present = torch.ones(rows, dtype=torch.bool)
    there = present.clone()
    there[1] = False
    words = torch.randint(1, 50, (rows, 6))
    mask = torch.arange(6)[None] < torch.randint(1, 7, (rows,))[:, None]
    index = torch.arange(rows) // 2  # each picture twice
    pictures = torch.randint(0, 255, (int(index.max()) + 1, 3, 16, 16), dtype=torch.uint8)
    inputs = {
        "photo": Field(pictures, present, index=index),
        "says": Field(words, there, mask=mask),
    }
    return Batch(inputs, {ITEM: Field(index, present)}, torch.arange(rows))


@pytest.mark.parametrize("size", [1, 3, 100])
def test_the_gradient_is_the_same(size: int) -> None:
    batch, found = batch_of(10), []
    for cells_at_once in (None, size):
        model = model_of(cells_at_once)
        loss = sum(model.losses(model(batch), batch).values())
        loss.backward()
        grads = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        found.append((loss.item(), grads))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-6)
    assert found[0][1].keys() == found[1][1].keys() and len(found[0][1]) > 10
    for name, gradient in found[0][1].items():
        assert torch.allclose(gradient, found[1][1][name], rtol=1e-4, atol=1e-5), name


def test_dropout_is_the_same_in_both_runs() -> None:
    """The gradient is that of the loss that was computed, whatever was dropped."""
    model = model_of(2)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    batch = batch_of(8)
    weight = model.heads["column " + ITEM].projections[0][-1].weight
    state = torch.get_rng_state()

    def loss() -> torch.Tensor:
        torch.set_rng_state(state)
        return sum(model.losses(model(batch), batch).values())  # type: ignore[return-value]

    loss().backward()
    assert weight.grad is not None
    slope, step = float(weight.grad[0, 0]), 1e-2
    with torch.no_grad():
        weight[0, 0] += step
        above = loss().item()
        weight[0, 0] -= 2 * step
        below = loss().item()
    assert (above - below) / (2 * step) == pytest.approx(slope, abs=2e-3)
