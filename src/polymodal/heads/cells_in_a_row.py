"""Cells of several columns as one row of numbers, and back.

A head's prediction is one tensor, which is sliced by rows and moved around; a whole pretrained
model reads texts and pictures. Token ids and pixels are exact as float32.

Letters: B rows · T token ids or pictures of a cell · C channels · H height · W width of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from polymodal.batch import Tokens

CHANNELS = 3


def packed(tokens: Mapping[str, Tokens], sides: Mapping[str, int]) -> Tensor:
    """Cells as one row of numbers each, ``(B, N)``.

    First stands how many token ids or pictures each column has, then for each column which of
    them are there, and what they hold.

    Args:
        tokens: column -> its cells as they are.
        sides: column -> pixels of a picture's side; 0 of texts.
    """
    counts, parts = [], []
    for name, side in sides.items():
        x, mask, _ = tokens[name]
        assert mask is not None
        rows = side * CHANNELS if side else 1
        if side and x.shape[1] % rows:  # a hidden branch has a single token
            assert not mask.any()
            x, mask = x[:, :0], mask[:, :0]
        there = mask[:, ::rows]
        counts.append(there.shape[1])
        # Chosen, not multiplied: NaN times zero is NaN.
        parts += [there.float(), torch.where(mask[..., None], x.float(), 0.0).flatten(1)]
    head = torch.tensor(counts, dtype=torch.float32, device=parts[0].device)
    return torch.cat([head.expand(len(parts[0]), -1), *parts], 1)


def unpacked(numbers: Tensor, sides: Mapping[str, int]) -> list[dict[str, Sequence[Tensor]]]:
    """The cells of each row: column -> its token ids ``(T,)``, or its pictures ``(C, H, W)``.

    Args:
        numbers: ``(B, N)`` as :func:`packed` gave them.
        sides: likewise.
    """
    counts = [round(float(count)) for count in numbers[0, : len(sides)]]
    rows: list[dict[str, Sequence[Tensor]]] = [{} for _ in numbers]
    start = len(sides)
    for (name, side), count in zip(sides.items(), counts, strict=True):
        shape = (CHANNELS, side, side) if side else ()
        size = CHANNELS * side * side if side else 1
        there = numbers[:, start : start + count] > 0.5
        start += count
        kind = torch.uint8 if side else torch.long
        values = numbers[:, start : start + count * size].round().to(kind)
        start += count * size
        for row, kept, cell in zip(rows, there, values, strict=True):
            held = cell.reshape(count, *shape)[kept]
            row[name] = list(held) if side else held
    return rows
