import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import Cnn


@pytest.mark.parametrize(
    ("size", "layers", "grid"), [(2, 4, 2), (8, 4, 4), (28, 4, 4), (64, 5, 4), (65, 6, 3)]
)
def test_the_layers_fit_the_picture(size: int, layers: int, grid: int) -> None:
    encoder = Cnn(1, size, base=2, width=4).eval()
    pictures = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    with torch.no_grad():
        assert encoder(Field(pictures, torch.tensor([True]))).x.shape == (1, grid * grid, 4)
    assert sum(isinstance(m, torch.nn.Conv2d) for m in encoder.layers) == layers


def test_the_first_layer_keeps_the_full_size() -> None:
    encoder = Cnn(3, 32, base=2)
    pictures = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    assert encoder.layers[0](encoder.normalise(pictures)).shape == (2, 2, 32, 32)


def test_memory_stays_channels_last() -> None:
    encoder = Cnn(3, 16, base=2).eval()
    pictures = torch.zeros(2, 3, 16, 16, dtype=torch.uint8)
    grid = encoder.layers(encoder.normalise(pictures))
    assert grid.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [2, 28, 65])
def test_the_whole_grid_keeps_places(size: int) -> None:
    encoder = Cnn(1, size, base=2, width=4, pooling="grid").eval()
    picture = torch.zeros(1, 1, size, size, dtype=torch.uint8)
    picture[..., :1, :1] = 255
    with torch.no_grad():
        here, there = (
            encoder(Field(p, torch.tensor([True]))).pooled for p in (picture, picture.flip(-1))
        )
    assert here.shape == (1, 4) and not torch.allclose(here, there)
