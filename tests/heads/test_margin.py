"""Margin losses, by numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from polymodal.heads.margin import angular_margin, batch_hard_triplets


def test_the_right_angle_is_made_larger() -> None:
    cosines = torch.tensor([[math.cos(1.0), math.cos(0.5)]])
    logits = angular_margin(cosines, torch.tensor([0]), margin=0.4, scale=10.0)
    expected = [10 * math.cos(1.4), 10 * math.cos(0.5)]
    assert logits[0].tolist() == pytest.approx(expected, abs=1e-4)


def test_beyond_half_a_turn_the_cosine_goes_on_falling() -> None:
    angles = torch.linspace(0.0, math.pi, 200)
    cosines = torch.stack([angles.cos(), torch.zeros(200)], 1)
    logits = angular_margin(cosines, torch.zeros(200, dtype=torch.long), margin=0.5, scale=1.0)
    assert bool((logits[1:, 0] < logits[:-1, 0]).all())


def test_a_margin_of_nought_changes_nothing() -> None:
    cosines = torch.tensor([[0.3, -0.2], [0.9, 0.1]])
    logits = angular_margin(cosines, torch.tensor([0, 1]), margin=0.0, scale=2.0)
    assert torch.allclose(logits, 2 * cosines, atol=1e-5)


def test_gradients_are_finite_where_vectors_meet_their_centre() -> None:
    cosines = torch.tensor([[1.0, -1.0]], requires_grad=True)
    angular_margin(cosines, torch.tensor([0]), margin=0.3, scale=30.0).sum().backward()
    assert cosines.grad is not None and bool(cosines.grad.isfinite().all())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100), whose=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_triplets_against_the_plain_definition(seed: int, whose: list[int]) -> None:
    torch.manual_seed(seed)
    vectors = normalize(torch.randn(len(whose), 3), dim=-1)
    found = batch_hard_triplets(vectors, torch.tensor(whose), margin=0.2).tolist()
    for i, mine in enumerate(whose):
        far = [1 - float(vectors[i] @ vectors[j]) for j in range(len(whose)) if j != i]
        others = [w for j, w in enumerate(whose) if j != i]
        own = [d for d, w in zip(far, others, strict=True) if w == mine]
        strange = [d for d, w in zip(far, others, strict=True) if w != mine]
        expected = max(0.0, max(own) - min(strange) + 0.2) if own and strange else 0.0
        assert found[i] == pytest.approx(expected, abs=1e-5)
