import sys

import numpy as np
import pytest

from polymodal.evaluation import evaluate
from polymodal.evaluation.intervals import bootstrap_headline, bootstrap_headlines
from polymodal.evaluation.metrics import headline, headline_value, measure
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.prediction import reference_array
from polymodal.evaluation.scores import difference
from polymodal.evaluation.text_scores import missing_packages, text_parts


def written(
    answers: list[str], references: list[list[str]], surprise: list[list[float]] | None = None
) -> Outcome:
    said = np.array(answers)
    noted = None if surprise is None else np.array(surprise)
    rows = np.arange(len(answers))
    return Outcome("t", "text", reference_array(references), said, None, (), rows, surprise=noted)


SHORT = written(["red", "blue", "red"], [["red"], ["green"], ["Red!"]])
LONG = written(["a dog runs fast"] * 8, [["a dog runs on the grass"]] * 4 + [["two men"]] * 4)
CAPTIONS = written(
    ["a dog runs fast", "two men play ball"] * 4,
    [["a dog runs on grass", "the dog is running here"], ["two men play", "men with a ball"]] * 4,
)


def test_the_headline_goes_by_the_texts():
    assert [headline(o) for o in (SHORT, LONG, CAPTIONS)] == ["exact_match", "token_f1", "cider"]
    for outcome in (SHORT, LONG, CAPTIONS):
        scores = evaluate(outcome, resamples=50)
        assert scores.metric == headline(outcome) == next(iter(measure(outcome)))
        assert scores.headline.value == pytest.approx(headline_value(outcome))


def test_scores_by_hand():
    found = measure(SHORT)
    assert found["exact_match"] == pytest.approx(2 / 3)
    assert found["wer"] == pytest.approx(1 / 3)
    assert SHORT.right.tolist() == [True, False, True]
    assert SHORT.errors.tolist() == [0, 1, 0] and SHORT.worst(1).tolist() == [1]


def test_perplexity():
    outcome = written(["a", "b"], [["a"], ["b"]], [[np.log(4), 1], [np.log(16), 2]])
    assert measure(outcome)["perplexity"] == pytest.approx(4)
    assert "perplexity" not in measure(SHORT)


def test_people_who_agree():
    outcome = written(["red"], [["red", "red", "blue", "red"]])
    assert measure(outcome)["vqa_accuracy"] == pytest.approx(0.75)
    assert "vqa_accuracy" not in measure(SHORT)


def test_every_score_has_an_interval_around_it():
    for outcome in (SHORT, LONG, CAPTIONS):
        for name, score in evaluate(outcome, resamples=60).scores.items():
            assert score.low <= score.value <= score.high, name


def test_intervals_narrow_as_rows_grow():
    rng = np.random.default_rng(0)

    def width(rows: int) -> float:
        said = np.where(rng.random(rows) < 0.5, "red", "blue").tolist()
        score = evaluate(written(said, [["red"]] * rows))["exact_match"]
        return score.high - score.low

    # The interval of a mean of coin tosses: 2 * 1.96 * sqrt(.25 / N)
    assert width(100) == pytest.approx(0.196, rel=0.15)
    assert width(2500) == pytest.approx(0.039, rel=0.15)


def test_paired_differences():
    other = written(["red", "green", "red"], [["red"], ["green"], ["Red!"]])
    assert difference(other, SHORT).value == pytest.approx(1 / 3)
    drawn = bootstrap_headlines([other, SHORT], resamples=100)
    assert np.array_equal(drawn[1], bootstrap_headline(SHORT, resamples=100))
    assert (drawn[0] == 1).all() and (drawn[1] <= 1).all()


def test_scores_whose_package_is_not_there_are_left_out(monkeypatch: pytest.MonkeyPatch):
    for package in (
        "sacrebleu",
        "jiwer",
        "rouge_score.rouge_scorer",
        "pycocoevalcap.cider.cider_scorer",
    ):
        monkeypatch.setitem(sys.modules, package, None)
    text_parts.cache_clear()
    again = written(CAPTIONS.answer.tolist(), CAPTIONS.truth.tolist())
    assert set(measure(again)) == {"exact_match", "token_f1", "meteor"}
    assert headline(again) == "token_f1"
    assert missing_packages() == ["sacrebleu", "rouge-score", "pycocoevalcap", "jiwer"]


def test_what_is_no_outcome_of_texts():
    with pytest.raises(ValueError, match="not a text for each"):
        Outcome("t", "text", np.array([["a"]]), np.array([1]), None, (), np.arange(1))
    with pytest.raises(ValueError, match="is a text, which has no probabilities"):
        Outcome("t", "text", np.array([["a"]]), np.array(["a"]), np.ones((1, 1)), (), np.arange(1))
