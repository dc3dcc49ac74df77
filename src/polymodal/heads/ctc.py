"""Connectionist temporal classification: each moment says a symbol, or nothing.

Letters: B rows · S moments (fused tokens) · R references of one row · T symbols of a text · D
width · V token ids.
"""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import ctc_loss

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.decoding import filled
from polymodal.heads.generation import (
    END,
    NOTHING,
    Decoding,
    Generated,
    Reading,
    TextHead,
    checked_sizes,
    one_of,
    opened,
    references,
)

BLANK = END


class Ctc(TextHead):
    """Each fused token says a symbol or nothing; repeats and nothings are then left out.

    All alignments of the text with the tokens count in the loss (Graves et al. 2006,
    https://dl.acm.org/doi/10.1145/1143844.1143891). Nothing is written in the light of what was
    written before, so it is quick and stays close to what is heard.

    When to choose it: what is said in the input is to be written down in the same order: speech to
    text, handwriting. It needs a fusion that keeps the tokens of the recording
    (``joint_transformer``, ``cross_attention``) and more of these than the text has symbols: an
    encoder with a fine grain (``rnn``: 4 frames a token). Anything else that is to be told in
    words: :class:`TransformerDecoder`.

    Args:
        width: size of the fused tokens.
        vocabulary: number of token ids.
        length: most tokens of a text.
        dropout: chance that a value is dropped in training.
        beams: beginnings of texts followed side by side; 1 takes the likeliest symbol of each
            moment.

    Raises:
        RecipeError: a size is out of range.

    Example:
        >>> head = Ctc(8, vocabulary=20, length=5).eval()
        >>> tokens = torch.randn(2, 6, 8)
        >>> said = head(Fused(tokens[:, 0], tokens, torch.ones(2, 6, dtype=torch.bool)))
        >>> target = Field(torch.tensor([[3, 4], [5, 6]]), torch.tensor([True, True]))
        >>> head.loss(said, target)["ctc"].shape, head.answer(said).shape
        (torch.Size([]), torch.Size([2, 5]))
    """

    def __init__(
        self, width: int, vocabulary: int, length: int, *, dropout: float = 0.1, beams: int = 1
    ) -> None:
        super().__init__()
        checked_sizes(width, vocabulary, length)
        self.length, self.decoding = length, Decoding(beams)
        self.dropout = nn.Dropout(dropout)
        self.reading = Reading(width, 1 + vocabulary)

    def forward(self, fused: Fused) -> Tensor:
        """Logits of each moment's symbol, ``(B, 1 + S, 1 + V + 1)``."""
        return self.reading(fused._replace(tokens=self.dropout(fused.tokens)))

    def loss(self, prediction: Tensor, target: Field) -> dict[str, Tensor]:
        """Negative log-likelihood of the text: the mean over its symbols, then over the rows.

        In training one of a row's references is drawn; otherwise all of them count.

        Raises:
            RecipeError: most rows have fewer tokens than their text has symbols.
        """
        symbols, there = references(target)
        if self.training:
            symbols, there = one_of(symbols, there), there.any(1, keepdim=True)
        losses, counts = self._losses(prediction, symbols, there)
        means = (losses / counts.clamp_min(1)).masked_fill(~there, 0.0).sum(1)
        return {"ctc": target.mean(means / there.sum(1).clamp_min(1))}

    def surprise(self, prediction: Tensor, target: Field) -> Tensor:
        """Negative log-likelihood of the references and their symbols, ``(B, 2)``."""
        symbols, there = references(target)
        sums = torch.stack(self._losses(prediction, symbols, there), -1)
        return sums.masked_fill(~there[..., None], 0.0).sum(1)

    def _losses(self, prediction: Tensor, symbols: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
        """Negative log-likelihood ``(B, R)`` of each text, and its symbols."""
        heard = moments(prediction)
        rows, several, _ = symbols.shape
        texts, counts = symbols.flatten(0, 1), (symbols != END).sum(-1)
        frames = heard.frames[:, None].expand(-1, several)
        repeats = ((symbols[..., 1:] == symbols[..., :-1]) & (symbols[..., 1:] != END)).sum(-1)
        _check_room(frames, counts + repeats, there)
        losses = ctc_loss(
            heard.logs.repeat_interleave(several, 0).transpose(0, 1),
            texts,
            frames.flatten(),
            counts.flatten(),
            blank=BLANK,
            reduction="none",
            zero_infinity=True,
        )
        return losses.unflatten(0, (rows, several)), counts.to(losses.dtype)

    def generate(
        self, prediction: Tensor, *, best: int = 1, decoding: Decoding | None = None
    ) -> Generated:
        """Write down what was said; the score is the mean log-probability of a moment's symbol."""
        heard, beams = moments(prediction), max(best, (decoding or self.decoding).beams)
        if beams > 1:
            return self._by_beams(heard, beams, best)
        logs, symbols = heard.logs.max(-1)  # (B, S)
        here = torch.arange(logs.shape[1], device=logs.device) < heard.frames[:, None]
        new = torch.ones_like(here)
        new[:, 1:] = symbols[:, 1:] != symbols[:, :-1]
        said = here & new & (symbols != BLANK)
        order = (~said).to(torch.int8).argsort(dim=1, stable=True)  # what is said comes first
        tokens = torch.where(said, symbols - 1, NOTHING).gather(1, order)[:, : self.length]
        score = (logs * here).sum(1) / heard.frames
        return Generated(filled(tokens, self.length)[:, None], score[:, None])

    def heard(self, prediction: Tensor, tokens: Tensor) -> Tensor:
        """When each token of a text was said ``(B, L, S)``, all its alignments counted.

        Args:
            prediction: what ``forward`` gave, with S moments.
            tokens: ``(B, L)`` as ``answer`` gave them.

        Returns:
            how likely each moment says the token, if the text is what was said; 0 where there
            is no token or no moment.
        """
        logits, mask = opened(prediction)
        found = torch.zeros(*tokens.shape, logits.shape[1])
        for row, logs in enumerate(logits.detach().float().log_softmax(-1).cpu().double().numpy()):
            here, symbols = mask[row].cpu(), tokens[row][tokens[row] >= 0].cpu() + 1
            shares = torch.from_numpy(occupancy(logs[here.numpy()], symbols.numpy()))
            found[row, : len(symbols), here] = shares.float()
        return found.to(prediction.device)

    def _by_beams(self, heard: Moments, beams: int, best: int) -> Generated:
        tokens = torch.full((len(heard.frames), best, self.length), NOTHING)
        score = torch.full((len(heard.frames), best), -torch.inf)
        for row, (logs, frames) in enumerate(
            zip(heard.logs.cpu().double().numpy(), heard.frames.tolist(), strict=True)
        ):
            found = prefix_beam_search(logs[:frames], beams)[:best]
            for place, (symbols, log) in enumerate(found):
                kept = torch.tensor(symbols[: self.length], dtype=torch.long) - 1
                tokens[row, place, : len(kept)], score[row, place] = kept, log / frames
        device = heard.frames.device
        return Generated(tokens.to(device), score.to(device))


class Moments(NamedTuple):
    """What each moment says.

    Args:
        logs: ``(B, S, 1 + V)`` log-probabilities, of the moments that are there first.
        frames: ``(B,)`` how many moments are there.
    """

    logs: Tensor
    frames: Tensor


def moments(prediction: Tensor) -> Moments:
    """What each moment says, padding between tokens of several inputs taken out."""
    logits, mask = opened(prediction)
    order = (~mask).to(torch.int8).argsort(dim=1, stable=True)
    logits = logits.gather(1, order[..., None].expand_as(logits))
    return Moments(logits.float().log_softmax(-1), mask.sum(1))


def prefix_beam_search(logs: np.ndarray, beams: int) -> list[tuple[tuple[int, ...], float]]:
    """The likeliest texts, each the sum over its alignments (Hannun 2014, arXiv:1408.2873).

    Args:
        logs: ``(S, V)`` log-probabilities of each moment's symbol, of which 0 is nothing.
        beams: beginnings that are followed, and symbols that are looked at in each moment.

    Returns:
        symbols and log-probability of each text, the likeliest first.

    Example:
        >>> text, log = prefix_beam_search(np.log([[0.4, 0.6], [0.6, 0.4]]), beams=2)[0]
        >>> text, round(float(np.exp(log)), 2)
        ((1,), 0.76)
    """
    found: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, -np.inf)}
    looked_at = min(beams + 1, logs.shape[1])
    for moment in logs:
        likely = np.argpartition(-moment, looked_at - 1)[:looked_at].tolist()
        after: dict[tuple[int, ...], list[float]] = defaultdict(lambda: [-np.inf, -np.inf])
        for text, (blank, said) in found.items():
            whole = np.logaddexp(blank, said)
            for symbol in likely:
                log = moment[symbol]
                if symbol == BLANK:
                    after[text][0] = np.logaddexp(after[text][0], whole + log)
                    continue
                longer = after[(*text, symbol)]
                if text and text[-1] == symbol:  # held on, or said again after a pause
                    after[text][1] = np.logaddexp(after[text][1], said + log)
                    longer[1] = np.logaddexp(longer[1], blank + log)
                else:
                    longer[1] = np.logaddexp(longer[1], whole + log)
        order = sorted(after.items(), key=lambda pair: -np.logaddexp(pair[1][0], pair[1][1]))
        possible = (pair for pair in order[:beams] if max(pair[1]) > -np.inf)
        found = {text: (both[0], both[1]) for text, both in possible}
    return [(text, float(np.logaddexp(*both))) for text, both in found.items()]


def occupancy(logs: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """How likely each moment says each symbol of a text, if this text is what was said.

    Forwards and backwards over all alignments (Graves 2006, eq. 14).

    Args:
        logs: ``(S, V)`` log-probabilities of each moment's symbol, of which 0 is nothing.
        symbols: ``(T,)`` of the text.

    Returns:
        ``(T, S)``; zeros where the text has no room in the moments.

    Example:
        >>> logs = np.log([[0.5, 0.5], [0.5, 0.5]])
        >>> occupancy(logs, np.array([1])).round(3)  # "1 –", "– 1" and "1 1" are equally likely
        array([[0.667, 0.667]])
    """
    if not len(symbols):
        return np.zeros((0, len(logs)))
    states = np.full(2 * len(symbols) + 1, BLANK)
    states[1::2] = symbols
    told = np.maximum(logs[:, states], -1e30)  # so that nothing is minus infinity twice
    onwards = _alignments(told[::-1, ::-1], states[::-1])[::-1, ::-1]
    whole = _alignments(told, states) + onwards - told
    total = np.logaddexp.reduce(whole[0])
    if total < -1e29:
        return np.zeros((len(symbols), len(logs)))
    return np.exp(whole - total)[:, 1::2].T


def _alignments(told: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Log-probability of all ways to each state at each moment ``(S, 2 T + 1)``."""
    found = np.full_like(told, -np.inf)
    found[0, :2] = told[0, :2]
    leap = np.zeros(len(states), bool)  # over the nothing between two different symbols
    leap[2:] = (states[2:] != BLANK) & (states[2:] != states[:-2])
    for moment in range(1, len(told)):
        ways = np.full((3, len(states)), -np.inf)
        ways[0], ways[1, 1:] = found[moment - 1], found[moment - 1, :-1]
        ways[2, 2:] = np.where(leap[2:], found[moment - 1, :-2], -np.inf)
        found[moment] = np.logaddexp.reduce(ways) + told[moment]
    return found


def _check_room(frames: Tensor, needed: Tensor, there: Tensor) -> None:
    """Refuse to learn where most texts cannot be aligned with their moments."""
    short = (frames < needed) & there
    if int(short.sum()) * 2 > int(there.sum()):
        raise RecipeError(
            f"The head ctc gets {int(frames[short].median())} tokens for a text of "
            f"{int(needed[short].median())} symbols: every symbol needs a token of its own. Take a "
            "fusion that keeps the tokens of the recording (fusion=joint_transformer), an encoder "
            "with a finer grain (columns.NAME.encoder=rnn: a token for 4 frames), or the head "
            "transformer, which needs no alignment."
        )
