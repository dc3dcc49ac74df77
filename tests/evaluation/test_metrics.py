import math

import numpy as np
import pytest

from polymodal.evaluation.metrics import (
    HEADLINE,
    HIGHER_IS_BETTER,
    LABELS,
    METRICS,
    confidence_bins,
    headline,
    headline_value,
    measure,
    measure_labels,
)
from polymodal.evaluation.outcome import Outcome


def classified(truth, answer, probabilities=None, labels=("a", "b", "c")):
    return Outcome(
        "kind",
        "classification",
        np.array(truth, int),
        np.array(answer, int),
        None if probabilities is None else np.array(probabilities),
        labels,
        np.arange(len(truth)),
    )


def valued(truth, answer, log=False):
    truth, answer = np.array(truth, float), np.array(answer, float)
    return Outcome("price", "regression", truth, answer, None, (), np.arange(len(truth)), log)


def test_the_headline_alone_is_that_of_all_metrics():
    shares = [[0.8, 0.1, 0.1], [0.4, 0.6, 0]]
    for outcome in (
        classified([0, 0], [0, 1], shares), valued([1, 2], [1, 4]), valued([1, 2], [1, 4], log=True)
    ):  # fmt: skip
        assert headline_value(outcome) == measure(outcome)[headline(outcome)]


def test_classification_by_hand():
    probabilities = [[0.8, 0.1, 0.1], [0.4, 0.6, 0], [0.3, 0.7, 0], [0.1, 0.9, 0]]
    scores = measure(classified([0, 0, 1, 1], [0, 1, 1, 1], probabilities))
    assert scores["accuracy"] == 0.75
    assert scores["balanced_accuracy"] == 0.75
    assert scores["precision_macro"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores["recall_macro"] == pytest.approx(0.75)
    assert scores["f1_macro"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert scores["auroc"] == 1  # every row of a class is above every other row
    assert scores["log_loss"] == pytest.approx(-np.log([0.8, 0.4, 0.7, 0.9]).mean())
    # Bins of width 1/15: .6 (wrong), .7, .8 and .9 (right) fall into four of them.
    assert scores["calibration_error"] == pytest.approx((0.6 + 0.3 + 0.2 + 0.1) / 4)


def test_a_class_answered_but_not_there_counts_in_macro_but_not_in_balanced_accuracy():
    scores = measure(classified([0, 0], [0, 1]))
    assert scores["balanced_accuracy"] == 0.5
    assert scores["recall_macro"] == 0.25


def test_tagging_by_hand():
    truth = np.array([[1, 0], [1, 0], [0, 0]], bool)
    answer = np.array([[1, 0], [0, 0], [1, 0]], bool)
    shares = np.array([[0.9, 0.1], [0.4, 0.1], [0.7, 0.1]])
    scores = measure(Outcome("t", "tagging", truth, answer, shares, ("a", "b"), np.arange(3)))
    assert scores["map"] == pytest.approx((1 + 2 / 3) / 2)  # of tag a; b is on no row
    assert scores["f1_micro"] == 0.5
    assert scores["f1_macro"] == 0.5
    assert scores["exact_match"] == pytest.approx(1 / 3)


def test_one_tag_is_not_taken_for_two_classes():
    truth = np.array([[True], [False], [False]])
    outcome = Outcome("t", "tagging", truth, truth, None, ("a",), np.arange(3))
    assert measure(outcome)["f1_macro"] == 1
    assert measure_labels(outcome) == {"a": {"precision": 1, "recall": 1, "f1": 1, "support": 1}}


def test_regression_by_hand():
    scores = measure(valued([1, 10, 100], [1, 20, 100], log=True))
    assert scores["mae"] == pytest.approx(10 / 3)
    assert scores["rmse"] == pytest.approx(math.sqrt(100 / 3))
    assert scores["r2"] == pytest.approx(1 - 100 / (36**2 + 27**2 + 63**2))
    assert scores["mape"] == pytest.approx(1 / 3)
    assert scores["mae_log"] == pytest.approx(math.log(2) / 3)
    assert scores["r2_log"] == pytest.approx(1 - math.log(2) ** 2 / (2 * math.log(10) ** 2))


def test_what_is_not_defined_is_nan_without_a_warning():
    one_class = measure(classified([1, 1], [1, 1], [[0, 1, 0], [0, 1, 0]]))
    assert one_class["accuracy"] == one_class["balanced_accuracy"] == 1
    assert math.isnan(one_class["auroc"])
    one_row = measure(classified([1], [0], [[0.9, 0.1, 0]]))
    assert one_row["accuracy"] == 0
    assert all(map(math.isnan, measure(classified([], [], np.zeros((0, 3)))).values()))
    assert math.isnan(measure(classified([0], [0], [[1.0]], labels=("a",)))["log_loss"])
    assert math.isnan(measure(classified([0, 1], [0, 1]))["auroc"])
    assert math.isnan(measure(valued([2, 2], [1, 3]))["r2"])
    assert math.isnan(measure(valued([2], [1]))["r2"])
    assert math.isnan(measure(valued([0, 1], [1, 1]))["mape"])
    assert math.isnan(measure(valued([1, 2], [-1, 2], log=True))["r2_log"])
    assert all(map(math.isnan, measure(valued([], [], log=True)).values()))
    no = np.zeros((2, 2), bool)
    untagged = measure(Outcome("t", "tagging", no, no, no + 0.1, ("a", "b"), np.arange(2)))
    assert math.isnan(untagged["map"]) and math.isnan(untagged["f1_micro"])
    assert untagged["exact_match"] == 1


def test_each_class_on_its_own():
    found = measure_labels(classified([0, 0, 1], [0, 1, 1]))
    assert found["a"] == {"precision": 1, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2}
    assert found["b"]["precision"] == 0.5
    assert math.isnan(found["c"]["recall"]) and found["c"]["support"] == 0
    assert measure_labels(valued([1], [1])) == {}


def test_bins_hold_their_upper_end():
    assert confidence_bins(np.array([0, 1 / 30, 0.2, 0.21, 1])).tolist() == [0, 0, 2, 3, 14]


def test_every_metric_has_its_words_and_direction():
    outcomes = [
        classified([0, 1], [0, 1]),
        valued([1, 2], [1, 2], log=True),
        Outcome("t", "tagging", np.ones((1, 1), bool), np.ones((1, 1), bool), None, ("a",),
                np.arange(1)),
        Outcome("t", "text", np.array([["red", "red", "the big red one"]]), np.array(["red"]),
                None, (), np.arange(1), surprise=np.array([[0.5, 2.0]])),
    ]  # fmt: skip
    measured = {metric for outcome in outcomes for metric in measure(outcome)}
    assert measured == set(METRICS) == set(LABELS) == set(HIGHER_IS_BETTER)
    for metric in METRICS.values():
        assert set(metric.label) == set(metric.meaning) == {"en", "zh"}
    assert [headline(o) for o in outcomes] == ["accuracy", "r2_log", "map", "exact_match"]
    assert all(HIGHER_IS_BETTER[metric] for metric in HEADLINE.values())
