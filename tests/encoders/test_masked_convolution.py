import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders.masked_convolution import MaskedConvolutions


@pytest.mark.parametrize(("mels", "bands"), [(1, 1), (4, 4), (5, 3), (16, 4), (64, 16)])
def test_the_size_of_a_frame(mels: int, bands: int) -> None:
    layers = MaskedConvolutions(mels, 0.0, 1.0, channels=(2, 3), strides=(2, 1))
    frames, mask = layers(Field(torch.zeros(2, 7, mels), torch.ones(2).bool()))
    assert layers.features == 3 * bands
    assert frames.shape == (2, 4, 3 * bands) and mask.shape == (2, 4)


def test_standardised_before_the_mask() -> None:
    """Silence of padding is the mean, not a value of zero."""
    layers = MaskedConvolutions(1, 10.0, 2.0, channels=(1,), strides=(1,)).eval()
    layers.convolutions[0].weight.data = torch.zeros(1, 1, 3, 3)
    layers.convolutions[0].weight.data[0, 0, 1, 1] = 1.0
    mask = torch.tensor([[True, False]])
    frames, _ = layers(Field(torch.tensor([[[14.0], [99.0]]]), torch.tensor([True]), mask))
    torch.testing.assert_close(frames.flatten(), torch.tensor([2.0, 0.0]), atol=1e-4, rtol=0)


def test_std_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive, not 0"):
        MaskedConvolutions(4, 0.0, 0.0, channels=(1,), strides=(1,))
