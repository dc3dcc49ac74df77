import pytest
import torch

from polymodal.encoders.pixels import PixelNormalisation


def test_by_hand() -> None:
    picture = torch.tensor([[[[0]], [[255]]]], dtype=torch.uint8)
    x = PixelNormalisation(2, mean=[0.5, 0.25], std=[0.25, 0.5])(picture)
    torch.testing.assert_close(x.flatten(), torch.tensor([-2.0, 1.5]))


def test_it_computes_in_the_dtype_of_autocast() -> None:
    picture = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    with torch.autocast("cpu", torch.bfloat16):
        assert PixelNormalisation(3)(picture).dtype == torch.bfloat16
    assert PixelNormalisation(3)(picture).dtype == torch.float32


def test_statistics_must_fit() -> None:
    with pytest.raises(ValueError, match="3 means and stds, not 1 and 3"):
        PixelNormalisation(3, mean=[0.5])
    with pytest.raises(ValueError, match="must be positive, not 0"):
        PixelNormalisation(1, std=[0.0])
