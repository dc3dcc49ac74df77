"""A convolutional network over the log-mel spectrogram of a sound."""

from __future__ import annotations

import torch
from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masked_convolution import MaskedConvolutions
from polymodal.encoders.masking import masked_max, masked_mean


class SpectrogramCnn(Encoder):
    """Strided convolutions over time and frequency; one token for eight frames.

    The pooled vector is made of the mean and the maximum over time (Kong 2020, PANNs).

    *When to choose it*: sounds, spoken words, short music: the first thing to try, and quick on
    a CPU. Where the order of events matters over seconds, see :class:`SpectrogramRnn`.

    Args:
        mels: frequency bands of a frame.
        mean: mean of the log-mel values.
        std: standard deviation of the log-mel values.
        width: size of the tokens and of the pooled vector.
        base: channels of the first of four layers; the last has four times as many.
        dropout: chance of dropping a feature before the last layers in training.

    Example:
        >>> sound = Field(torch.zeros(2, 40, 64), present=torch.ones(2).bool())
        >>> tokens = SpectrogramCnn(mels=64)(sound)
        >>> tokens.x.shape, tokens.pooled.shape
        (torch.Size([2, 5, 128]), torch.Size([2, 128]))
    """

    def __init__(
        self,
        mels: int,
        mean: float = 0.0,
        std: float = 1.0,
        *,
        width: int = 128,
        base: int = 32,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        channels = (base, 2 * base, 3 * base, 4 * base)
        self.layers = MaskedConvolutions(mels, mean, std, channels=channels, strides=(2, 2, 2, 1))
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(self.layers.features, width)
        self.pool = nn.Linear(2 * width, width)

    def forward(self, field: Field) -> Tokens:
        """Log-mels ``(U, T, mels)``, mask ``(U, T)`` → tokens ``(U, ⌈T / 8⌉, D)``."""
        frames, mask = self.layers(field)
        x = self.project(self.dropout(frames))
        pooled = self.pool(torch.cat([masked_mean(x, mask), masked_max(x, mask)], -1))
        return Tokens(x, mask, pooled)
