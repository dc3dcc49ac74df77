"""A Transformer over the log-mel spectrogram of a sound."""

from __future__ import annotations

from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masked_convolution import MaskedConvolutions
from polymodal.encoders.masking import masked_mean
from polymodal.transformer import Transformer, sinusoidal_positions


class SpectrogramTransformer(Encoder):
    """Two strided convolutions, then a pre-norm Transformer; a token for four frames.

    Convolutions before attention: Whisper (Radford 2023). Positions are sines and cosines, so a
    sound may be of any length. The pooled vector is the mean of the real tokens.

    *When to choose it*: longer sounds and larger data sets, or fusions that attend over tokens.
    On little data :class:`SpectrogramCnn` learns faster.

    Args:
        mels: frequency bands of a frame.
        mean: mean of the log-mel values.
        std: standard deviation of the log-mel values.
        width: size of the tokens and of the pooled vector; a multiple of the heads.
        base: channels of the first convolution; the second has twice as many.
        depth: number of blocks.
        heads: attention heads of each block.
        dropout: chance of dropping a feature in training.

    Example:
        >>> import torch
        >>> sound = Field(torch.zeros(2, 40, 64), present=torch.ones(2).bool())
        >>> SpectrogramTransformer(mels=64)(sound).x.shape
        torch.Size([2, 10, 128])
    """

    def __init__(
        self,
        mels: int,
        mean: float = 0.0,
        std: float = 1.0,
        *,
        width: int = 128,
        base: int = 32,
        depth: int = 2,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.stem = MaskedConvolutions(mels, mean, std, channels=(base, 2 * base), strides=(2, 2))
        self.project = nn.Linear(self.stem.features, width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = Transformer(width, depth, heads=heads, dropout=dropout)

    def forward(self, field: Field) -> Tokens:
        """Log-mels ``(U, T, mels)``, mask ``(U, T)`` → tokens ``(U, ⌈T / 4⌉, D)``."""
        frames, mask = self.stem(field)
        x = self.project(frames)
        x = x + sinusoidal_positions(x.shape[1], self.width, x.device).to(x.dtype)
        x = self.transformer(self.dropout(x), mask)
        return Tokens(x, mask, masked_mean(x, mask))
