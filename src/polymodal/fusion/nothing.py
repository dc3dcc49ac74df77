"""Nothing to fuse: every input is read by a head itself."""

from collections.abc import Mapping

import torch
from torch import Tensor

from polymodal.batch import Fused, Tokens
from polymodal.fusion.fusion import Fusion


class Nothing(Fusion):
    """A single zero for each row, where heads read all inputs by themselves.

    When to choose it: never by hand; it stands where a pretrained head reads every column.

    Args:
        widths: branch -> width of its encoder; not looked at.

    Example:
        >>> x = torch.ones(2, 3)
        >>> present = {"photo": torch.tensor([True, True])}
        >>> Nothing({"photo": 3})({"photo": Tokens(x[:, None], None, x)}, present).vector.shape
        torch.Size([2, 1])
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.width = 1

    def forward(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        """Vector ``(B, 1)`` and its one token ``(B, 1, 1)``."""
        here = next(iter(present.values()))
        nothing = torch.zeros(len(here), 1, device=here.device)
        return Fused(nothing, nothing[:, None], torch.ones_like(here)[:, None])
