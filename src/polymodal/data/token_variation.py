"""Random variations of tokens, on whole batches, each text by its own chance.

Letters: U texts · T tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch


TokenVariation = Literal["token_dropout", "span_mask"]


def hide_tokens(
    ids: Tensor,
    free: Tensor,
    chosen: Sequence[TokenVariation],
    generator: torch.Generator,
    *,
    share: float,
    instead: int,
) -> Tensor:
    """Texts with some tokens replaced by one that says nothing; each keeps at least one.

    Args:
        ids: ``(U, T)``.
        free: ``(U, T)`` bool, the tokens that may be hidden.
        chosen: "token_dropout" hides each by itself (Iyyer et al. 2015, word dropout);
            "span_mask" hides one stretch (Joshi et al. 2020, SpanBERT).
        generator: the only source of chance.
        share: chance of a token to be hidden, and the longest stretch as a share of the text.
        instead: id of the token that says nothing.
    """
    hidden = torch.zeros_like(free)
    order = free.cumsum(1) - 1  # the place of a token among those that may be hidden
    count = free.sum(1, keepdim=True)
    if "token_dropout" in chosen:
        hidden |= torch.rand(ids.shape, generator=generator) < share
    if "span_mask" in chosen:
        longest = (share * count).clamp(min=1)
        wide = 1 + (torch.rand(len(ids), 1, generator=generator) * longest).floor()
        start = (torch.rand(len(ids), 1, generator=generator) * (count - wide + 1)).floor()
        hidden |= (order >= start) & (order < start + wide)
    hidden &= free
    # One that may be hidden is drawn to stay, whatever happens to the others.
    kept = (torch.rand(len(ids), 1, generator=generator) * count).floor()
    return ids.masked_fill(hidden & (order != kept), instead)
