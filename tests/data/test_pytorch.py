"""PyTorch is there when it is asked for."""

import numpy as np

from polymodal.data.media import is_tensor
from polymodal.data.pytorch import torch


def test_it_is_the_package() -> None:
    import torch as real

    assert torch.float32 is real.float32
    assert is_tensor(torch.zeros(1)) and not is_tensor(np.zeros(1))
