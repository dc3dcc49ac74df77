"""Naming cells by words."""

import numpy as np
import pytest

from polymodal.errors import PolymodalError
from polymodal.evaluation.zero_shot import label_shares, prompts


def test_prompts_are_checked() -> None:
    assert prompts(["dog", "cat"], ["{}", "a {}!"]) == [["dog", "a dog!"], ["cat", "a cat!"]]
    with pytest.raises(PolymodalError, match="where the label goes"):
        prompts(["dog", "cat"], "a photo")
    for labels in (["dog"], ["dog", "dog"]):
        with pytest.raises(PolymodalError, match="two or more labels"):
            prompts(labels, "{}")


def test_shares_are_a_softmax_over_cosines() -> None:
    cells = np.array([[0.6, 0.8], [0.0, 0.0]])
    shares = label_shares(cells, np.eye(2), scale=10.0)
    assert shares[0].tolist() == pytest.approx([1 / (1 + np.exp(2)), 1 / (1 + np.exp(-2))])
    assert np.isnan(shares[1]).all()
