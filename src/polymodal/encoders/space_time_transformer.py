"""A Transformer over the patches of a video."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, real_values, token_mask
from polymodal.encoders.patches import Patches
from polymodal.errors import RecipeError
from polymodal.transformer import attention, feed_forward, sinusoidal_positions


class SpaceTimeTransformer(Encoder):
    """Divided space-time attention, TimeSformer (Bertasius 2021).

    https://arxiv.org/abs/2102.05095. In each layer a patch attends to the same place in all
    frames, then to all places of its frame: at 16 frames of 49 patches that is 65 instead of 784
    partners. A token is a frame, the mean of its patches.

    *When to choose it*: many clips (tens of thousands) and a GPU. On little data
    :class:`FrameSequence` and :class:`Cnn3d` learn faster.

    Args:
        channels: colour channels of a frame.
        size: height and width of a frame in pixels.
        mean: mean of each channel on a scale of 0 to 1.
        std: standard deviation of each channel on a scale of 0 to 1.
        width: size of the tokens and of the pooled vector; a multiple of the heads.
        patch: side of a patch in pixels; None takes the one that gives 7 to 14 patches a side.
        depth: number of layers.
        heads: attention heads of each layer.
        dropout: chance that a value of an update is dropped in training.

    Raises:
        RecipeError: the heads do not divide the width.
        ValueError: a patch of less than one pixel or larger than a frame.

    Example:
        >>> import torch
        >>> clips = torch.zeros(2, 6, 3, 32, 32, dtype=torch.uint8)
        >>> encoder = SpaceTimeTransformer(channels=3, size=32, width=32, depth=2)
        >>> encoder(Field(clips, present=torch.ones(2).bool())).x.shape
        torch.Size([2, 6, 32])
    """

    def __init__(
        self,
        channels: int,
        size: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        *,
        width: int = 128,
        patch: int | None = None,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise RecipeError(
                f"{heads} attention heads do not divide the width {width}: "
                "choose a width that is a multiple of the heads."
            )
        self.width = width
        self.patches = Patches(channels, size, mean, std, width=width, patch=patch)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(_DividedLayer(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, field: Field) -> Tokens:
        """Frames ``(U, T, C, H, W)`` uint8, mask ``(U, T)`` → tokens ``(U, T, D)``."""
        mask, frames = token_mask(field), real_values(field)
        single = Field(frames.flatten(0, 1), mask.flatten())
        x = self.patches(single).x.unflatten(0, mask.shape)  # (U, T, P, D)
        time = sinusoidal_positions(x.shape[1], self.width, x.device).to(x.dtype)
        x = self.dropout(x + time[:, None])
        for layer in self.layers:
            x = layer(x, mask)
        x = self.norm(x).mean(2)  # (U, T, D)
        return Tokens(x, mask, masked_mean(x, mask))


class _DividedLayer(nn.Module):
    """Attention over time, attention over space and a feed-forward network, pre-norm."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.time, self.space = _Attention(width, heads), _Attention(width, heads)
        self.feed_forward = feed_forward(width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        over_time = self.time(x.transpose(1, 2), mask)  # (U, P, T, D)
        x = x + self.dropout(over_time.transpose(1, 2))
        x = x + self.dropout(self.space(x, None))
        return x + self.dropout(self.feed_forward(x))


class _Attention(nn.Module):
    """Attention among the tokens of the last but one axis."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, width)
        self.query, self.key_value = nn.Linear(width, width), nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens ``(U, P, S, D)``, and which of the S are real ``(U, S)`` → ``(U, P, S, D)``."""
        rows = x.flatten(0, 1)  # exporters know attention with four axes only
        rows = self.norm(rows)
        parts = (self.query(rows), *self.key_value(rows).chunk(2, -1))
        query, key, value = (p.unflatten(-1, (self.heads, -1)).transpose(1, 2) for p in parts)
        if mask is not None:
            mask = mask[:, None].expand(x.shape[:3]).flatten(0, 1)[:, None, None]
        update = attention(query, key, value, mask)
        return self.out(update.transpose(1, 2).flatten(2)).unflatten(0, x.shape[:2])
