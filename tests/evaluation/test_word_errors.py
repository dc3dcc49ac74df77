import pytest

from polymodal.evaluation.word_errors import character_errors, word_errors

pytest.importorskip("jiwer")


def test_by_hand():
    said = ["the cat sat", "", "one two", "kitten", "更好"]
    true = [["the cat sits down"], ["a b"], ["three", "one two!"], ["sitting"], ["很好"]]
    assert word_errors(said, true).tolist() == [[2, 4], [2, 2], [0, 2], [1, 1], [1, 2]]
    errors = character_errors(said, true)
    assert errors[3].tolist() == [3, 7] and errors[4].tolist() == [1, 2]
    assert errors[1].tolist() == [3, 3]


def test_a_reference_without_words():
    assert word_errors(["a b"], [["…"]]).tolist() == [[2, 0]]
