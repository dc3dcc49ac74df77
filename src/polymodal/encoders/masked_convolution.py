"""Convolutions over spectrograms in which padding has no influence."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polymodal.batch import Field
from polymodal.encoders.masking import real_values, token_mask
from polymodal.encoders.pixels import compute_dtype

LEAST_BANDS = 4


class MaskedConvolutions(nn.Module):
    """3×3 convolutions over (time, frequency), each with batch normalisation and ReLU.

    After each layer all frames of padding are set to zero, so that a sound's end looks to the
    next layer as the end of the picture does: how much padding follows changes nothing.
    In training alone, batch normalisation still counts the frames of padding among its own:
    batch sounds by length.

    Args:
        mels: frequency bands of a frame.
        mean: mean of all bands, subtracted first.
        std: standard deviation of all bands, divided by.
        channels: output channels of each layer.
        strides: by how much each layer reduces time, 1 or 2. Each halves the bands, too, as
            long as there are more than 4.

    Raises:
        ValueError: std is not positive.
    """

    def __init__(
        self,
        mels: int,
        mean: float,
        std: float,
        *,
        channels: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> None:
        super().__init__()
        if std <= 0:
            raise ValueError(f"The std of a spectrogram must be positive, not {std}.")
        self.mean, self.std, self.strides = mean, std, strides
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        inputs, bands = 1, mels
        for outputs, stride in zip(channels, strides, strict=True):
            across = 2 if bands > LEAST_BANDS else 1
            self.convolutions.append(
                nn.Conv2d(inputs, outputs, 3, (stride, across), padding=1, bias=False)
            )
            self.norms.append(nn.BatchNorm2d(outputs))
            inputs, bands = outputs, -(-bands // across)
        self.features = inputs * bands
        """Size of an output frame: channels × bands."""

    def forward(self, field: Field) -> tuple[Tensor, Tensor]:
        """Log-mels ``(U, T, mels)`` → frames ``(U, T', features)`` and their mask ``(U, T')``."""
        mask = token_mask(field)
        dtype = compute_dtype(next(self.parameters()))
        x = ((real_values(field).float() - self.mean) / self.std).to(dtype)
        x = (x * mask.unsqueeze(-1)).unsqueeze(1)  # (U, 1, T, mels)
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution, norm, stride in zip(
            self.convolutions, self.norms, self.strides, strict=True
        ):
            mask = mask[:, ::stride]
            x = F.relu(norm(convolution(x))) * mask[:, None, :, None]
        return x.transpose(1, 2).flatten(2), mask
