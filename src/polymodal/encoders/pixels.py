"""From the bytes of pictures to normalised numbers, in the precision the network computes in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class PixelNormalisation(nn.Module):
    """``(x / 255 - mean) / std`` per channel.

    Pictures travel as uint8 (a quarter of the memory) and become floating-point numbers here,
    in the dtype the next layer computes in.

    Args:
        channels: colour channels of a picture.
        mean: mean of each channel on a scale of 0 to 1; None takes 0.5.
        std: standard deviation of each channel on that scale; None takes 0.25.

    Raises:
        ValueError: mean or std have not one number per channel, or a std is not positive.
    """

    def __init__(
        self,
        channels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        mean = [0.5] * channels if mean is None else list(mean)
        std = [0.25] * channels if std is None else list(std)
        if not len(mean) == len(std) == channels:
            raise ValueError(
                f"Pictures of {channels} channels need {channels} means and stds, "
                f"not {len(mean)} and {len(std)}."
            )
        if min(std) <= 0:
            raise ValueError(f"A channel's std must be positive, not {min(std)}.")
        # They come from the constructor on loading too, so the weights need not hold them.
        self.scale: Tensor
        self.shift: Tensor
        scale = 1 / (255 * torch.tensor(std))
        shift = -torch.tensor(mean) / torch.tensor(std)
        self.register_buffer("scale", scale.reshape(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.reshape(1, -1, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Normalise ``(U, C, H, W)`` uint8 → floating point, in channels_last memory."""
        dtype = compute_dtype(self.scale)
        x = pictures.contiguous(memory_format=torch.channels_last).to(dtype)
        return torch.addcmul(self.shift.to(dtype), x, self.scale.to(dtype))


def compute_dtype(parameter: Tensor) -> torch.dtype:
    """The dtype in which a layer with this parameter computes: autocast's, or its own."""
    device = parameter.device.type
    return (
        torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else parameter.dtype
    )


def channels_last(module: nn.Module) -> None:
    """Lay out weights of two-dimensional convolutions as pictures are; others cannot be so."""
    for weight in module.parameters():
        if weight.ndim == 4:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
