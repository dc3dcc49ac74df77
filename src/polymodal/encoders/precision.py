"""The precision that layers compute in."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(parameter: Tensor) -> torch.dtype:
    """The dtype in which a layer with this parameter computes: autocast's, or its own."""
    device = parameter.device.type
    return (
        torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else parameter.dtype
    )
