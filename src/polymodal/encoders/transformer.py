"""The Transformer that several encoders share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Transformer(nn.Module):
    """Pre-norm self-attention blocks with a final norm (Vaswani 2017, Xiong 2020).

    Args:
        width: size D of the tokens.
        depth: number of blocks.
        heads: attention heads of each block; must divide the width.
        dropout: chance of dropping an activation in training.
        expansion: hidden size of the feed-forward part, in multiples of the width.

    Raises:
        ValueError: the heads do not divide the width.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        heads: int = 4,
        dropout: float = 0.0,
        expansion: float = 4.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"heads={heads} does not divide width={width}.")
        hidden = round(expansion * width)
        self.blocks = nn.ModuleList(_Block(width, heads, hidden, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Tokens ``(U, T, D)`` and mask ``(U, T)``, with a True in every row → ``(U, T, D)``."""
        attend = None if mask is None else mask[:, None, None, :]  # (U, 1, 1, T)
        for block in self.blocks:
            x = block(x, attend)
        return self.norm(x)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention, self.norm_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        qkv = self.qkv(self.norm_attention(x)).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (U, heads, T, D / heads) each
        chance = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=attend, dropout_p=chance)
        x = x + F.dropout(self.out(mixed.transpose(1, 2).flatten(2)), chance)
        hidden = F.gelu(self.expand(self.norm_hidden(x)))
        return x + F.dropout(self.contract(F.dropout(hidden, chance)), chance)


def sinusoidal_positions(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """Positions ``(length, width)`` as sines and cosines (Vaswani 2017), of any length."""
    steps = torch.arange((width + 1) // 2, device=device, dtype=torch.float32)
    rates = torch.exp(-math.log(10_000.0) * 2 * steps / width)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]
