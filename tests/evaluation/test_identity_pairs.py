"""Verification metrics, by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from polymodal.evaluation.embedding import normalised
from polymodal.evaluation.identity_pairs import (
    all_pairs,
    area,
    error_rates,
    verification_scores,
)
from polymodal.evaluation.verification_page import det_curve


def test_equal_error_rate_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    same = np.array([1, 1, 0, 1, 0, 1, 0, 0]).astype(bool)
    rates = error_rates(scores, same)
    # From 0.6 on: one of four strangers accepted, one of four refused.
    assert rates.equal() == (0.25, 0.6)
    assert rates.at(0.6) == (0.25, 0.25) and rates.at(0.95) == (0.0, 1.0)
    assert rates.accepted_at(0.1) == 0.5 and rates.accepted_at(0.25) == 0.75


def test_between_two_thresholds_a_straight_line() -> None:
    # Rates at 2: (0, 1); at 1, where all fall together: (1, 0).
    rates = error_rates(np.ones(4), np.array([True, False, True, False]))
    assert rates.equal()[0] == pytest.approx(0.5)


def test_perfect_and_hopeless() -> None:
    same = np.array([True, True, False, False])
    rates = error_rates(np.array([0.9, 0.8, 0.2, 0.1]), same)
    assert rates.equal()[0] == 0.0 and area(rates) == 1.0
    assert 0.2 < rates.equal()[1] <= 0.8
    assert area(error_rates(np.array([0.1, 0.2, 0.8, 0.9]), same)) == 0.0


@settings(max_examples=50, deadline=None)
@given(
    scores=arrays(np.float64, 12, elements=st.integers(0, 5).map(float)),
    same=arrays(bool, 12).filter(lambda one: one.any() and not one.all()),
)
def test_the_area_is_what_others_compute_and_rates_never_turn(
    scores: np.ndarray, same: np.ndarray
) -> None:
    rates = error_rates(scores, same)
    assert area(rates) == pytest.approx(roc_auc_score(same, scores))
    assert (np.diff(rates.false_accepts) >= 0).all() and (np.diff(rates.false_rejects) <= 0).all()
    rate, threshold = rates.equal()
    assert 0 <= rate <= 1 and np.isfinite(threshold)
    doubled = error_rates(np.tile(scores, 2), np.tile(same, 2))
    weighted = error_rates(scores, same, np.full(12, 2))
    assert doubled.equal() == pytest.approx(weighted.equal())
    assert rates.equal() == pytest.approx(weighted.equal())


def test_scores_of_people_with_intervals() -> None:
    rng = np.random.default_rng(0)
    whose = np.repeat(np.arange(8), 5)
    whose[-1] = -1
    vectors = normalised(np.eye(8)[np.maximum(whose, 0)] + 0.2 * rng.normal(size=(40, 8)))
    pairs = all_pairs(vectors, whose)
    assert len(pairs) == 39 * 38 // 2 and pairs.same.sum() == 7 * 10 + 6
    found = verification_scores(pairs, threshold=0.5, resamples=50)
    told = found.to_dict()
    assert told["threshold"] == 0.5 and told["same"] == 76
    for score in found.scores.values():
        assert score.low <= score.value <= score.high
    assert found.scores["eer"].value < 0.1 < found.scores["tar@far=0.01"].value
    few = all_pairs(vectors[:20], whose[:20])  # four people
    assert all(np.isnan(s.low) for s in verification_scores(few, threshold=0.5).scores.values())
    assert 'class="dot s3"' in det_curve(found.rates, threshold=0.5)
