"""Heads that write a text: what they read, what they have written, and what all of them share.

Letters: B rows · M branches · S tokens that are read · R references of one row · N texts of one
row · T symbols of a text · D width · V token ids.

A *symbol* is what a head writes step by step: token id t is symbol t + 1, and symbol 0 begins and
ends every text. So any tokenizer will do, with or without tokens for padding, start and end.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.decision import weighted_mean
from polymodal.heads.head import Head

END = 0
NOTHING = -1
"""Stands in an array of token ids after the end of a text."""


@dataclass(frozen=True)
class Decoding:
    """How a text is chosen among all that could be written.

    Args:
        beams: texts followed side by side; 1 takes the likeliest token at each step.
        length_penalty: exponent of a text's length, by which its log-probability is divided when
            beams are compared: 0 favours short texts, 1 compares the means.
        temperature: 0 takes what is likeliest; above, tokens are drawn, the bolder the higher.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: the likeliest tokens are drawn from until they hold this share of the probability.
        seed: of the drawing; the same seed draws the same text.

    Raises:
        RecipeError: a value is out of range, or tokens are to be drawn along several beams.
    """

    beams: int = 1
    length_penalty: float = 1.0
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise RecipeError(f"beams is {self.beams}; it is at least 1.")
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise RecipeError(
                f"temperature {self.temperature}, top_k {self.top_k}, top_p {self.top_p}: "
                "temperature and top_k are not negative, top_p lies above 0 and up to 1."
            )
        if self.temperature and self.beams > 1:
            raise RecipeError(
                f"temperature {self.temperature} draws tokens at random, {self.beams} beams look "
                "for the likeliest text: set temperature=0 or beams=1."
            )


@dataclass(frozen=True)
class Generated:
    """Texts that a head has written.

    Args:
        tokens: ``(B, N, L)`` token ids of each text, -1 after its end; the best text first.
        score: ``(B, N)`` mean log-probability of its symbols; ``-inf`` where there is no text.
    """

    tokens: Tensor
    score: Tensor


class TextHead(Head):
    """A head whose answers are token ids.

    Its prediction holds what is read, not what is written: the loss writes along with the truth,
    ``generate`` writes by itself. The last number of each token that is read is 1 where it may be
    read, else 0.
    """

    length: int
    """Most tokens of a text."""
    decoding: Decoding
    """How texts are chosen, unless said otherwise."""

    def blend(self, predictions: Tensor, weights: Tensor) -> Tensor:
        """The weighted mean of what each branch offers to read."""
        return weighted_mean(predictions, weights)

    def probabilities(self, prediction: Tensor) -> None:
        """None: the texts that could be written are without number."""

    def answer(self, prediction: Tensor) -> Tensor:
        """Token ids ``(B, L)`` of the best text of each row, -1 after its end."""
        return self.generate(prediction).tokens[:, 0]

    @abstractmethod
    def generate(
        self, prediction: Tensor, *, best: int = 1, decoding: Decoding | None = None
    ) -> Generated:
        """Write.

        Args:
            prediction: what ``forward`` gave.
            best: texts of each row.
            decoding: how they are chosen; None for the head's own way.
        """

    @abstractmethod
    def surprise(self, prediction: Tensor, target: Field) -> Tensor:
        """Negative log-likelihood of the truth and its symbols, ``(B, 2)``.

        Of several references both are sums; they are 0 where the target is absent. Their ratio
        over many rows is the logarithm of the perplexity.
        """


class Reading(nn.Module):
    """From the fused row to tokens that a text head reads: the row's vector, then its tokens.

    Where branches decide by themselves each offers its own vector only.

    Args:
        width: size of the fused vector and tokens.
        out: numbers of each token that comes out, without the mask.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        if width < 1 or out < 1:
            raise RecipeError(f"A head from width {width} to {out} numbers is not possible.")
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, out)

    def forward(self, fused: Fused) -> Tensor:
        """``(B, 1 + S, out + 1)``; ``(B, M, 1, out + 1)`` of M vectors a row."""
        tokens = fused.vector.unsqueeze(-2)
        mask = torch.ones_like(tokens[..., 0], dtype=torch.bool)
        if fused.experts is None and fused.vector.ndim == 2:
            tokens, mask = torch.cat([tokens, fused.tokens], 1), torch.cat([mask, fused.mask], 1)
        return self.mapped(tokens, mask)

    def mapped(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Tokens ``(…, S, D)`` with their mask ``(…, S)`` as its last number."""
        # Chosen, not multiplied: NaN times zero is NaN.
        x = self.project(self.norm(torch.where(mask[..., None], tokens, 0.0)))
        return torch.cat([x, mask[..., None].to(x.dtype)], -1)


def opened(prediction: Tensor) -> tuple[Tensor, Tensor]:
    """What is read ``(B, S, D)``, and its mask ``(B, S)`` bool."""
    return prediction[..., :-1], prediction[..., -1] > 0.5


def references(target: Field) -> tuple[Tensor, Tensor]:
    """The texts of each row as symbols ``(B, R, T)``, 0 after the end, and which there are.

    Args:
        target: token ids ``(U, T)`` of one text, with a mask where some are shorter; or ``(U, R,
            T)`` of several, each id one more, 0 after the end, with a mask of those that are there.

    Returns:
        symbols ``(B, R, T)`` and presence ``(B, R)`` bool.

    Example:
        >>> ids, mask = torch.tensor([[7, 3], [5, 0]]), torch.tensor([[True, True], [True, False]])
        >>> references(Field(ids, torch.tensor([True, True]), mask))[0].tolist()
        [[[8, 4]], [[6, 0]]]
    """
    ids = target.by_row().long()
    mask = Field(_mask(target), target.present, index=target.index).by_row().bool()
    if ids.ndim == 2:
        mask = mask & target.present[:, None]
        return torch.where(mask, ids + 1, END)[:, None], target.present[:, None]
    return torch.where(mask[..., None], ids, END), mask & target.present[:, None]


def _mask(target: Field) -> Tensor:
    """Real tokens (or texts) of the distinct cells ``(U, T)``."""
    if target.mask is not None:
        return target.mask
    return torch.ones(target.values.shape[:2], dtype=torch.bool, device=target.values.device)


def one_of(symbols: Tensor, there: Tensor) -> Tensor:
    """One reference of each row ``(B, 1, T)``, drawn at random among those that are there."""
    if symbols.shape[1] == 1:
        return symbols
    drawn = torch.rand(there.shape, device=there.device).masked_fill(~there, -1.0).argmax(1)
    return symbols[torch.arange(len(symbols), device=symbols.device), drawn][:, None]


def token_ids(symbols: Tensor) -> Tensor:
    """Token ids of symbols, -1 from the first end on."""
    ended = (symbols == END).cumsum(-1) > 0
    return torch.where(ended, NOTHING, symbols - 1)


def checked_sizes(width: int, vocabulary: int, length: int, **at_least_one: Any) -> None:
    """Refuse sizes that are out of range.

    Raises:
        RecipeError: one is below 1.
    """
    sizes = {"width": width, "vocabulary": vocabulary, "length": length, **at_least_one}
    for name, size in sizes.items():
        if size < 1:
            raise RecipeError(f"{name} is {size}; it is at least 1.")
