import math

import pytest
import torch

from polymodal.batch import Field
from polymodal.errors import RecipeError
from polymodal.heads import Classification

LOGITS = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])  # probabilities 1/4 3/4, 1/2 1/2
TARGET = Field(torch.tensor([1, 0]), torch.tensor([True, True]))


def test_cross_entropy_by_hand():
    loss = Classification(4, 2).loss(LOGITS, TARGET)["cross_entropy"]
    assert loss.item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_focal_loss_by_hand():
    loss = Classification(4, 2, loss="focal", focal_gamma=2).loss(LOGITS, TARGET)["focal"]
    assert loss.item() == pytest.approx((math.log(4 / 3) / 16 + math.log(2) / 4) / 2)


def test_class_weights_by_hand():
    loss = Classification(4, 2, class_weights=[3, 1]).loss(LOGITS, TARGET)["cross_entropy"]
    assert loss.item() == pytest.approx((math.log(4 / 3) + 3 * math.log(2)) / 4)


def test_label_smoothing_by_hand():
    head = Classification(4, 2, label_smoothing=0.2)
    loss = head.loss(LOGITS[:1], Field(torch.tensor([1]), torch.tensor([True])))["cross_entropy"]
    assert loss.item() == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4))


def test_answers_and_probabilities():
    head = Classification(4, 2)
    torch.testing.assert_close(head.probabilities(LOGITS), torch.tensor([[0.25, 0.75], [0.5, 0.5]]))
    assert head.answer(LOGITS).tolist() == [1, 0]


def test_a_certain_row_has_a_finite_gradient_in_the_focal_loss():
    logits = torch.tensor([[0.0, 200.0]], requires_grad=True)
    head = Classification(4, 2, loss="focal", focal_gamma=0.5)
    head.loss(logits, Field(torch.tensor([1]), torch.tensor([True])))["focal"].backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "hinge"}, "loss is 'hinge'; known are"),
        ({"focal_gamma": -1.0}, "focal_gamma is -1.0"),
        ({"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        ({"class_weights": [1.0]}, "1 class_weights for 3 classes"),
        ({"class_weights": [1.0, 0.0, 2.0]}, "must be positive"),
    ],
)
def test_options_out_of_range_are_errors(options, message):
    with pytest.raises(RecipeError, match=message):
        Classification(4, 3, **options)
