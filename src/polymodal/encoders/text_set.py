"""Several texts of one cell."""

from __future__ import annotations

from typing import Literal

from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.aggregation import Aggregation, How
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import real_values, token_mask
from polymodal.encoders.text_rnn import TextRnn
from polymodal.encoders.text_transformer import TextTransformer
from polymodal.errors import RecipeError


class TextSet(Encoder):
    """A text encoder for every text, then attention that weighs them (Yang 2016, Ilse 2018).

    Without ``ordered`` (an option of the modality), the order of the texts has no influence. A
    token is a text.

    *When to choose it*: a cell holds several reviews, comments or captions, of which some matter
    more. "transformer" where texts must be compared with each other.

    Args:
        vocabulary: number of token ids; id 0 is padding.
        ordered: whether the order of the texts counts.
        width: size of the tokens and of the pooled vector; even.
        text: the network that reads a text: "rnn" or "transformer".
        together: "attention", "transformer", "mean", or "gru" for ordered texts.
        depth: layers of "gru" and "transformer" over the texts.
        dropout: chance of dropping a feature in training.

    Raises:
        RecipeError: an unknown network, or a way that does not fit.

    Example:
        >>> import torch
        >>> ids = torch.tensor([[[5, 2, 0], [3, 0, 0]]])
        >>> TextSet(vocabulary=10, width=8)(Field(ids, present=torch.tensor([True]))).x.shape
        torch.Size([1, 2, 8])
    """

    def __init__(
        self,
        vocabulary: int,
        ordered: bool = False,
        *,
        width: int = 128,
        text: Literal["rnn", "transformer"] = "rnn",
        together: How = "attention",
        depth: int = 1,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        networks = {"rnn": TextRnn, "transformer": TextTransformer}
        if text not in networks:
            raise RecipeError(f"text must be 'rnn' or 'transformer', not {text!r}.")
        self.width = width
        self.each: Encoder = networks[text](vocabulary, width=width, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.together = Aggregation(width, together, ordered=ordered, depth=depth, dropout=dropout)

    def forward(self, field: Field) -> Tokens:
        """Ids and 1 ``(U, T, L)``, 0 after a text's end, mask ``(U, T)`` → tokens ``(U, T, D)``."""
        mask = token_mask(field)
        texts = real_values(field)[mask]  # (n, L)
        words = texts > 0
        pooled = self.each(Field((texts - 1).clamp_min(0), words.any(1), words)).pooled
        x = pooled.new_zeros(*mask.shape, self.width)
        x[mask] = pooled
        return self.together(self.dropout(x), mask)
