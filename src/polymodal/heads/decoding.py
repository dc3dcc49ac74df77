"""Texts written symbol by symbol: greedy, drawn at random, or by beams.

Letters: B rows · K beams · T symbols · V symbols there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from polymodal.heads.generation import END, NOTHING, Decoding, Generated, token_ids


@dataclass(frozen=True)
class State:
    """What a decoder remembers between two steps; every tensor begins with the row.

    Args:
        fixed: what does not change while a text is written (keys and values of what is read).
        moving: what each step changes (the cache of what was written).
        steps: how many symbols were read.
    """

    fixed: dict[str, Tensor]
    moving: dict[str, Tensor]
    steps: int = 0

    def repeated(self, times: int) -> State:
        """Each row this many times, one after the other."""
        fixed = {n: t.repeat_interleave(times, 0) for n, t in self.fixed.items()}
        moving = {n: t.repeat_interleave(times, 0) for n, t in self.moving.items()}
        return State(fixed, moving, self.steps)

    def reordered(self, rows: Tensor) -> State:
        """The state where row i goes on from row ``rows[i]``, which reads the same."""
        return replace(self, moving={n: t.index_select(0, rows) for n, t in self.moving.items()})


Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""From the last symbols ``(B,)`` and the state to the logits ``(B, V)`` and the next state."""


class Written(NamedTuple):
    """One step of all rows.

    Args:
        symbols: ``(B,)``, 0 in rows whose text has ended.
        logs: ``(B,)`` the logarithm of its probability, 0 where the text had ended before.
        counts: ``(B,)`` bool, whether the text had not ended before.
    """

    symbols: Tensor
    logs: Tensor
    counts: Tensor


def write(
    step: Step, state: State, rows: int, length: int, decoding: Decoding
) -> Iterator[Written]:
    """The symbols of each row, step by step, until all texts have ended.

    Args:
        step: one step of a decoder.
        state: before the first step.
        rows: how many texts are written, B.
        length: most tokens of a text.
        decoding: how each symbol is chosen; beams are not looked at.
    """
    device = next(iter(state.fixed.values())).device
    generator = torch.Generator(device).manual_seed(decoding.seed)
    symbols = torch.full((rows,), END, device=device)
    ended = torch.zeros(rows, dtype=torch.bool, device=device)
    for _ in range(length):
        logits, state = step(symbols, state)
        logs = logits.float().log_softmax(-1)
        symbols = torch.where(ended, END, _chosen(logs, decoding, generator))
        said = logs.gather(1, symbols[:, None]).squeeze(1)
        yield Written(symbols, torch.where(ended, 0.0, said), ~ended)
        ended = ended | (symbols == END)
        if bool(ended.all()):
            return


def _chosen(logs: Tensor, decoding: Decoding, generator: torch.Generator) -> Tensor:
    if not decoding.temperature:
        return logs.argmax(-1)
    shares = narrowed(logs / decoding.temperature, top_k=decoding.top_k, top_p=decoding.top_p)
    return torch.multinomial(shares, 1, generator=generator).squeeze(1)


def narrowed(logits: Tensor, *, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Probabilities ``(B, V)`` of the likeliest symbols only (nucleus sampling, Holtzman 2020).

    Args:
        logits: ``(B, V)``.
        top_k: how many at most; 0 for all.
        top_p: as many as hold this share of the probability together, at least one.

    Example:
        >>> narrowed(torch.tensor([[0.5, 0.3, 0.2]]).log(), top_p=0.7)
        tensor([[0.6250, 0.3750, 0.0000]])
    """
    if 0 < top_k < logits.shape[-1]:
        least = logits.topk(top_k).values[:, -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    shares = logits.softmax(-1)
    if top_p < 1:
        ordered, places = shares.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered
        shares = shares.scatter(1, places, ordered.masked_fill(before >= top_p, 0.0))
        shares = shares / shares.sum(-1, keepdim=True)
    return shares


def written(step: Step, state: State, rows: int, length: int, decoding: Decoding) -> Generated:
    """One text for each row, whole; see :func:`write`."""
    steps = list(write(step, state, rows, length, decoding))
    logs = torch.stack([one.logs for one in steps], 1).sum(1)
    counts = torch.stack([one.counts for one in steps], 1).sum(1)
    tokens = token_ids(torch.stack([one.symbols for one in steps], 1))
    return Generated(filled(tokens, length)[:, None], (logs / counts)[:, None])


def filled(tokens: Tensor, length: int) -> Tensor:
    """Token ids ``(…, T)`` as ``(…, length)``, with -1 after their end."""
    return torch.nn.functional.pad(tokens, (0, length - tokens.shape[-1]), value=NOTHING)


class _Pool(NamedTuple):
    """The best texts found so far."""

    rank: Tensor  # (B, K) by which they are compared
    mean: Tensor  # (B, K) mean log-probability of a symbol
    symbols: Tensor  # (B, K, T)

    def best(self, other: _Pool) -> _Pool:
        """As many as these, of both."""
        rank, places = torch.cat([self.rank, other.rank], 1).topk(self.rank.shape[1])
        mean = torch.cat([self.mean, other.mean], 1).gather(1, places)
        symbols = torch.cat([self.symbols, other.symbols], 1)
        return _Pool(
            rank, mean, symbols.gather(1, places[..., None].expand(-1, -1, symbols.shape[2]))
        )


def beam_search(step: Step, state: State, rows: int, length: int, decoding: Decoding) -> Generated:
    """The K likeliest texts that are found by following K of them side by side.

    At each step the 2 K best continuations are looked at: those that end join the finished texts,
    of the others the K best go on. A row's search is over as soon as nothing that goes on could
    be better than its K finished texts.

    Args:
        step: one step of a decoder.
        state: before the first step.
        rows: B.
        length: most tokens of a text.
        decoding: how many beams, and how texts of different length are compared.

    Returns:
        K texts for each row, the best first.
    """
    beams, penalty = decoding.beams, decoding.length_penalty
    state = state.repeated(beams)
    device = next(iter(state.fixed.values())).device
    alive = torch.full((rows, beams), -torch.inf, device=device)
    alive[:, 0] = 0.0
    symbols = torch.full((rows, beams, length), END, device=device)
    pool = _Pool(torch.full_like(alive, -torch.inf), torch.full_like(alive, -torch.inf), symbols)
    last, first = symbols[..., 0], torch.arange(rows, device=device)[:, None] * beams
    for place in range(length):
        logits, state = step(last.flatten(), state)
        logs = logits.float().log_softmax(-1).unflatten(0, (rows, beams))
        total = (alive[..., None] + logs).flatten(1)  # (B, K V)
        values, places = total.topk(min(2 * beams, total.shape[1]))
        parents, chosen = places // logs.shape[-1], places % logs.shape[-1]
        longer = symbols.gather(1, parents[..., None].expand(-1, -1, length)).clone()
        longer[..., place] = chosen
        ends, count = chosen == END, place + 1
        over = values.masked_fill(~ends, -torch.inf)
        pool = pool.best(_Pool(over / count**penalty, over / count, longer))
        alive, kept = values.masked_fill(ends, -torch.inf).topk(beams)
        symbols = longer.gather(1, kept[..., None].expand(-1, -1, length))
        parents, last = parents.gather(1, kept), chosen.gather(1, kept)
        state = state.reordered((first + parents).flatten())
        # Log-probabilities only fall, so this is the best that could still come.
        reach = alive.amax(1) / (length if penalty > 0 else count) ** penalty
        if bool((pool.rank.amin(1) >= reach).all()):
            break
    else:
        pool = pool.best(_Pool(alive / length**penalty, alive / length, symbols))
    tokens = token_ids(pool.symbols).masked_fill(torch.isinf(pool.rank)[..., None], NOTHING)
    return Generated(tokens, pool.mean)
