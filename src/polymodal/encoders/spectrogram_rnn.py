"""A recurrent network over the log-mel spectrogram of a sound."""

from __future__ import annotations

from typing import Literal

from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masked_convolution import MaskedConvolutions
from polymodal.encoders.masking import masked_max
from polymodal.encoders.recurrent import Recurrent


class SpectrogramRnn(Encoder):
    """Two strided convolutions, then a GRU or LSTM (CRNN, Choi 2017); a token per four frames.

    The pooled vector is the maximum over time.

    *When to choose it*: sounds in which the order of events matters (words, gestures of a
    melody), of up to some ten seconds. :class:`SpectrogramCnn` is quicker.

    Args:
        mels: frequency bands of a frame.
        mean: mean of the log-mel values.
        std: standard deviation of the log-mel values.
        width: size of the tokens and of the pooled vector; even if bidirectional.
        base: channels of the first convolution; the second has twice as many.
        cell: "gru", or "lstm" which a CPU runs faster on long sounds.
        depth: number of recurrent layers.
        bidirectional: read each sound from both ends.
        dropout: chance of dropping a feature in training.

    Example:
        >>> import torch
        >>> sound = Field(torch.zeros(2, 40, 64), present=torch.ones(2).bool())
        >>> SpectrogramRnn(mels=64)(sound).x.shape
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
        cell: Literal["gru", "lstm"] = "gru",
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.stem = MaskedConvolutions(mels, mean, std, channels=(base, 2 * base), strides=(2, 2))
        self.project = nn.Linear(self.stem.features, width)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = Recurrent(
            width, width, cell=cell, depth=depth, bidirectional=bidirectional, dropout=dropout
        )

    def forward(self, field: Field) -> Tokens:
        """Log-mels ``(U, T, mels)``, mask ``(U, T)`` → tokens ``(U, ⌈T / 4⌉, D)``."""
        frames, mask = self.stem(field)
        x = self.recurrent(self.dropout(self.project(frames)), mask)
        return Tokens(x, mask, masked_max(x, mask))
