"""One number as a token."""

from __future__ import annotations

import math

import torch
from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder

LIMIT = 8.0
FREQUENCIES = 16


class NumberEncoder(Encoder):
    """Standardised value beside learned cosines of it, then a linear layer.

    ``cos(2π(wx + b))`` with learned ``w, b`` lets a network bend where the data bend: Gorishniy
    2022 (periodic embeddings), in the form that Holzmüller 2024 (RealMLP, PBLD) found to need
    no tuning. Values are clipped at 8 standard deviations.

    *When to choose it*: every column of numbers.

    Args:
        center: what is subtracted first (mean or median, of the logarithm if ``log``).
        scale: what it is divided by (standard deviation), positive.
        log: take the natural logarithm first, for positive numbers over several magnitudes.
        width: size of the token.

    Raises:
        ValueError: scale is not positive.

    Example:
        >>> number = Field(torch.tensor([3.0, torch.nan]), present=torch.tensor([True, False]))
        >>> NumberEncoder(center=2.0, scale=0.5)(number).x.shape
        torch.Size([2, 1, 64])
    """

    def __init__(
        self, center: float = 0.0, scale: float = 1.0, log: bool = False, *, width: int = 64
    ) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"The scale of a number must be positive, not {scale}.")
        self.width, self.center, self.scale, self.log = width, center, scale, log
        self.frequency = nn.Parameter(0.1 * torch.randn(FREQUENCIES))
        self.phase = nn.Parameter(torch.rand(FREQUENCIES) - 0.5)
        self.project = nn.Linear(1 + FREQUENCIES, width)

    def standardise(self, field: Field) -> torch.Tensor:
        """Standard deviations from the centre ``(B,)``; 0 where absent, whatever stands there."""
        neutral = math.exp(self.center) if self.log else self.center
        x = torch.where(field.present, field.values.float(), neutral)
        if self.log:
            x = x.clamp(min=torch.finfo(x.dtype).tiny).log()
        return ((x - self.center) / self.scale).clamp(-LIMIT, LIMIT)

    def forward(self, field: Field) -> Tokens:
        """Numbers ``(B,)`` → one token each ``(B, 1, D)``."""
        x = self.standardise(field).unsqueeze(-1)  # (B, 1)
        waves = torch.cos(2 * torch.pi * (x * self.frequency + self.phase))
        pooled = self.project(torch.cat([x, waves], -1))
        return Tokens(pooled.unsqueeze(1), None, pooled)
