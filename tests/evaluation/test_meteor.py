import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.evaluation.meteor import aligned, meteor

nltk = pytest.importorskip("nltk.translate.meteor_score")


WORDS = ["a", "b", "c", "dogs", "dog", "runs", "run"]


class NoThesaurus:
    """WordNet as of a language of which it knows no word."""

    def synsets(self, word: str) -> list:
        return []


def test_by_hand():
    # 5 of 6 words of both, in 3 chunks: F = 5/6, penalty .5 * (3/5)^3
    said, true = "the cat is on a mat", "the mat has the cat on a"
    pairs = aligned(said.split(), true.split())
    assert [(said.split()[a], true.split()[b]) for a, b in pairs] == [
        ("the", "the"), ("cat", "cat"), ("on", "on"), ("a", "a"), ("mat", "mat"),
    ]  # fmt: skip
    precision, recall = 5 / 6, 5 / 7
    mean = 10 * precision * recall / (recall + 9 * precision)
    assert meteor(said, [true]) == pytest.approx(mean * (1 - 0.5 * (3 / 5) ** 3))


def test_stems_count():
    assert meteor("dogs running", ["dog runs"]) > 0.9


def test_the_published_example_of_nltk():
    """The sentences of the IBM report on BLEU, in nltk's documentation."""
    hypothesis = (
        "It is a guide to action which ensures that the military always obeys the commands of "
        "the party"
    )
    reference = (
        "It is a guide to action that ensures that the military will forever heed Party commands"
    )
    expected = nltk.single_meteor_score(
        reference.lower().split(), hypothesis.lower().split(), wordnet=NoThesaurus()
    )
    assert meteor(hypothesis, [reference]) == pytest.approx(expected)


@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=9),
)
def test_as_nltk_computes_it(said: list[str], true: list[str]):
    expected = nltk.single_meteor_score(true, said, wordnet=NoThesaurus())
    assert meteor(" ".join(said), [" ".join(true)]) == pytest.approx(expected)


def test_the_best_reference_counts():
    assert meteor("a dog", ["", "a cat", "a dog"]) == meteor("a dog", ["a dog"])
    assert meteor("", ["a dog"]) == 0
