"""A set of labels as a token."""

from __future__ import annotations

import torch
from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder


class TagsEncoder(Encoder):
    """The sum of a learned vector for each label that is there, and of one for the set itself.

    *When to choose it*: every column in which a row may have several labels.

    Args:
        labels: number of labels.
        width: size of the token.

    Example:
        >>> tags = Field(torch.tensor([[1.0, 0, 1], [0, 0, 0]]), torch.tensor([True, True]))
        >>> TagsEncoder(labels=3)(tags).x.shape
        torch.Size([2, 1, 64])
    """

    def __init__(self, labels: int, *, width: int = 64) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(labels, width)

    def forward(self, field: Field) -> Tokens:
        """Labels ``(B, L)``, 1 where there and 0 where not → one token each ``(B, 1, D)``."""
        there = torch.where(field.present.unsqueeze(-1), field.values.float(), 0.0)
        pooled = self.project(there)
        return Tokens(pooled.unsqueeze(1), None, pooled)
