import numpy as np
import pytest

from polymodal.evaluation.n_grams import Bleu, Chrf, rouge_l

sacrebleu = pytest.importorskip("sacrebleu")

SAID = ["The dog bit the guy.", "It wasn't surprising.", "The man had just bitten him."]
TRUE = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def test_as_sacrebleu_computes_it():
    """The example of sacrebleu's documentation, with a word more to match."""
    columns = [list(column) for column in zip(*TRUE, strict=True)]
    bleu, chrf = Bleu(TRUE), Chrf()
    scores = bleu.of_sums(bleu.counts(SAID, TRUE).sum(0))
    for order in (1, 2, 3, 4):
        metric = sacrebleu.BLEU(lowercase=True, max_ngram_order=order)
        expected = metric.corpus_score(SAID, columns).score / 100
        assert scores[f"bleu_{order}"] == pytest.approx(expected)
    found = chrf.of_sums(chrf.counts(SAID, TRUE).sum(0))["chrf"]
    expected = sacrebleu.CHRF(lowercase=True).corpus_score(SAID, columns).score / 100
    assert found == pytest.approx(expected)


def test_rows_with_fewer_references():
    bleu = Bleu(TRUE)
    fewer = [TRUE[0][:1], TRUE[1], TRUE[2]]
    assert bleu.counts(SAID, fewer).shape == (3, 10)
    assert bleu.counts(SAID[:1], fewer[:1])[0].tolist()[2:] == [5, 3, 2, 1, 6, 5, 4, 3]


def test_chinese_is_cut_into_characters():
    bleu = Bleu([["两只狗打架"]])
    scores = bleu.of_sums(bleu.counts(["两只猫打架"], [["两只狗打架"]]).sum(0))
    assert scores["bleu_1"] == pytest.approx(4 / 5)
    assert scores["bleu_2"] == pytest.approx((4 / 5 * 2 / 4) ** 0.5)


def test_single_words_have_no_sequences():
    bleu = Bleu([["red"], ["blue"]])
    assert set(bleu.of_sums(bleu.counts(["red", "red"], [["red"], ["blue"]]).sum(0))) == {"bleu_1"}


def test_rouge_by_hand():
    # the longest common subsequence has 4 of 6 and 4 of 5 words
    found = rouge_l(["the cat sat on the mat", "两只狗"], [["the cat on mat now", "x"], ["两狗"]])
    np.testing.assert_allclose(found, [2 * 4 / 11, 2 * 2 / 5])
