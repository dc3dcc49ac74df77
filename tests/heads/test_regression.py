import math

import pytest
import torch

from polymodal.batch import Field
from polymodal.errors import PolymodalError, RecipeError
from polymodal.heads import Regression

HERE = torch.tensor([True, True])


def test_losses_by_hand():
    target = Field(torch.tensor([120.0, 70.0]), HERE)  # z 2 and -3
    prediction = torch.tensor([1.5, 0.0])  # errors 0.5 and 3
    huber = Regression(4, center=100, scale=10).loss(prediction, target)["huber"]
    assert huber.item() == pytest.approx((0.125 + 2.5) / 2)
    mse = Regression(4, center=100, scale=10, loss="mse").loss(prediction, target)["mse"]
    assert mse.item() == pytest.approx((0.25 + 9) / 2)
    wide = Regression(4, center=100, scale=10, delta=2).loss(prediction, target)["huber"]
    assert wide.item() == pytest.approx((0.125 + 4) / 2)


def test_answers_in_the_unit_of_the_target():
    z = torch.tensor([0.0, 2.0])
    assert Regression(4, center=100, scale=10).answer(z).tolist() == [100, 120]
    head = Regression(4, center=math.log(1000), scale=math.log(10), log=True)
    torch.testing.assert_close(head.answer(z), torch.tensor([1e3, 1e5]))


def test_the_right_answer_costs_nothing():
    values = torch.tensor([1e3, 1e5])
    head = Regression(4, center=math.log(1000), scale=math.log(10), log=True)
    loss = head.loss(torch.tensor([0.0, 2.0]), Field(values, HERE))["huber"]
    assert loss.item() == pytest.approx(0, abs=1e-10)


def test_digits_of_a_large_center_survive():
    values = torch.tensor([1e9 + 1, 1e9 - 1], dtype=torch.float64)
    head = Regression(4, center=1e9, scale=1, loss="mse")
    assert head.loss(torch.tensor([1.0, -1.0]), Field(values, HERE))["mse"].item() == 0


def test_log_of_a_target_that_is_not_positive_is_an_error():
    head = Regression(4, log=True)
    with pytest.raises(PolymodalError, match="-2, which has no logarithm"):
        head.loss(torch.zeros(2), Field(torch.tensor([1.0, -2.0]), HERE))
    absent = torch.tensor([True, False])
    head.loss(torch.zeros(2), Field(torch.tensor([1.0, -2.0]), absent))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0.0}, "scale is 0.0"),
        ({"delta": 0.0}, "delta is 0.0"),
        ({"loss": "mae"}, "loss is 'mae'; known are"),
    ],
)
def test_options_out_of_range_are_errors(options, message):
    with pytest.raises(RecipeError, match=message):
        Regression(4, **options)
