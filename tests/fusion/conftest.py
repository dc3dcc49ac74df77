from collections.abc import Callable

import pytest
import torch
from torch import nn

from polymodal.batch import Fused, Tokens
from polymodal.fusion import Fusion


@pytest.fixture
def fuse() -> Callable[..., Fused]:
    """Runs a fusion whose branches' projections are taken out, so that results can be computed
    by hand: ``fuse(fusion, a=[[1, 2], None])`` has the branch a absent in the second row.
    """

    def run(fusion: Fusion, **branches: list[list[float] | None]) -> Fused:
        fusion.vectors.projections = nn.ModuleList(nn.Identity() for _ in branches)
        tokens, present = {}, {}
        for name, rows in branches.items():
            absent = [float("nan")] * fusion.width
            pooled = torch.tensor([absent if row is None else row for row in rows]).float()
            tokens[name] = Tokens(pooled[:, None], None, pooled)
            present[name] = torch.tensor([row is not None for row in rows])
        return fusion.eval()(tokens, present)

    return run
