"""Contrastive losses, by numbers worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from polymodal.heads.contrastive import first_dimensions, info_nce, sigmoid_pairs

SAME = torch.eye(2, dtype=torch.bool)


def test_info_nce_asks_in_both_directions() -> None:
    left = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    right = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    # Cosines [[.6, 0], [.8, 1]], temperature 1/2.
    rows = [math.log(1 + math.exp(-1.2)), math.log(1 + math.exp(-0.4))]
    columns = [math.log(1 + math.exp(0.4)), math.log(1 + math.exp(-2))]
    expected = (sum(rows) + sum(columns)) / 4
    assert float(info_nce(left, right, scale=2.0, same=SAME)) == pytest.approx(expected, abs=1e-6)


def test_two_rows_of_one_thing_are_both_right() -> None:
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    same = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 0, 1]]).bool()
    # Row 0: cosines 1, 1, 0; each right answer has e / (2e + 1). Row 2: e / (e + 2).
    e = math.e
    expected = (2 * math.log((2 * e + 1) / e) + math.log((e + 2) / e)) / 3
    assert float(info_nce(vectors, vectors, scale=1.0, same=same)) == pytest.approx(expected)


def test_hard_wrong_answers_count_more_and_all_alike_ones_the_same() -> None:
    vectors = normalize(torch.tensor([[1.0, 0.0], [0.9, 0.3], [-1.0, 0.2]]), dim=-1)
    same = torch.eye(3, dtype=torch.bool)
    plain = info_nce(vectors, vectors, scale=5.0, same=same)
    hard = info_nce(vectors, vectors, scale=5.0, same=same, hardness=2.0)
    assert hard > plain
    even = torch.eye(3)
    alike = [info_nce(even, even, scale=5.0, same=same, hardness=h) for h in (0.0, 3.0)]
    assert float(alike[0]) == pytest.approx(float(alike[1]))


def test_sigmoid_pairs_by_hand() -> None:
    left = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    right = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    # 10 x cosine - 5: [[1, -5], [3, 5]]; signs + - / - +; divided by two rows.
    terms = [math.log(1 + math.exp(-x)) for x in (1, 5, -3, 5)]
    loss = sigmoid_pairs(left, right, scale=10.0, bias=-5.0, same=SAME)
    assert float(loss) == pytest.approx(sum(terms) / 2, abs=1e-6)


def test_first_dimensions_are_made_long_again() -> None:
    vector = torch.tensor([[0.6, 0.0, 0.8]])
    assert first_dimensions(vector, 2).tolist() == [[1.0, 0.0]]
    assert first_dimensions(vector, 3) is vector


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(2, 9), data=st.data())
def test_the_order_of_rows_means_nothing(seed: int, rows: int, data: st.DataObject) -> None:
    torch.manual_seed(seed)
    left, right = (normalize(torch.randn(rows, 4), dim=-1) for _ in range(2))
    items = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=rows, max_size=rows)))
    same = items[:, None] == items
    order = torch.randperm(rows)
    turned = same[order][:, order]
    for hardness in (0.0, 1.0):
        first = info_nce(left, right, scale=3.0, same=same, hardness=hardness)
        second = info_nce(left[order], right[order], scale=3.0, same=turned, hardness=hardness)
        assert first.isfinite() and torch.allclose(first, second, atol=1e-5)
