import numpy as np
import pytest

from polymodal.evaluation.outcome import Outcome


def classified(**changes):
    fields = {
        "target": "kind",
        "task": "classification",
        "truth": np.array([0, 1, 1]),
        "answer": np.array([0, 0, 1]),
        "probabilities": np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]),
        "labels": ("cat", "dog"),
        "rows": np.array([3, 5, 8]),
    }
    return Outcome(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": "ranking"}, "unknown task 'ranking'"),
        ({"truth": np.array([0, 1])}, r"truth of shape \(2,\), expected \(3,\)"),
        ({"answer": np.array([0, 0, 2])}, "answer that is not a class number below 2"),
        ({"truth": np.array([0.0, 1.0, 1.0])}, "truth that is not a class number"),
        ({"probabilities": np.ones((3, 3)) / 3}, r"probabilities of shape \(3, 3\)"),
        ({"probabilities": np.full((3, 2), np.nan)}, "not numbers from 0 to 1"),
        ({"probabilities": np.full((3, 2), 0.9)}, "do not sum to 1"),
    ],
)
def test_arrays_that_do_not_fit_are_named(changes, words):
    with pytest.raises(ValueError, match=f"target 'kind' .*{words}"):
        classified(**changes)


def test_values_that_are_not_finite_name_their_rows():
    truth = np.array([1.0, 2.0])
    with pytest.raises(ValueError, match=r"answer that is not finite in 1 rows \(\[7\]\)"):
        Outcome("price", "regression", truth, np.array([1, np.inf]), None, (), np.array([4, 7]))


def test_tags_must_be_bool_and_values_have_no_probabilities():
    one = np.ones((1, 2))
    with pytest.raises(ValueError, match="of type float64, expected bool"):
        Outcome("tags", "tagging", one, one, None, ("a", "b"), np.zeros(1))
    with pytest.raises(ValueError, match="no probabilities"):
        Outcome("price", "regression", one[0, :1], one[0, :1], one, (), np.zeros(1))


def test_worst_rows_are_the_confidently_wrong_and_surest_the_confidently_right():
    outcome = classified(
        truth=np.array([0, 1, 1, 0]),
        answer=np.array([0, 0, 1, 1]),
        probabilities=np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.05, 0.95]]),
        rows=np.arange(4),
    )
    assert outcome.right.tolist() == [True, False, True, False]
    assert outcome.worst(5).tolist() == [3, 1]
    assert outcome.surest_right(1).tolist() == [0]


def test_errors_of_a_log_target_are_ratios():
    truth, answer = np.array([1.0, 100.0]), np.array([2.0, 110.0])
    linear = Outcome("price", "regression", truth, answer, None, (), np.arange(2))
    log = Outcome("price", "regression", truth, answer, None, (), np.arange(2), log=True)
    assert linear.worst(1).tolist() == [1]
    assert log.worst(1).tolist() == [0]
    assert log.surest_right(1).tolist() == [1]
    below = Outcome("price", "regression", truth, -answer, None, (), np.arange(2), log=True)
    assert below.logarithms is None


def test_errors_without_probabilities_and_of_tags():
    assert classified(probabilities=None).errors.tolist() == [0, 1, 0]
    truth, answer = np.array([[True, False]]), np.array([[True, True]])
    tags = Outcome("t", "tagging", truth, answer, np.array([[0.5, 0.7]]), ("a", "b"), np.zeros(1))
    assert tags.errors.tolist() == pytest.approx([0.6])
    assert tags.worst(3).tolist() == [0]
