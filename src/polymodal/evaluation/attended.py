"""Where in the pictures each word of a written text was read: attention, for people to look at.

Letters: W words of one text · S tokens that are read · H × W the grid of a picture's tokens.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch
from polymodal.data.modalities import Modality, Passages, Text
from polymodal.heads.autoregressive import Autoregressive
from polymodal.model import MultimodalModel

SMALLEST_GRID = 4  # tokens of a picture; fewer say nothing of places
_BEFORE = 2  # the row's vector, and the token that a fusion puts first


class Look(NamedTuple):
    """Where one word was read.

    Args:
        word: as it stands in the text.
        grid: ``(H, W)`` how much each part of the picture was looked at, against the most; the
            first row at the top.
    """

    word: str
    grid: np.ndarray


def attended(
    model: MultimodalModel, batch: Batch, target: str, branch: str, modality: Modality
) -> list[list[Look]]:
    """Where a branch's picture was looked at for each word that is written about a row.

    The attention of a decoder to the tokens that it reads, the mean over its layers and heads. It
    says what was read, not why a word was written (Jain & Wallace 2019, arXiv:1902.10186).

    Args:
        model: the network.
        batch: the rows.
        target: the text.
        branch: an input that is a picture.
        modality: of the target.

    Returns:
        For each row its words; none where the decoder looks at no single parts of the picture,
        as with fusions that make one vector of it.
    """
    head = model.head(target)
    nothing: list[list[Look]] = [[] for _ in range(len(batch))]
    if not isinstance(head, Autoregressive) or not head.looks_around:
        return nothing
    assert isinstance(modality, Text | Passages)
    model.eval()
    with torch.inference_mode():
        tokens, present = model.encode(batch)
        prediction = model.predict(tokens, present)[target]
        sizes = [tokens[name].x.shape[1] for name in model.branches]
        place = model.branches.index(branch)
        side = math.isqrt(sizes[place])
        extra = sizes[place] - side**2  # a class token comes first
        if prediction.shape[1] != _BEFORE + sum(sizes) or side**2 < SMALLEST_GRID or extra > 1:
            return nothing
        ids = head.answer(prediction)
        start = _BEFORE + sum(sizes[:place]) + extra
        looks = head.looks(prediction, ids)[..., start : start + side**2].float().cpu()
    here = present[branch].tolist()
    return [
        _words(row_ids, row_looks.unflatten(-1, (side, side)), modality) if there else []
        for row_ids, row_looks, there in zip(ids.cpu(), looks, here, strict=True)
    ]


def _words(ids: Tensor, looks: Tensor, modality: Text | Passages) -> list[Look]:
    """Tokens joined to words; a word was read where its tokens were, on average."""
    count = int((ids >= 0).sum())
    found: list[tuple[str, list[np.ndarray]]] = []
    before = ""
    for place in range(count):
        whole = modality.restore(ids[None, : place + 1].numpy())[0]
        new = whole[len(before) :] if whole.startswith(before) else whole
        if found and new and not new.startswith(" ") and new.isascii() and found[-1][0].isascii():
            found[-1] = (found[-1][0] + new, [*found[-1][1], looks[place].numpy()])
        else:
            found.append((new.strip(), [looks[place].numpy()]))
        before = whole
    means = [(word, np.mean(grids, axis=0)) for word, grids in found if word]
    return [Look(word, grid / (grid.max() or 1.0)) for word, grid in means]
