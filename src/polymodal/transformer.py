"""The Transformer that encoders and fusions share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from polymodal.errors import RecipeError


class Transformer(nn.Module):
    """Pre-norm attention layers (Vaswani 2017, https://arxiv.org/abs/1706.03762; Xiong 2020).

    Args:
        width: size D of the tokens.
        depth: number of layers.
        heads: attention heads of each layer; they divide the width.
        dropout: chance that a value of an update is dropped in training.
        final_norm: end with a LayerNorm, as a network of its own does; without it, layers can
            be put between others.

    Raises:
        RecipeError: there are no layers, or the heads do not divide the width.
    """

    def __init__(
        self,
        width: int,
        depth: int,
        *,
        heads: int = 4,
        dropout: float = 0.0,
        final_norm: bool = True,
    ) -> None:
        super().__init__()
        if depth < 1:
            raise RecipeError(f"A Transformer of {depth} layers: there must be at least 1.")
        self.layers = nn.ModuleList(_Layer(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width) if final_norm else nn.Identity()

    def forward(
        self, x: Tensor, mask: Tensor | None = None, context: Tensor | None = None
    ) -> Tensor:
        """Update the tokens ``(B, T, D)``.

        Args:
            x: ``(B, T, D)`` the tokens that ask.
            mask: ``(B, S)`` bool, the tokens that may be attended to, at least one in each row;
                None means all.
            context: ``(B, S, D)`` the tokens that answer; None means ``x`` itself.
        """
        for layer in self.layers:
            x = layer(x, mask, context)
        return self.norm(x)


class _Layer(nn.Module):
    """Attention and a feed-forward network, each after a LayerNorm and beside a residual path.

    Queries and keys share the first LayerNorm.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise RecipeError(
                f"{heads} attention heads do not divide the width {width}: "
                "choose a width that is a multiple of the heads."
            )
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.feed_forward = feed_forward(width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None, context: Tensor | None) -> Tensor:
        asked = self.norm(x)
        answers = asked if context is None else self.norm(context)
        query = self._split(self.query(asked))
        key, value = (self._split(t) for t in self.key_value(answers).chunk(2, -1))
        attend = None if mask is None else mask[:, None, None]  # (B, 1, 1, S)
        update = attention(query, key, value, attend)
        x = x + self.dropout(self.out(update.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(x))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, T, D / heads)


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    """A norm and two layers with four times the width between them, for a residual path."""
    return nn.Sequential(
        nn.LayerNorm(width),
        nn.Linear(width, 4 * width),
        nn.GELU(),
        nn.Dropout(dropout),
        nn.Linear(4 * width, width),
    )


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention; on a CPU, bf16 is learned in float32.

    There the backward pass of bf16 takes five times as long as that of float32 (measured with
    64 to 80 tokens), which would cost more than bf16 gains in all other layers.

    Args:
        query: ``(B, heads, T, D)``.
        key: ``(B, heads, S, D)``.
        value: ``(B, heads, S, D)``.
        mask: bool, broadcast to ``(B, heads, T, S)``, True where a key may be attended to.
    """
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and torch.is_grad_enabled():
        with torch.autocast("cpu", enabled=False):
            return scaled_dot_product_attention(
                query.float(), key.float(), value.float(), attn_mask=mask
            ).to(query.dtype)
    return scaled_dot_product_attention(query, key, value, attn_mask=mask)


def sinusoidal_positions(length: int, width: int, device: torch.device | None = None) -> Tensor:
    """Positions ``(length, width)`` as sines and cosines (Vaswani 2017), of any length."""
    steps = torch.arange((width + 1) // 2, device=device, dtype=torch.float32)
    rates = torch.exp(-math.log(10_000.0) * 2 * steps / width)
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]
