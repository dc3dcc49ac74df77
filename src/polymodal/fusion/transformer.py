"""A pre-norm Transformer, for the fusions that attend over tokens."""

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from polymodal.errors import RecipeError


class Transformer(nn.Module):
    """Layers one after the other, all reading the same context if there is one.

    Args:
        width: size D of the tokens.
        layers: number of layers.
        heads: attention heads; they divide the width.
        dropout: chance that a value of an update is dropped in training.

    Raises:
        RecipeError: there are no layers, or the heads do not divide the width.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        if layers < 1:
            raise RecipeError(f"layers is {layers}; there must be at least 1.")
        self.layers = nn.ModuleList(_Layer(width, heads, dropout) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor, context: Tensor | None = None) -> Tensor:
        """Update the tokens ``(B, T, D)``.

        Args:
            x: ``(B, T, D)`` the tokens that ask.
            mask: ``(B, S)`` bool, the tokens that may be attended to, at least one in each row.
            context: ``(B, S, D)`` the tokens that answer; None means ``x`` itself.
        """
        for layer in self.layers:
            x = layer(x, mask, context)
        return x


class _Layer(nn.Module):
    """Attention and a feed-forward network, each after a LayerNorm and beside a residual path.

    Queries and keys share the first LayerNorm. Source: Vaswani et al. 2017
    (https://arxiv.org/abs/1706.03762), pre-norm after Xiong et al. 2020
    (https://arxiv.org/abs/2002.04745).
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
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor, context: Tensor | None) -> Tensor:
        asked = self.norm(x)
        query = self._split(self.query(asked))
        answers = asked if context is None else self.norm(context)
        key, value = (self._split(t) for t in self.key_value(answers).chunk(2, -1))
        update = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        x = x + self.dropout(self.out(update.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.feed_forward(x))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, T, D / heads)
