"""Stretches of a series as tokens, and nothing more."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.nn import functional as F

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean
from polymodal.encoders.observations import Observations
from polymodal.encoders.pixels import compute_dtype
from polymodal.transformer import sinusoidal_positions


class Stretches(Encoder):
    """A linear map of some steps side by side, plus sines and cosines of their place.

    The patches of PatchTST (Nie 2023), but a token holds all channels of its stretch. No token
    knows of another: that is left to the fusion. The pooled vector is the mean of the real tokens.

    *When to choose it*: with the fusion ``early``, whose default for series it is, and where
    ``joint_transformer`` is to learn everything itself. Otherwise take :class:`SeriesCnn`.

    Args:
        channels: channels C of the series.
        mean: of each channel.
        std: standard deviation of each channel.
        width: size of the tokens and of the pooled vector.
        patch: steps that one token holds.

    Raises:
        ValueError: a patch of no step.

    Example:
        >>> import torch
        >>> series = Field(torch.zeros(2, 100, 3), present=torch.ones(2).bool())
        >>> Stretches(3, [0.0] * 3, [1.0] * 3)(series).x.shape
        torch.Size([2, 13, 128])
    """

    def __init__(
        self,
        channels: int,
        mean: Sequence[float],
        std: Sequence[float],
        *,
        width: int = 128,
        patch: int = 8,
    ) -> None:
        super().__init__()
        if patch < 1:
            raise ValueError(f"A patch holds at least one step, not {patch}.")
        self.width, self.patch = width, patch
        self.observations = Observations(channels, mean, std)
        self.project = nn.Linear(patch * self.observations.features, width)

    def forward(self, field: Field) -> Tokens:
        """Series ``(U, T, C)``, mask ``(U, T)`` → tokens ``(U, ⌈T / patch⌉, D)``."""
        x, mask = self.observations(field)
        tokens = (x.shape[1] + self.patch - 1) // self.patch
        x = F.pad(x, (0, 0, 0, self.patch - 1))[:, : tokens * self.patch]
        x = x.reshape(x.shape[0], tokens, -1)  # (U, T / patch, patch C)
        x = self.project(x.to(compute_dtype(self.project.weight)))
        x = x + sinusoidal_positions(x.shape[1], self.width, x.device).to(x.dtype)
        mask = mask[:, :: self.patch]  # padding comes last: the first step tells
        return Tokens(x, mask, masked_mean(x, mask))
