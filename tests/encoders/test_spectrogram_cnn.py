import pytest
import torch

from polymodal.batch import Field
from polymodal.encoders import SpectrogramCnn


@pytest.mark.parametrize(("frames", "tokens"), [(1, 1), (8, 1), (9, 2), (80, 10)])
def test_a_token_stands_for_eight_frames(frames: int, tokens: int) -> None:
    encoder = SpectrogramCnn(8, width=8, base=2)
    sound = Field(torch.zeros(2, frames, 8), torch.ones(2).bool())
    assert encoder(sound).x.shape == (2, tokens, 8)
