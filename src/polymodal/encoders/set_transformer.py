"""Set Transformer: points attend to each other through a few inducing points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.point_normalisation import PointNormalisation
from polymodal.transformer import Transformer


class SetTransformer(Encoder):
    """Induced self-attention and pooling by attention (Lee 2019).

    https://arxiv.org/abs/1810.00825. In each layer a few learned tokens gather from all points,
    and every point asks these in turn: all points bear on each other, at a cost that grows with
    their number, not with its square. At the end, learned seeds gather the tokens that are
    given. The order of the points has no influence.

    *When to choose it*: the parts of a cloud must be seen in relation (several things in one
    cloud, numbers of them, radar returns that share a speed). A single object is done as well by
    :class:`PointNet`, in a fraction of the time.

    Args:
        channels: columns of a point: x, y, z and features.
        mean: of the clouds' centres, and of each feature.
        std: deviation of these.
        spread: deviation of points from the centre of their cloud.
        width: size of the tokens and of the pooled vector.
        base: width of the layers.
        depth: number of layers.
        heads: attention heads of each layer; they divide ``base``.
        inducing: learned tokens through which points attend to each other.
        tokens: number of tokens at the end.
        dropout: chance that a value of an update is dropped in training.

    Example:
        >>> clouds = Field(torch.zeros(2, 500, 4), present=torch.ones(2).bool())
        >>> tokens = SetTransformer(channels=4)(clouds)
        >>> tokens.x.shape, tokens.pooled.shape
        (torch.Size([2, 8, 128]), torch.Size([2, 128]))
    """

    def __init__(
        self,
        channels: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        spread: float = 1.0,
        *,
        width: int = 128,
        base: int = 64,
        depth: int = 2,
        heads: int = 4,
        inducing: int = 16,
        tokens: int = 8,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.width = width
        self.normalise = PointNormalisation(channels, mean, std, spread)
        self.embed = nn.Sequential(
            nn.Linear(self.normalise.outputs, base), nn.GELU(), nn.Linear(base, base)
        )
        self.layers = nn.ModuleList(
            _InducedLayer(base, heads, inducing, dropout) for _ in range(depth)
        )
        self.seeds = nn.Parameter(torch.randn(tokens, base) * 0.1)
        self.gather = Transformer(base, 1, heads=heads, dropout=dropout)
        self.project, self.pool = nn.Linear(base, width), nn.Linear(base, width)

    def forward(self, field: Field) -> Tokens:
        """Points ``(U, T, C)``, mask ``(U, T)`` → tokens ``(U, tokens, D)``."""
        points, mask = self.normalise(field)
        x = self.embed(points)  # (U, T, D)
        for layer in self.layers:
            x = layer(x, mask)
        tokens = self.gather(self.seeds.expand(x.shape[0], -1, -1), mask, x)
        return Tokens(self.project(tokens), None, self.pool(tokens.mean(1)))


class _InducedLayer(nn.Module):
    """From points to inducing tokens and back: Lee's ISAB."""

    def __init__(self, width: int, heads: int, inducing: int, dropout: float) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.randn(inducing, width) * 0.1)
        self.collect = Transformer(width, 1, heads=heads, dropout=dropout, final_norm=False)
        self.spread = Transformer(width, 1, heads=heads, dropout=dropout, final_norm=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        collected = self.collect(self.inducing.expand(x.shape[0], -1, -1), mask, x)
        return self.spread(x, None, collected)
