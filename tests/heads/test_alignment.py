"""Columns brought into one space."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.batch import Field, Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.fusion.side_by_side import SideBySide
from polymodal.heads.alignment import Alignment
from polymodal.heads.contrastive import info_nce

WIDTHS = {"photo": 5, "says": 3, "sound": 4}


def fused(cells: dict[str, torch.Tensor], present: torch.Tensor) -> Fused:
    tokens = {name: Tokens(x[:, None], None, x) for name, x in cells.items()}
    return SideBySide(WIDTHS)(tokens, dict(zip(WIDTHS, present.T, strict=True)))


def cells_of(rows: int, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return {name: torch.randn(rows, width) for name, width in WIDTHS.items()}


def items(*numbers: int) -> Field:
    return Field(torch.tensor(numbers), torch.ones(len(numbers), dtype=torch.bool))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 99), data=st.data())
def test_what_absent_cells_hold_has_no_influence(seed: int, data: st.DataObject) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=12, max_size=12))
    present = torch.tensor(flags).reshape(4, 3)
    cells = cells_of(4, seed)
    other = {
        name: torch.where(here[:, None], cells[name], torch.nan)
        for (name, here) in zip(WIDTHS, present.T, strict=True)
    }
    head = Alignment(WIDTHS, width=8, masked=0.5, matryoshka=[4]).eval()
    found = []
    for some in (cells, other):
        head.zero_grad()
        vectors = head(fused(some, present))
        total = sum(head.loss(vectors, items(0, 1, 2, 3)).values())
        total.backward()
        grads = [p.grad for p in head.parameters() if p.grad is not None]
        assert all(bool(grad.isfinite().all()) for grad in grads)
        found.append((vectors.detach(), total.item()))
    assert torch.equal(found[0][0], found[1][0]) and found[0][1] == found[1][1]
    lengths = found[0][0].norm(dim=-1)
    assert torch.allclose(lengths, present.float(), atol=1e-5)


def test_only_rows_that_have_both_columns_are_compared() -> None:
    present = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 0, 0], [0, 1, 0]]).bool()
    head = Alignment(WIDTHS, width=8).eval()
    vectors = head(fused(cells_of(4), present))
    found = head.loss(vectors, items(0, 1, 2, 3))["info_nce"]
    both = vectors[:2]
    expected = info_nce(both[:, 0], both[:, 1], scale=1 / 0.07, same=torch.eye(2).bool())
    assert found.item() == pytest.approx(expected.item(), abs=1e-5)


def test_every_parameter_learns_from_every_loss() -> None:
    for options in ({"masked": 1.0, "hidden": 6}, {"loss": "sigmoid", "matryoshka": [2, 4]}):
        head = Alignment(WIDTHS, width=8, dropout=0.0, **options)  # type: ignore[arg-type]
        vectors = head(fused(cells_of(6), torch.ones(6, 3, dtype=torch.bool)))
        sum(head.loss(vectors, items(*range(6))).values()).backward()
        for name, parameter in head.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_matryoshka_is_the_mean_over_lengths() -> None:
    head = Alignment({"a": 3, "b": 3}, width=4, matryoshka=[2]).eval()
    torch.manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(5, 2, 4), dim=-1)
    whole = Alignment({"a": 3, "b": 3}, width=4).loss(vectors, items(*range(5)))["info_nce"]
    cut = torch.nn.functional.normalize(vectors[..., :2], dim=-1)
    short = Alignment({"a": 3, "b": 3}, width=2).loss(cut, items(*range(5)))["info_nce"]
    found = head.loss(vectors, items(*range(5)))["info_nce"]
    assert found.item() == pytest.approx((whole.item() + short.item()) / 2, abs=1e-5)


def test_the_vector_of_a_row_and_how_its_cells_agree() -> None:
    head = Alignment({"a": 3, "b": 3}, width=2)
    prediction = torch.tensor([[[1.0, 0.0], [0.6, 0.8]], [[0.0, 1.0], [0.0, 0.0]]])
    agree = head.answer(prediction)
    assert agree[0].item() == pytest.approx(0.6, abs=1e-6) and bool(agree[1].isnan())
    vector = head.vector(prediction)
    assert vector[1].tolist() == [0.0, 1.0]
    assert vector[0].tolist() == pytest.approx([1.6 / math.sqrt(3.2), 0.8 / math.sqrt(3.2)])


def test_the_temperature_stays_above_a_hundredth() -> None:
    head = Alignment({"a": 3, "b": 3}, temperature=0.5)
    assert head.scale == pytest.approx(2.0)
    head.log_scale.data.fill_(9.0)
    assert head.scale == pytest.approx(100.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"matryoshka": [300]}, "lengths from 1 to the width 256"),
        ({"temperature": 0.0}, "temperature is 0.0"),
        ({"hardness": -1.0}, "must not be negative"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Alignment({"a": 3, "b": 3}, **options)  # type: ignore[arg-type]


def test_one_column_cannot_be_aligned() -> None:
    with pytest.raises(RecipeError, match="Only photo would be aligned"):
        Alignment({"photo": 3})
