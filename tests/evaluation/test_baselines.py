import numpy as np
import pytest

from polymodal.evaluation.baselines import (
    boosted_trees,
    mean,
    most_frequent,
    most_frequent_text,
    nearest_text,
    probe,
)
from polymodal.evaluation.metrics import measure
from polymodal.evaluation.outcome import Outcome

RANDOM = np.random.default_rng(0)
FEATURES = RANDOM.normal(size=(300, 4))
LEARNERS = [boosted_trees, probe]


def like(task, truth, labels=(), log=False):
    answer = np.zeros_like(truth) + (1 if task == "regression" else 0)
    answer = answer.astype(truth.dtype)
    return Outcome("target", task, truth, answer, None, labels, np.arange(len(truth)), log)


def test_the_most_frequent_class_with_the_shares_of_training():
    found = most_frequent(
        np.array([2, 2, 0]), like("classification", np.array([1, 2]), tuple("abc"))
    )
    assert found.answer.tolist() == [2, 2]
    assert found.probabilities == pytest.approx(np.tile([1 / 3, 0, 2 / 3], (2, 1)))


def test_each_tag_by_its_share():
    truth = np.array([[1, 0], [1, 0], [0, 1]], bool)
    found = most_frequent(truth, like("tagging", truth, ("x", "y")))
    assert found.answer.tolist() == [[True, False]] * 3
    assert found.probabilities[0] == pytest.approx([2 / 3, 1 / 3])


def test_the_mean_is_geometric_on_a_log_scale():
    truth = np.array([1.0, 100.0])
    assert mean(truth, like("regression", truth)).answer.tolist() == [50.5, 50.5]
    assert mean(truth, like("regression", truth, log=True)).answer == pytest.approx([10, 10])
    with pytest.raises(ValueError, match="1 training values are not above 0"):
        mean(np.array([0.0, 1.0]), like("regression", truth, log=True))


@pytest.mark.parametrize("learn", LEARNERS)
def test_classes_are_learned_and_one_without_training_rows_gets_nothing(learn):
    truth = (FEATURES[:, 0] > 0) * 2  # class 1 is never seen
    features = np.where(RANDOM.random(FEATURES.shape) < 0.05, np.nan, FEATURES)
    features[0, 1] = np.inf
    target = like("classification", truth[200:], ("a", "b", "c"))
    found = learn(features[:200], truth[:200], features[200:], target)
    assert measure(found)["accuracy"] > 0.85
    assert (found.probabilities[:, 1] == 0).all()
    assert found.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("learn", LEARNERS)
@pytest.mark.parametrize("log", [False, True])
def test_values_are_learned(learn, log):
    truth = np.exp(FEATURES[:, 0]) if log else 5 + FEATURES[:, 0]
    target = like("regression", truth[200:], log=log)
    found = learn(FEATURES[:200], truth[:200], FEATURES[200:], target)
    assert measure(found)["r2_log" if log else "r2"] > 0.8


@pytest.mark.parametrize("learn", LEARNERS)
def test_tags_are_learned_and_a_tag_without_examples_keeps_its_share(learn):
    truth = np.column_stack([FEATURES[:, 0] > 0, FEATURES[:, 1] > 0.5, np.zeros(300, bool)])
    target = like("tagging", truth[200:], ("a", "b", "never"))
    found = learn(FEATURES[:200], truth[:200], FEATURES[200:], target)
    assert measure(found)["map"] > 0.9
    assert (found.probabilities[:, 2] == 0).all()


@pytest.mark.parametrize("learn", LEARNERS)
def test_rare_classes_keep_their_share(learn, monkeypatch):
    monkeypatch.setattr("polymodal.evaluation.baselines.MOST_CLASSES", 2)
    truth = np.where(FEATURES[:, 0] > 0, 1, 0)
    truth[:10] = 2
    found = learn(FEATURES, truth, FEATURES, like("classification", truth, tuple("abc")))
    assert found.probabilities[:, 2] == pytest.approx(10 / 300)
    assert found.probabilities.sum(axis=1) == pytest.approx(1)


@pytest.mark.parametrize("learn", LEARNERS)
def test_nothing_to_learn_from_gives_the_constant_answer(learn):
    target = like("classification", np.array([1, 0]), ("a", "b"))
    one_class = learn(FEATURES[:5], np.ones(5, int), FEATURES[:2], target)
    assert one_class.answer.tolist() == [1, 1]
    constant = np.full((5, 2), np.nan)
    constant[:, 0] = 3
    no_feature = learn(constant, np.array([0, 0, 1, 0, 0]), constant[:2], target)
    assert no_feature.answer.tolist() == [0, 0]
    value = learn(constant, np.arange(5.0), constant[:2], like("regression", np.zeros(2)))
    assert value.answer.tolist() == [2, 2]


@pytest.mark.parametrize("learn", LEARNERS)
def test_at_most_max_rows_are_used_and_the_seed_decides_which(learn):
    truth = FEATURES[:, 0].copy()
    target = like("regression", truth)
    first, again, other = (
        learn(FEATURES, truth, FEATURES, target, max_rows=30, seed=seed).answer
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_arrays_that_do_not_fit_are_named():
    target = like("regression", np.zeros(2))
    with pytest.raises(ValueError, match="3 rows of features for 2 training rows"):
        probe(np.zeros((3, 1)), np.zeros(2), np.zeros((2, 1)), target)
    with pytest.raises(ValueError, match="no training row"):
        probe(np.zeros((0, 1)), np.zeros(0), np.zeros((2, 1)), target)


@pytest.mark.slow
def test_a_class_of_few_rows_does_not_ruin_the_trees():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(10), 130)
    truth[:125] = 1  # class 0 keeps 5 rows
    features = rng.normal(size=(1300, 60)) + np.eye(60)[truth] * 3
    like = Outcome(
        "kind", "classification", truth, truth, None, tuple("abcdefghij"), np.arange(1300)
    )
    assert boosted_trees(features, truth, features, like).right.mean() > 0.9


def written(rows: int) -> Outcome:
    answers, rows_ = np.array([""] * rows), np.arange(rows)
    return Outcome("said", "text", np.array([["x"]] * rows), answers, None, (), rows_)


def test_of_equally_frequent_texts_the_one_of_common_words():
    texts = [["a dog runs", "a dog sleeps"], ["a dog sits down"], ["zebras graze"]]
    assert most_frequent_text(texts, written(2)).answer.tolist() == ["a dog runs"] * 2
    again = [*texts, ["zebras graze"]]
    assert most_frequent_text(again, written(1)).answer.tolist() == ["zebras graze"]


def test_the_text_of_the_row_whose_inputs_are_most_alike():
    train = [np.array([[0.0], [10.0], [np.nan]]), np.array([[1.0, 1.0], [1.0, 1.0], [9.0, 1.0]])]
    test = [np.array([[9.0], [np.nan]]), np.array([[1.0, 1.0], [9.0, 5.0]])]
    texts = [["low", "small"], ["high"], ["far"]]
    assert nearest_text(train, texts, test, written(2)).answer.tolist() == ["high", "far"]
