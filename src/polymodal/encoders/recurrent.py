"""The recurrent network that several encoders share."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Recurrent(nn.Module):
    """GRU or LSTM over padded sequences, in which padding has no influence at all.

    The backward direction reads each sequence turned round within its own length, so padding
    comes last in both directions. For 32 sequences of 100 steps on a CPU this was 1.6 (GRU) and 3.6
    (LSTM) times as fast as packed sequences, for 12 steps about equal; and it needs no lengths
    on the host.

    Args:
        inputs: size of each step.
        width: size D of the output; even if bidirectional.
        cell: "gru" (Cho 2014) or "lstm" (Hochreiter & Schmidhuber 1997).
        depth: number of layers.
        bidirectional: read each sequence from both ends, each with half the width.
        dropout: chance of dropping an activation between layers in training.

    Raises:
        ValueError: an unknown cell, or an odd width for two directions.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        cell: Literal["gru", "lstm"] = "gru",
        depth: int = 1,
        bidirectional: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if cell not in ("gru", "lstm"):
            raise ValueError(f"cell must be 'gru' or 'lstm', not {cell!r}.")
        if bidirectional and width % 2:
            raise ValueError(f"Two directions share the width, so {width} must be even.")
        kind = nn.GRU if cell == "gru" else nn.LSTM
        size = width // 2 if bidirectional else width
        sizes = [inputs, *[width] * (depth - 1)]
        self.forwards = nn.ModuleList(kind(s, size, batch_first=True) for s in sizes)
        self.backwards = nn.ModuleList(
            kind(s, size, batch_first=True) for s in sizes if bidirectional
        )
        self.dropout = dropout

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Steps ``(U, T, inputs)``, mask ``(U, T)`` with padding last → ``(U, T, D)``."""
        steps = torch.arange(x.shape[1], device=x.device)
        turned = (mask.sum(1, keepdim=True) - 1 - steps).clamp(min=0)[..., None]  # (U, T, 1)
        for i, forwards in enumerate(self.forwards):
            if i:
                x = F.dropout(x, self.dropout, self.training)
            y = forwards(x)[0]
            if self.backwards:
                back = self.backwards[i](_take(x, turned))[0]
                y = torch.cat([y, _take(back, turned)], -1)
            x = y
        return x


def _take(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places.expand(-1, -1, x.shape[-1]))
