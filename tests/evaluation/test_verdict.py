import numpy as np
import pytest

from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.scores import Score
from polymodal.evaluation.verdict import verdict

N = 400
TRUTH = np.arange(N) % 2


def right_on(share, seed=0):
    wrong = np.random.default_rng(seed).random(N) >= share
    answer = np.where(wrong, 1 - TRUTH, TRUTH)
    return Outcome("answer", "classification", TRUTH, answer, None, ("no", "yes"), np.arange(N))


def test_better_than_the_best_other():
    found = verdict(right_on(0.95), {"most_frequent": right_on(0.5, 1), "photo": right_on(0.7, 2)})
    assert (found.kind, found.name) == ("better", "photo")
    assert 0 < found.difference.low < found.difference.value < found.difference.high
    assert "Better than the best other way, “only photo”: accuracy" in found.sentence()
    assert "95% interval" in found.sentence()
    assert "优于" in found.sentence("zh")


def test_a_difference_within_noise_is_called_so():
    found = verdict(right_on(0.80), {"boosted_trees": right_on(0.79, 1)})
    assert found.kind == "same"
    assert "No better than “boosted trees”" in found.sentence()
    assert "within noise" in found.sentence()
    assert "噪声" in found.sentence("zh") and "“梯度提升树”" in found.sentence("zh")


def test_the_same_answers_are_no_better():
    assert verdict(right_on(0.8), {"question": right_on(0.8)}).kind == "same"


def test_worse_says_use_the_other_alone_and_turns_the_sign():
    found = verdict(right_on(0.6), {"question": right_on(0.9, 1)})
    assert found.kind == "worse" and found.difference.high < 0
    assert found.sentence().endswith("Use “only question” instead.")
    assert "−" not in found.sentence()
    assert "请改用“仅 question”" in found.sentence("zh")


def test_without_others_or_headline_nothing_is_claimed():
    assert verdict(right_on(0.9), {}).kind == "unknown"
    assert "cannot be said" in verdict(right_on(0.9), {}).sentence()
    flat = Outcome("p", "regression", np.ones(4), np.ones(4), None, (), np.arange(4))
    assert verdict(flat, {"mean": flat}).kind == "unknown"


@pytest.mark.parametrize(
    ("without", "kind", "english", "chinese"),
    [
        (Score(0.6, 0.55, 0.65), "yes", "helps", "有帮助"),
        (Score(0.89, 0.85, 0.93), "unclear", "no clear difference", "没有明显作用"),
        (Score(0.99, 0.98, 1.0), "no", "hurts", "有害"),
    ],
)
def test_each_modality_is_judged_by_the_score_without_it(without, kind, english, chinese):
    subsets = [
        (("photo", "question"), Score(0.9, 0.87, 0.93)),
        (frozenset({"question"}), without),
    ]
    (found,) = verdict(right_on(0.9), {}, subsets=subsets).helps
    assert (found.column, found.kind) == ("photo", kind)
    assert english in found.sentence() and chinese in found.sentence("zh")


def test_a_single_input_is_not_judged():
    assert verdict(right_on(0.9), {}, subsets=[(("photo",), Score(0.9, 0.8, 1.0))]).helps == ()
