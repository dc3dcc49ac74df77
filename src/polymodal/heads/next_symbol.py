"""From what a pretrained network says of the next token to what is said of the next symbol."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

UNLIKELY = -20.0
"""Added to the logits of tokens that end a text, which are told as symbol 0."""


class NextSymbol(nn.Module):
    """Logits of symbols ``(…, 1 + V)``: the end, then each token id.

    Args:
        vocabulary: token ids V of the tokenizer; the network may know more.
        ends: token ids that end a text; with none of them, the end is learned.
        width: size of the last layer's output.

    Example:
        >>> NextSymbol(3, [2], 4)(torch.tensor([[0.0, 1.0, 5.0]]))
        tensor([[  5.,   0.,   1., -15.]])
    """

    def __init__(self, vocabulary: int, ends: Sequence[int], width: int) -> None:
        super().__init__()
        self.vocabulary, self.ends = vocabulary, list(ends)
        self.end = None if self.ends else nn.Parameter(torch.zeros(width))

    @property
    def learned(self) -> bool:
        """Whether the end is learned, from the last layer's output."""
        return self.end is not None

    def forward(self, logits: Tensor, hidden: Tensor | None = None) -> Tensor:
        """The network's logits ``(…, V or more)``, and its last layer's output ``(…, D)``."""
        if self.end is not None:
            assert hidden is not None
            end = hidden.to(self.end.dtype) @ self.end
            return torch.cat([end[..., None].to(logits.dtype), logits[..., : self.vocabulary]], -1)
        # The largest, not their sum: what is likeliest is then what the network itself would say.
        end = logits[..., self.ends].amax(-1, keepdim=True)
        lower = torch.zeros(logits.shape[-1], device=logits.device, dtype=logits.dtype)
        lower[self.ends] = UNLIKELY
        return torch.cat([end, (logits + lower)[..., : self.vocabulary]], -1)
