import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.evaluation.wording import exact_match, letters, token_f1, vqa_accuracy, words


def test_words_of_several_scripts():
    assert words("Don’t PANIC, 42!") == ("don’t", "panic", "42")
    assert words("两只狗在路上。") == ("两", "只", "狗", "在", "路", "上")
    assert words("Tシャツ red") == ("t", "シ", "ャ", "ツ", "red")
    assert words("ﬁne") == ("fine",)  # one letter of two
    assert letters("A  dog, 两 只狗") == "a dog 两只狗"


def test_exact_match_is_of_words():
    assert exact_match("A dog.", ["a cat", "a  dog"]) == 1
    assert exact_match("两只狗", ["两只 狗。"]) == 1
    assert exact_match("", ["a"]) == 0
    assert exact_match("?", ["?"]) == 1  # without words, the text itself


@pytest.mark.parametrize(
    ("agree", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_vqa_accuracy_of_ten_people(agree: int, score: float):
    """The published values of the official evaluation (visualqa.org)."""
    answers = ["yes"] * agree + ["no"] * (10 - agree)
    assert vqa_accuracy("yes", answers) == pytest.approx(score)


def test_f1_by_hand():
    assert token_f1("a a dog", ["a dog dog"]) == pytest.approx(2 / 3)
    assert token_f1("a dog", ["cat", "the dog runs"]) == pytest.approx(2 / 5)
    assert token_f1("", ["a"]) == 0


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text(answer: str, reference: str):
    for score in (exact_match, token_f1, vqa_accuracy):
        assert 0 <= score(answer, [reference]) <= 1
        assert score(answer, [answer]) == 1
    if exact_match(answer, [reference]):
        assert token_f1(answer, [reference]) == 1
