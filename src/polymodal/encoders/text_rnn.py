"""A recurrent network over the tokens of a text."""

from __future__ import annotations

from typing import Literal

from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_max, real_values, token_mask
from polymodal.encoders.recurrent import Recurrent


class TextRnn(Encoder):
    """Embeddings read by a GRU or LSTM; the pooled vector is the maximum over time.

    Maximum pooling of a bidirectional LSTM: Conneau 2017 (InferSent). Padding has no influence.

    *When to choose it*: short texts (questions, titles, captions) learned from scratch, where
    the order of words matters. Long texts and larger data sets want :class:`TextTransformer`.

    Args:
        vocabulary: number of token ids; id 0 is padding.
        width: size of the tokens and of the pooled vector; even if bidirectional.
        cell: "gru", or "lstm" which a CPU runs faster on long texts.
        depth: number of recurrent layers.
        bidirectional: read each text from both ends.
        dropout: chance of dropping a feature in training.

    Example:
        >>> import torch
        >>> ids, mask = torch.tensor([[5, 2, 0]]), torch.tensor([[True, True, False]])
        >>> texts = Field(ids, present=torch.tensor([True]), mask=mask)
        >>> TextRnn(vocabulary=10, width=8)(texts).x.shape
        torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        vocabulary: int,
        *,
        width: int = 128,
        cell: Literal["gru", "lstm"] = "gru",
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.recurrent = Recurrent(
            width, width, cell=cell, depth=depth, bidirectional=bidirectional, dropout=dropout
        )

    def forward(self, field: Field) -> Tokens:
        """Ids ``(U, T)`` and mask ``(U, T)``, padding last → tokens ``(U, T, D)``."""
        mask = token_mask(field)
        x = self.recurrent(self.dropout(self.embedding(real_values(field))), mask)
        return Tokens(x, mask, masked_max(x, mask))
