import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import VisionTransformer


@pytest.mark.parametrize(("size", "patch", "side"), [(8, 1, 8), (28, 2, 14), (64, 8, 8)])
def test_the_patch_fits_the_picture(size: int, patch: int, side: int) -> None:
    encoder = VisionTransformer(1, size, width=8, depth=1)
    assert encoder.patches.kernel_size == (patch, patch)
    assert encoder.positions.shape == (side * side, 8)


def test_a_picture_that_is_no_multiple_of_the_patch_is_padded() -> None:
    encoder = VisionTransformer(1, 10, width=8, depth=1, patch=4)
    pictures = torch.zeros(2, 1, 10, 10, dtype=torch.uint8)
    assert encoder(Field(pictures, torch.ones(2).bool())).x.shape == (2, 9, 8)


def test_a_patch_must_fit() -> None:
    with pytest.raises(ValueError, match="patch of 9 pixels does not fit"):
        VisionTransformer(1, 8, patch=9)
