import math

import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import NumberEncoder


def test_standardised_by_hand() -> None:
    values = torch.tensor([4.0, -1e9, torch.nan])
    number = Field(values, torch.tensor([True, True, False]))
    assert NumberEncoder(2.0, 0.5).standardise(number).tolist() == [4.0, -8.0, 0.0]


def test_logarithm_by_hand() -> None:
    number = Field(torch.tensor([math.e**3, 0.0]), torch.tensor([True, True]))
    x = NumberEncoder(1.0, 4.0, log=True).standardise(number)
    torch.testing.assert_close(x, torch.tensor([0.5, -8.0]))


@pytest.mark.parametrize("scale", [0.0, -1.0, math.nan])
def test_the_scale_must_be_positive(scale: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        NumberEncoder(0.0, scale)
