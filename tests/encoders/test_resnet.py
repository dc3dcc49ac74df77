import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import ResNet


@pytest.mark.parametrize(
    ("size", "first_stage", "grid"), [(28, 28, 7), (32, 32, 8), (64, 32, 8), (224, 56, 7)]
)
def test_the_stem_fits_the_picture(size: int, first_stage: int, grid: int) -> None:
    encoder = ResNet(1, size, base=2, depth=1, width=4).eval()
    pictures = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    with torch.no_grad():
        assert encoder.stem(encoder.normalise(pictures)).shape[-1] == first_stage
        assert encoder(Field(pictures, torch.tensor([True]))).x.shape == (1, grid * grid, 4)


def test_pooled_is_the_mean_of_the_tokens() -> None:
    encoder = ResNet(3, 16, base=2, width=4).eval()
    pictures = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    tokens = encoder(Field(pictures, torch.ones(2).bool()))
    torch.testing.assert_close(tokens.pooled, tokens.x.mean(1))
