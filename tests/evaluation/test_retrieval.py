"""Ranks and their metrics, by hand and against chance."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.evaluation.embedding import normalised
from polymodal.evaluation.retrieval import (
    Cells,
    all_directions,
    distinct_cells,
    mean_reciprocal_rank,
    retrieve,
)

NAMES = ("photo", "says")


def cells(vectors: list[list[float]], items: list[int]) -> Cells:
    return Cells(normalised(np.array(vectors)), np.array(items), np.arange(len(items)))


def test_ranks_and_metrics_by_hand() -> None:
    queries = cells([[1, 0], [0, 1]], [0, 1])
    # Cosines of the first query: 1, .8, .6, 0; of the second: 0, .6, .8, 1.
    answers = cells([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], [5, 0, 0, 1])
    found = retrieve(queries, answers, names=NAMES)
    assert found.ranks.tolist() == [2, 1] and found.right.tolist() == [2, 1]
    metrics = found.metrics()
    assert metrics["recall@1"] == 0.5 and metrics["recall@5"] == 1.0
    assert metrics["mrr"] == 0.75 and metrics["median_rank"] == 1.5
    # The right ones are second and third of two: (1/log2 3 + 1/2) / (1 + 1/log2 3).
    gain = (1 / math.log2(3) + 0.5) / (1 + 1 / math.log2(3))
    assert metrics["ndcg@10"] == pytest.approx((gain + 1) / 2)
    assert found.tops[0].tolist() == [0, 1, 2, 3]


def test_equal_cosines_take_the_middle() -> None:
    same = cells([[1, 0]] * 5, [0, 1, 2, 3, 4])
    assert retrieve(same, same, names=NAMES).ranks.tolist() == [3] * 5


def test_chance_by_hand() -> None:
    queries = cells([[1, 0]], [0])
    answers = cells([[1, 0]] * 20, [0, 0, *range(1, 19)])
    chance = retrieve(queries, answers, names=NAMES).chance()
    # Both right answers missed by five drawn of twenty: (15 x 14) / (20 x 19).
    assert chance["recall@1"] == pytest.approx(0.1)
    assert chance["recall@5"] == pytest.approx(1 - 210 / 380)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), items=st.integers(2, 12), each=st.integers(1, 3))
def test_chance_is_what_random_vectors_reach(seed: int, items: int, each: int) -> None:
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(items), each)
    answers = Cells(normalised(rng.normal(size=(len(whose), 16))), whose, whose)
    queries = Cells(normalised(rng.normal(size=(3000, 16))), rng.integers(0, items, 3000), whose)
    found = retrieve(queries, answers, names=NAMES)
    metrics, chance = found.metrics(), found.chance()
    for name in ("recall@1", "recall@5", "recall@10", "mrr", "ndcg@10"):
        # The answers are few and the same for all: their order is not quite random.
        assert metrics[name] == pytest.approx(chance[name], abs=0.12), name


def test_intervals_hold_the_value_and_captions_of_one_picture_fall_together() -> None:
    rng = np.random.default_rng(0)
    items = np.repeat(np.arange(40), 5)
    centres = rng.normal(size=(40, 8))
    photos = Cells(normalised(centres), np.arange(40), np.arange(40))
    texts = Cells(normalised(centres[items] + rng.normal(size=(200, 8))), items, items)
    found = retrieve(texts, photos, names=NAMES)
    scores = found.scores(resamples=200)
    alone = retrieve(Cells(texts.vectors, items, items), photos, names=NAMES)
    separate = type(alone)(**{**vars(alone), "items": np.arange(200)}).scores(resamples=200)
    for name, score in scores.items():
        assert score.low <= score.value <= score.high
        assert score.value == found.metrics()[name]
    width = scores["mrr"].high - scores["mrr"].low
    assert width > (separate["mrr"].high - separate["mrr"].low) * 0.9
    told = found.to_dict(resamples=100, seed=1)
    assert told["queries"] == 200 and told["answers"] == 40 and "chance" in told


def test_each_thing_has_each_cell_once_and_queries_need_an_answer() -> None:
    vectors = np.eye(5)
    items, places = np.array([0, 0, 1, 2, 3]), np.array([4, 4, 4, 7, -1])
    found = distinct_cells(vectors, items, places)
    assert found.rows.tolist() == [0, 3] and found.items.tolist() == [0, 2]
    assert found.shared is not None and found.shared.T.tolist() == [[0, 0], [0, 1], [1, 2]]
    # The same words under two pictures: both pictures are right for them.
    photos = cells([[1, 0], [0, 1], [1, 1]], [0, 1, 2])
    says = Cells(normalised(np.array([[0.1, 1], [1, 1]])), found.items, found.rows, found.shared)
    assert retrieve(says, photos, names=NAMES).right.tolist() == [2, 1]
    assert retrieve(says, photos, names=NAMES).ranks.tolist() == [1, 1]
    columns = {"a": cells([[1, 0], [0, 1]], [0, 1]), "b": cells([[1, 0]], [0])}
    both = all_directions(columns)
    assert [(one.query, one.answer, len(one.ranks)) for one in both] == [
        ("a", "b", 1), ("b", "a", 1),
    ]  # fmt: skip
    assert mean_reciprocal_rank(both) == 1.0 and math.isnan(mean_reciprocal_rank([]))
