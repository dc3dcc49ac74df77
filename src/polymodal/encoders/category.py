"""One category as a token."""

from __future__ import annotations

import torch
from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder


class CategoryEncoder(Encoder):
    """A learned vector for each category (Guo & Berkhahn 2016, entity embeddings).

    *When to choose it*: every column of categories.

    Args:
        classes: number of categories.
        width: size of the token.

    Example:
        >>> kind = Field(torch.tensor([2, 0]), present=torch.tensor([True, True]))
        >>> CategoryEncoder(classes=3)(kind).x.shape
        torch.Size([2, 1, 64])
    """

    def __init__(self, classes: int, *, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(classes, width)

    def forward(self, field: Field) -> Tokens:
        """Class numbers ``(B,)`` → one token each ``(B, 1, D)``."""
        pooled = self.embedding(torch.where(field.present, field.values, 0))
        return Tokens(pooled.unsqueeze(1), None, pooled)
