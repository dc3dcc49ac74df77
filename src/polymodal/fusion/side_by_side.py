"""Nothing fused: the branches side by side, for heads that compare them."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from polymodal.batch import Fused, Tokens
from polymodal.fusion.fusion import Fusion


class SideBySide(Fusion):
    """The branches' pooled vectors as they are, filled up with zeros to the widest of them.

    When to choose it: never by hand; it is what an :class:`~polymodal.heads.Alignment` reads.

    Args:
        widths: branch -> width of its encoder.

    Example:
        >>> photo, text = torch.ones(2, 3), torch.ones(2, 2)
        >>> tokens = {
        ...     "photo": Tokens(photo[:, None], None, photo),
        ...     "text": Tokens(text[:, None], None, text),
        ... }
        >>> present = {"photo": torch.tensor([True, True]), "text": torch.tensor([True, False])}
        >>> SideBySide({"photo": 3, "text": 2})(tokens, present).tokens[1]
        tensor([[0., 0., 0.],
                [1., 1., 1.],
                [0., 0., 0.]])
    """

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.width = max(widths.values())

    def forward(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        """Tokens ``(B, 1 + M, D)``: one of zeros, which is the vector, then one per branch."""
        parts = [
            pad(
                torch.where(present[n][:, None], t.pooled, 0.0), (0, self.width - t.pooled.shape[1])
            )
            for n, t in tokens.items()
        ]
        nothing = torch.zeros_like(parts[0])
        here = torch.stack([torch.ones_like(present[next(iter(tokens))]), *present.values()], 1)
        return Fused(nothing, torch.stack([nothing, *parts], 1), here)
