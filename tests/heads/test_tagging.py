import math

import pytest
import torch

from polymodal.batch import Field
from polymodal.errors import RecipeError
from polymodal.heads import Tagging

LOGITS = torch.tensor([[math.log(3.0), 0.0]])  # probabilities 3/4 and 1/2
TARGET = Field(torch.tensor([[1.0, 0.0]]), torch.tensor([True]))


def test_binary_cross_entropy_by_hand():
    loss = Tagging(4, 2).loss(LOGITS, TARGET)["binary_cross_entropy"]
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_positive_weights_by_hand():
    head = Tagging(4, 2, positive_weights=[5, 7])
    loss = head.loss(LOGITS, TARGET)["binary_cross_entropy"]
    assert loss.item() == pytest.approx((5 * math.log(4 / 3) + math.log(2)) / 2)


def test_answers_reach_the_threshold():
    assert Tagging(4, 2).answer(LOGITS).tolist() == [[True, True]]
    assert Tagging(4, 2, threshold=0.6).answer(LOGITS).tolist() == [[True, False]]
    torch.testing.assert_close(Tagging(4, 2).probabilities(LOGITS), torch.tensor([[0.75, 0.5]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"positive_weights": [1.0]}, "1 positive_weights for 2 labels"),
        ({"positive_weights": [1.0, -1.0]}, "must be positive"),
    ],
)
def test_options_out_of_range_are_errors(options, message):
    with pytest.raises(RecipeError, match=message):
        Tagging(4, 2, **options)
