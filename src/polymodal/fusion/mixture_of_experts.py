"""Late fusion by experts, a few of which answer for each branch of each row."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polymodal.batch import Fused, Tokens
from polymodal.errors import RecipeError
from polymodal.fusion.branches import BranchVectors, with_tokens
from polymodal.fusion.fusion import Fusion
from polymodal.fusion.pooling import mean
from polymodal.fusion.weighted_sum import shares, weighted_sum


def top_shares(scores: Tensor, count: int) -> Tensor:
    """Softmax over the ``count`` highest scores; the others get exactly 0.

    Args:
        scores: ``(…, E)``.
        count: how many are chosen; all that tie with the last of them are chosen too.

    Returns:
        ``(…, E)``, sums to 1.

    Example:
        >>> top_shares(torch.tensor([1.0, 3.0, 3.0]), 2)
        tensor([0.0000, 0.5000, 0.5000])
    """
    return shares(scores, scores >= scores.topk(count).values[..., -1:])


class MixtureOfExperts(Fusion):
    """Each branch, seen beside the mean of all, goes to the experts that suit it best.

    With ``uᵢ = [fᵢ; f̄]`` the result is ``LN(mean over i of (fᵢ + Σₑ gₑ(uᵢ) Eₑ(uᵢ)))``, where
    the gates g are the softmax over the ``active`` highest of the experts' scores. Experts are
    shared between branches; who answers depends on the row alone, never on the batch: there is
    no capacity limit and no balancing loss. Shazeer et al. 2017
    (https://arxiv.org/abs/1701.06538), for absent modalities Han et al. 2024 (FuseMoE,
    https://arxiv.org/abs/2402.03226).

    When to choose it: tens of thousands of rows of several kinds, with many patterns of absent
    columns. All experts are computed (batches are small here): it is sparse in what it learns,
    not in time.

    Args:
        widths: branch -> width of its encoder.
        width: size of the fused vector.
        experts: number of experts.
        active: experts that answer for a branch of a row.
        dropout: chance that a hidden value of an expert is dropped in training.

    Raises:
        RecipeError: more experts are active than there are, or none.

    Example:
        >>> a, b = torch.randn(2, 8), torch.randn(2, 6)
        >>> tokens = {"a": Tokens(a[:, None], None, a), "b": Tokens(b[:, None], None, b)}
        >>> present = {"a": torch.tensor([True, True]), "b": torch.tensor([True, False])}
        >>> MixtureOfExperts({"a": 8, "b": 6}, width=16)(tokens, present).vector.shape
        torch.Size([2, 16])
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        width: int = 128,
        *,
        experts: int = 4,
        active: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not 1 <= active <= experts:
            raise RecipeError(
                f"active is {active} and experts is {experts}; "
                "at least one expert and at most all of them can be active."
            )
        self.width, self.active = width, active
        self.vectors = BranchVectors(widths, width)
        self.router = nn.Linear(2 * width, experts)
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(2 * width, width),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(width, width),
            )
            for _ in range(experts)
        )
        self.norm = nn.LayerNorm(width)
        self.prior = nn.Parameter(torch.zeros(width))

    def forward(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        """Fuse; the tokens are the fused vector and one per branch ``(B, 1 + M, D)``."""
        parts, here = self.vectors(tokens, present)
        beside = mean(parts, here)[:, None].expand_as(parts)
        seen = torch.cat([parts, beside], -1)  # (B, M, 2 D)
        gates = top_shares(self.router(seen), self.active)  # (B, M, E)
        answers = torch.stack([expert(seen) for expert in self.experts], 2)  # (B, M, E, D)
        vector = self.norm(mean(parts + weighted_sum(answers, gates), here))
        vector = torch.where(here.any(1, keepdim=True), vector, self.prior)
        return with_tokens(vector, parts, here)
