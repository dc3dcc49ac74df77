import numpy as np
import pytest

from polymodal.evaluation.cider import cider

coco = pytest.importorskip("pycocoevalcap.cider.cider")

SAID = ["a dog runs on grass", "two men play", "a red car"]
TRUE = [["a dog runs", "the dog is on grass"], ["two men play ball"], ["a blue car", "the car"]]


def test_as_the_coco_captions_are_scored():
    references = {i: texts for i, texts in enumerate(TRUE)}
    answers = {i: [text] for i, text in enumerate(SAID)}
    mean, each = coco.Cider().compute_score(references, answers)
    np.testing.assert_allclose(cider(SAID, TRUE), each)
    assert cider(SAID, TRUE).mean() == pytest.approx(mean)


def test_by_hand():
    """One word that one of two rows has, as in its reference; orders 2 to 4 are empty."""
    found = cider(["dog", "cat"], [["dog"], ["bird"]])
    np.testing.assert_allclose(found, [10 / 4, 0])


def test_without_words():
    assert cider(["?"], [["!"]]).tolist() == [0]
    assert cider([], []).shape == (0,)
