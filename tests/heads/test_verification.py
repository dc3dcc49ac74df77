"""The head of identities."""

import pytest
import torch

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.verification import Verification


def fused(vector: torch.Tensor) -> Fused:
    mask = torch.ones((*vector.shape[:1], 1), dtype=torch.bool)
    return Fused(vector, vector[:, None], mask)


def test_rows_of_unknown_identity_add_nothing() -> None:
    torch.manual_seed(0)
    head = Verification(6, classes=3, size=4, loss="both")
    vectors = head(fused(torch.randn(5, 6)))
    known = Field(torch.tensor([0, 0, 1, 2, 2]), torch.tensor([True] * 4 + [False]))
    other = Field(torch.tensor([0, 0, 1, 2, 0]), known.present)
    first, second = head.loss(vectors, known), head.loss(vectors, other)
    assert set(first) == {"arcface", "triplet"}
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns_to_tell_identities_apart() -> None:
    torch.manual_seed(0)
    centres = torch.randn(4, 6)
    whose = torch.arange(4).repeat(8)
    rows = centres[whose] + 0.3 * torch.randn(32, 6)
    target = Field(whose, torch.ones(32, dtype=torch.bool))
    head = Verification(6, classes=4, size=8)
    optimizer = torch.optim.Adam(head.parameters(), lr=0.03)
    for _ in range(60):
        optimizer.zero_grad()
        head.loss(head(fused(rows)), target)["arcface"].backward()
        optimizer.step()
    vectors = head.eval()(fused(rows)).detach()
    assert float((head.answer(vectors) == whose).float().mean()) == 1.0
    assert torch.allclose(head.probabilities(vectors).sum(1), torch.ones(32))
    cosines, same = vectors @ vectors.T, whose[:, None] == whose
    assert cosines[same].mean() > 0.8 > 0.3 > cosines[~same].mean()


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(RecipeError, match="margin 2"):
        Verification(4, classes=2, margin=2.0)
    with pytest.raises(RecipeError, match="at least 2"):
        Verification(4, classes=2, rows=1)
