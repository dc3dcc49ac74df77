"""What a head's loss needs of a target column: values row by row, and a mean over those present."""

import torch
from torch import Tensor

from polymodal.batch import Field


def target_values(target: Field, absent: float = 0) -> Tensor:
    """The target of each row, ``(B, …)``.

    Args:
        target: values ``(U, …)`` with an index, or ``(B, …)`` without.
        absent: stands where a row has no target, whatever its cell holds.
    """
    values = target.values
    if target.index is not None:
        # All rows absent: there is no cell, and no row of it to point to.
        cells = values if len(values) else values.new_zeros((1, *values.shape[1:]))
        values = cells[target.index]
    present = target.present.reshape(-1, *[1] * (values.ndim - 1))
    return torch.where(present, values, absent)


def mean_of_present(losses: Tensor, present: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean of the losses ``(B,)`` over the rows with a target; 0 if there is none.

    Args:
        losses: ``(B,)``.
        present: ``(B,)`` bool.
        weights: ``(B,)`` weight of each row; None weighs all alike.
    """
    weights = present.to(losses.dtype) if weights is None else torch.where(present, weights, 0.0)
    total = torch.where(present, losses * weights, 0.0).sum()
    count = weights.sum()
    return total / torch.where(count > 0, count, 1.0)
