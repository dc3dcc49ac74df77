"""What every fusion promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from polymodal.batch import Fused, Tokens


class Fusion(nn.Module, ABC):
    """From the tokens of all branches to one vector (and tokens) per row.

    A fusion is built as ``Fusion(widths, width=…, …)`` where ``widths`` maps each branch to the
    size of its tokens. Any branch may be absent in any row: it then contributes nothing, exactly
    (the result does not depend on what the absent cell holds, NaN included, and no gradient
    flows into it). A row in which every branch is absent gets a learned prior.
    """

    width: int
    """Size D of the fused vector and tokens."""

    @abstractmethod
    def forward(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        """Fuse the branches.

        Args:
            tokens: branch -> tokens ``(B, T, D_branch)``, the branches of ``widths``.
            present: branch -> ``(B,)`` bool.
        """
