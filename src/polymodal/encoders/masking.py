"""Masks of ragged cells: which tokens are real, and means and maxima over those alone."""

from __future__ import annotations

import torch
from torch import Tensor

from polymodal.batch import Field


def token_mask(field: Field) -> Tensor:
    """Mask ``(U, T)`` of a ragged field, with at least one True in every row.

    A cell without any token (an empty text) keeps its first padding place as its only token, so
    that no mean divides by zero and no attention is left without a target.
    """
    shape = field.values.shape[:2]
    if field.mask is None:
        return torch.ones(shape, dtype=torch.bool, device=field.values.device)
    first = torch.arange(shape[1], device=field.mask.device) == 0
    return field.mask | (first & ~field.mask.any(1, keepdim=True))


def real_values(field: Field) -> Tensor:
    """Values ``(U, T, …)`` with zeros wherever there is padding, whatever it held."""
    if field.mask is None:
        return field.values
    mask = field.mask.reshape(*field.mask.shape, *[1] * (field.values.ndim - 2))
    return torch.where(
        mask, field.values, torch.zeros((), dtype=field.values.dtype).to(mask.device)
    )


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean ``(U, D)`` of the real tokens of ``x (U, T, D)``; zero where there are none.

    >>> masked_mean(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    total = x.masked_fill(~mask.unsqueeze(-1), 0).sum(1)
    return total / mask.sum(1, keepdim=True).clamp_min(1).to(total.dtype)


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """Maximum ``(U, D)`` over the real tokens of ``x (U, T, D)``.

    >>> masked_max(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[4.]])
    """
    return x.masked_fill(~mask.unsqueeze(-1), -torch.inf).amax(1)
