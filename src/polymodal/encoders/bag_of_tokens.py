"""The mean of a text's token embeddings."""

from __future__ import annotations

from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, real_values, token_mask


class BagOfTokens(Encoder):
    """Mean of the token embeddings, then a small network (Iyyer 2015, deep averaging network).

    The order of the tokens is not seen.

    *When to choose it*: very fast; long texts in which the words matter and not their order
    (topics, tags), little data, or a baseline that a larger encoder has to beat.

    Args:
        vocabulary: number of token ids; id 0 is padding.
        width: size of the tokens and of the pooled vector.
        depth: layers of the network after the mean; 0 gives the mean itself.
        dropout: chance of dropping a feature in training.

    Example:
        >>> import torch
        >>> ids, mask = torch.tensor([[5, 2, 0]]), torch.tensor([[True, True, False]])
        >>> texts = Field(ids, present=torch.tensor([True]), mask=mask)
        >>> BagOfTokens(vocabulary=10, width=8)(texts).pooled.shape
        torch.Size([1, 8])
    """

    def __init__(
        self, vocabulary: int, *, width: int = 128, depth: int = 1, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(vocabulary, width)
        layers = [(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout)) for _ in range(depth)]
        self.network = nn.Sequential(*(module for layer in layers for module in layer))

    def forward(self, field: Field) -> Tokens:
        """Ids ``(U, T)`` and mask ``(U, T)`` → the embeddings ``(U, T, D)`` and their mean."""
        mask = token_mask(field)
        x = self.embedding(real_values(field))
        return Tokens(x, mask, self.network(masked_mean(x, mask)))
