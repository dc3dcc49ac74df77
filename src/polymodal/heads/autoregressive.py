"""Heads that write one token after the other, each in the light of those before.

Letters: B rows · S tokens that are read · R references of one row · T symbols of a text · D width ·
V token ids.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.decoding import State, Written, beam_search, write, written
from polymodal.heads.generation import (
    END,
    Decoding,
    Generated,
    Reading,
    TextHead,
    checked_sizes,
    one_of,
    opened,
    references,
)


class Autoregressive(TextHead):
    """A text head that learns by teacher forcing: each symbol from the true ones before it.

    Args:
        length: most tokens of a text.
        decoding: how texts are chosen.
        label_smoothing: share of the target probability spread over all symbols, 0 to below 1.
    """

    def __init__(self, length: int, *, decoding: Decoding, label_smoothing: float) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise RecipeError(f"label_smoothing is {label_smoothing}; it is 0 to below 1.")
        self.length, self.decoding, self.label_smoothing = length, decoding, label_smoothing
        self._format: torch.dtype | None = None

    def forward(self, fused: Fused) -> Tensor:
        """What the decoder reads: ``(B, S, D + 1)``."""
        # Losses are computed in full precision; the decoder, which runs there, need not be.
        device = fused.vector.device.type
        low = torch.is_autocast_enabled(device)
        self._format = torch.get_autocast_dtype(device) if low else None
        return self.read(fused)

    @abstractmethod
    def read(self, fused: Fused) -> Tensor:
        """What ``forward`` gives."""

    @abstractmethod
    def taught(self, x: Tensor, mask: Tensor, symbols: Tensor, counts: Tensor) -> Tensor:
        """Logits ``(N, 1 + V)`` of each next symbol, from the true ones before it.

        Args:
            x: ``(B, S, D)`` what is read.
            mask: ``(B, S)``.
            symbols: ``(B, T)`` the symbols before, of which the first is 0.
            counts: ``(B, T)`` bool, the N places whose next symbol is asked for.
        """

    @abstractmethod
    def begin(self, x: Tensor, mask: Tensor) -> State:
        """What is remembered before the first symbol."""

    @abstractmethod
    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next symbol ``(B, 1 + V)`` and the next state."""

    @property
    @abstractmethod
    def number_format(self) -> torch.dtype:
        """The format of the numbers that the decoder computes with."""

    def loss(self, prediction: Tensor, target: Field) -> dict[str, Tensor]:
        """Cross-entropy: the mean over a text's symbols, then over the rows.

        In training one of a row's references is drawn; otherwise all of them count.
        """
        symbols, there = references(target)
        if self.training:
            symbols, there = one_of(symbols, there), there.any(1, keepdim=True)
        losses, counts = self._symbol_losses(prediction, symbols, self.label_smoothing)
        means = (losses.sum(-1) / counts.sum(-1)).masked_fill(~there, 0.0).sum(1)
        return {"cross_entropy": target.mean(means / there.sum(1).clamp_min(1))}

    def surprise(self, prediction: Tensor, target: Field) -> Tensor:
        """Negative log-likelihood of the references and their symbols, ``(B, 2)``."""
        symbols, there = references(target)
        losses, counts = self._symbol_losses(prediction, symbols, 0.0)
        sums = torch.stack([losses.sum(-1), counts.sum(-1)], -1)  # (B, R, 2)
        return sums.masked_fill(~there[..., None], 0.0).sum(1)

    def _opened(self, prediction: Tensor) -> tuple[Tensor, Tensor]:
        """What is read, in the decoder's own number format, and its mask."""
        x, mask = opened(prediction)
        return x.to(self.number_format), mask

    def _symbol_losses(
        self, prediction: Tensor, symbols: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """Loss of each symbol and the end ``(B, R, T + 1)``, and which of them count."""
        rows, several, _ = symbols.shape
        x, mask = self._opened(prediction)
        if several > 1:
            x, mask = x.repeat_interleave(several, 0), mask.repeat_interleave(several, 0)
        truth = symbols.flatten(0, 1)  # (B R, T)
        start = torch.full_like(truth[:, :1], END)
        before, after = torch.cat([start, truth], 1), torch.cat([truth, start], 1)
        counts = before != END
        counts[:, 0] = True
        # Where all texts have ended there is nothing to compute.
        longest = int(counts.sum(1).max())
        before, after, counts = before[:, :longest], after[:, :longest], counts[:, :longest]
        low = self._format is not None
        with torch.autocast(x.device.type, self._format, enabled=low):
            logits = self.taught(x, mask, before, counts)
        losses = torch.zeros(counts.shape, device=logits.device)
        losses[counts] = cross_entropy(
            logits.float(), after[counts], reduction="none", label_smoothing=smoothing
        )
        return losses.unflatten(0, (rows, several)), counts.unflatten(0, (rows, several))

    def generate(
        self, prediction: Tensor, *, best: int = 1, decoding: Decoding | None = None
    ) -> Generated:
        """Write; several texts of a row are the best of at least as many beams, or drawn."""
        decoding = decoding or self.decoding
        x, mask = self._opened(prediction)
        state, rows = self.begin(x, mask), len(x)
        if decoding.temperature or best == decoding.beams == 1:
            found = written(self.step, state.repeated(best), rows * best, self.length, decoding)
            return Generated(found.tokens.reshape(rows, best, -1), found.score.reshape(rows, best))
        decoding = replace(decoding, beams=max(best, decoding.beams))
        found = beam_search(self.step, state, rows, self.length, decoding)
        return Generated(found.tokens[:, :best], found.score[:, :best])

    def stream(self, prediction: Tensor, decoding: Decoding | None = None) -> Iterator[Written]:
        """The symbols of each row as they are written, without beams."""
        x, mask = self._opened(prediction)
        return write(self.step, self.begin(x, mask), len(x), self.length, decoding or self.decoding)

    @property
    def looks_around(self) -> bool:
        """Whether it can tell which of the tokens that it reads it attends to."""
        return False

    def looks(self, prediction: Tensor, tokens: Tensor) -> Tensor:
        """Where each token of a text was read from ``(B, L, S)``; each row of S sums to 1.

        Args:
            prediction: what ``forward`` gave.
            tokens: ``(B, L)`` as ``answer`` gave them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not tell where it looks.")


class OwnDecoder(Autoregressive):
    """A decoder that is trained from scratch on what is fused.

    Symbols are told by the same vectors by which they are read (tied embeddings, Press & Wolf
    2017, https://arxiv.org/abs/1608.05859).

    Args:
        width: size of the fused vector and tokens.
        vocabulary: token ids V.
        length: most tokens of a text.
        decoding: how texts are chosen.
        label_smoothing: share of the target probability spread over all symbols, 0 to below 1.
        dropout: chance that a value is dropped in training.
    """

    def __init__(
        self,
        width: int,
        vocabulary: int,
        length: int,
        *,
        decoding: Decoding,
        label_smoothing: float,
        dropout: float,
    ) -> None:
        super().__init__(length, decoding=decoding, label_smoothing=label_smoothing)
        checked_sizes(width, vocabulary, length)
        self.reading = Reading(width, width)
        self.embedding = nn.Embedding(1 + vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.bias = nn.Parameter(torch.zeros(1 + vocabulary))
        self.dropout = nn.Dropout(dropout)

    @abstractmethod
    def teach(
        self, x: Tensor, mask: Tensor, symbols: Tensor, looks: list[Tensor] | None = None
    ) -> Tensor:
        """What is known ``(B, T, D)`` before each next symbol, from the true ones before it.

        Args:
            x: ``(B, S, D)`` what is read.
            mask: ``(B, S)``.
            symbols: ``(B, T)`` the symbols before, of which the first is 0.
            looks: is given the attention ``(B, T, S)`` of each layer to what is read.
        """

    @abstractmethod
    def advance(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """What is known ``(B, D)`` after these symbols ``(B,)``, and what is then remembered."""

    @property
    def number_format(self) -> torch.dtype:
        """That of its weights."""
        return self.bias.dtype

    def read(self, fused: Fused) -> Tensor:
        """The fused vector and tokens, projected: ``(B, 1 + S, D + 1)``."""
        reading: Tensor = self.reading(fused)
        return reading

    def logits(self, known: Tensor) -> Tensor:
        """The next symbol's logits ``(…, 1 + V)``, from what is known ``(…, D)``."""
        return linear(known, self.embedding.weight, self.bias)

    def taught(self, x: Tensor, mask: Tensor, symbols: Tensor, counts: Tensor) -> Tensor:
        """Logits of each next symbol that counts."""
        return self.logits(self.teach(x, mask, symbols)[counts])

    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next symbol, and the next state."""
        known, state = self.advance(symbols, state)
        return self.logits(known), replace(state, steps=state.steps + 1)

    @property
    def looks_around(self) -> bool:
        """Whether it attends to the tokens that it reads."""
        return True

    def looks(self, prediction: Tensor, tokens: Tensor) -> Tensor:
        """Where each token of a text was read from ``(B, L, S)``; each row of S sums to 1.

        Args:
            prediction: what ``forward`` gave.
            tokens: ``(B, L)`` as ``answer`` gave them.
        """
        x, mask = self._opened(prediction)
        symbols = torch.cat([torch.full_like(tokens[:, :1], END), tokens[:, :-1] + 1], 1)
        found: list[Tensor] = []
        self.teach(x, mask, symbols, found)
        return torch.stack(found).mean(0)
