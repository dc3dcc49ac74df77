"""Batches larger than the memory: an encoder run part by part, and again for the gradient.

Gradient caching (Gao et al. 2021, https://arxiv.org/abs/2101.06983): a contrastive loss needs the
vectors of the whole batch at once, but not what the encoder did to make them. Each part's
activations are dropped after the forward pass and computed again, one part at a time, when the
gradient with respect to its vectors is known. The gradient is that of the whole batch; an encoder
with a BatchNorm normalises over a part instead of the batch.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from polymodal.batch import Field, Tokens


def in_parts(encoder: nn.Module, field: Field, size: int) -> Tokens:
    """What an encoder makes of the distinct cells of a field: their pooled vectors only.

    Args:
        encoder: from a field to tokens.
        field: the cells, U of them.
        size: cells that it is run on at a time.

    Returns:
        Tokens with one token of each cell, its pooled vector.

    Example:
        >>> from polymodal.encoders import Cnn
        >>> pictures = Field(torch.zeros(5, 3, 8, 8).byte(), present=torch.ones(5).bool())
        >>> in_parts(Cnn(3, 8, width=4), pictures, 2).pooled.shape
        torch.Size([5, 4])
    """
    every = torch.ones(len(field.values), dtype=torch.bool, device=field.values.device)
    cells = replace(field, present=every, index=None)
    parts = [_part(cells, start, start + size) for start in range(0, len(every), size)]

    def pooled(part: Field) -> Tensor:
        vectors: Tensor = encoder(part).pooled
        return vectors

    # Chance (dropout) is the same in both runs: the generators' states are put back.
    vectors = torch.cat([checkpoint(pooled, part, use_reentrant=False) for part in parts])
    return Tokens(vectors[:, None], None, vectors)


def _part(field: Field, start: int, stop: int) -> Field:
    mask = None if field.mask is None else field.mask[start:stop]
    return replace(
        field, values=field.values[start:stop], present=field.present[start:stop], mask=mask
    )
