"""The branches of a fusion, brought to one width, with absent cells taken out before any sum.

Letters: B rows · M branches · T tokens · D width.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polymodal.batch import Fused, Tokens
from polymodal.errors import RecipeError


class BranchVectors(nn.Module):
    """One vector per branch: each pooled vector through its own Linear and LayerNorm.

    The LayerNorm puts encoders of different scale on one footing, which sums, maxima and
    products of branches need.

    Args:
        widths: branch -> width of its encoder.
        width: size D of the vectors.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        _check(widths, width)
        self.branches = tuple(widths)
        self.projections = nn.ModuleList(_projection(size, width) for size in widths.values())

    def forward(
        self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Vectors ``(B, M, D)``, exactly zero where absent, and presence ``(B, M)`` bool."""
        vectors = []
        for name, project in zip(self.branches, self.projections, strict=True):
            here = present[name][:, None]  # (B, 1)
            # Chosen, not multiplied: NaN times zero is NaN, in the gradient too.
            vector = project(torch.where(here, tokens[name].pooled, 0.0))
            vectors.append(torch.where(here, vector, 0.0))
        return torch.stack(vectors, 1), torch.stack([present[n] for n in self.branches], 1)


class BranchTokens(nn.Module):
    """All tokens of each branch: its own Linear and LayerNorm, plus what marks the branch.

    Args:
        widths: branch -> width of its encoder.
        width: size D of the tokens.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        _check(widths, width)
        self.branches = tuple(widths)
        self.projections = nn.ModuleList(_projection(size, width) for size in widths.values())
        self.kinds = nn.Parameter(0.02 * torch.randn(len(widths), width))

    def forward(
        self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Tokens ``(B, T, D)`` and their masks ``(B, T)``, False at padding and absent cells."""
        sequences, masks = [], []
        for i, (name, project) in enumerate(zip(self.branches, self.projections, strict=True)):
            x, mask = tokens[name].x, tokens[name].mask
            here = present[name][:, None].expand(-1, x.shape[1])  # (B, T)
            mask = here if mask is None else mask & here
            sequences.append(project(torch.where(mask[..., None], x, 0.0)) + self.kinds[i])
            masks.append(mask)
        return sequences, masks


def with_tokens(
    vector: Tensor, tokens: Tensor, mask: Tensor, weights: Tensor | None = None
) -> Fused:
    """A fused vector and its tokens, the vector itself being the first of them.

    So every row has a token to attend to, also one in which every branch is absent.

    Args:
        vector: ``(B, D)``.
        tokens: ``(B, T, D)``; of late fusions one token per branch.
        mask: ``(B, T)`` bool.
        weights: ``(B, M)`` or None.
    """
    first = torch.ones_like(mask[:, :1])
    tokens = torch.cat([vector[:, None], tokens], 1)
    return Fused(vector, tokens, torch.cat([first, mask], 1), weights)


def _projection(size: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, width), nn.LayerNorm(width))


def _check(widths: Mapping[str, int], width: int) -> None:
    if not widths:
        raise RecipeError("A fusion needs at least one branch; 'widths' is empty.")
    for name, size in {**widths, "the fusion": width}.items():
        if size < 1:
            raise RecipeError(f"The width of {name!r} is {size}; a width is at least 1.")
