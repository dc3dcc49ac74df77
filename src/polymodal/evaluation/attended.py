"""Where in pictures and sounds each word of a written text was read: for people to look at.

Letters: B rows · W words of one text · L tokens of a text · S tokens that are read · T tokens of
one branch · H × W the grid of a picture's tokens.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch
from polymodal.data.modalities import Audio, Modality, Passages, Text
from polymodal.evaluation.hearing import Heard, Hearing
from polymodal.evaluation.wording import words
from polymodal.heads import Ctc
from polymodal.heads.autoregressive import Autoregressive
from polymodal.model import MultimodalModel

SMALLEST_GRID = 4  # tokens of a picture; fewer say nothing of places
LEAST_MOMENTS = 2  # tokens of a sound; one says nothing of time
MOST_PIECES = 16  # of an aligned text that are shown one by one; of longer ones the words are
_BEFORE = 2  # the row's vector, and the token that a fusion puts first
_HALF = "\ufffd"  # a character of which not all bytes are written yet


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
    assert isinstance(modality, Text | Passages)
    nothing: list[list[Look]] = [[] for _ in range(len(batch))]
    if isinstance(model.head(target), Ctc):  # it writes along time, which pictures have not
        return nothing
    reading = _reading(model, batch, target, branch)
    if reading is None:
        return nothing
    side = math.isqrt(reading.shares.shape[-1])
    extra = reading.shares.shape[-1] - side**2  # a class token comes first
    if side**2 < SMALLEST_GRID or extra > 1:
        return nothing
    grids = reading.shares[..., extra:].unflatten(-1, (side, side))
    found: list[list[Look]] = []
    for ids, looks, here in zip(reading.ids, grids, reading.mask, strict=True):
        pairs = _joined(_pieces(ids, modality)) if bool(here.any()) else []
        means = [(word, looks[places].mean(0).numpy()) for word, places in pairs]
        found.append([Look(word, grid / (grid.max() or 1.0)) for word, grid in means])
    return found


def heard(
    model: MultimodalModel,
    batch: Batch,
    target: str,
    branch: str,
    modalities: tuple[Modality, Audio],
) -> list[Hearing | None]:
    """When a branch's sound was heard for each word that is written about a row.

    Of ``ctc`` it is when each of its pieces was said, all alignments of the text counted; of other
    decoders it is attention, as :func:`attended` has it of pictures.

    Args:
        model: the network.
        batch: the rows, with their cells.
        target: the text.
        branch: an input that is a sound.
        modalities: of the target, and of the sound.

    Returns:
        For each row its words; None where there is no sound or no word, or where the decoder
        reads no single moments, as with fusions that make one vector of a recording.
    """
    text, sound = modalities
    assert isinstance(text, Text | Passages)
    reading = _reading(model, batch, target, branch)
    if reading is None or reading.shares.shape[-1] < LEAST_MOMENTS:
        return [None] * len(batch)
    aligned = isinstance(model.head(target), Ctc)
    seconds = _steps(batch, branch) * sound.max_seconds / sound.max_length
    found: list[Hearing | None] = []
    for row, (ids, shares) in enumerate(zip(reading.ids, reading.shares, strict=True)):
        here = shares[:, reading.mask[row]]  # (L, T)
        inside = here.sum(1) / reading.total[row]
        pairs = _pieces(ids, text)
        if not aligned or len(pairs) > MOST_PIECES:
            pairs = _joined(pairs)
        told = here.shape[1] >= LEAST_MOMENTS
        strips = [
            Heard(word.strip(), _shown(here[p], aligned), float(inside[p].mean()))
            for word, p in pairs
            if told and word.strip()
        ]
        found.append(Hearing(branch, float(seconds[row]), strips, aligned) if strips else None)
    return found


def _shown(shares: Tensor, aligned: bool) -> np.ndarray:
    """Of a word's tokens ``(L, T)``: what moments say is added up, attention is against its most.

    Returns:
        ``(T,)``.
    """
    if aligned:
        return shares.sum(0).clamp(max=1).numpy()
    mean = shares.mean(0)
    return (mean / mean.max().clamp_min(1e-12)).numpy()


def _steps(batch: Batch, branch: str) -> np.ndarray:
    """How many frames or samples of each row's sound there are ``(B,)``."""
    field = batch.inputs[branch]
    lengths = torch.full((len(field.values),), field.values.shape[1])
    if field.mask is not None:
        lengths = field.mask.sum(1).cpu()
    if field.index is not None and len(lengths):
        lengths = lengths[field.index.cpu()]
    return lengths.numpy()


class _Reading(NamedTuple):
    """What was written about rows, and where of one branch it was read.

    Args:
        ids: ``(B, L)`` tokens of the texts, -1 after their end.
        shares: ``(B, L, T)`` how much each of the branch's tokens was read.
        total: ``(B, L)`` how much was read in all.
        mask: ``(B, T)`` bool, the tokens that there are.
    """

    ids: Tensor
    shares: Tensor
    total: Tensor
    mask: Tensor


def _reading(model: MultimodalModel, batch: Batch, target: str, branch: str) -> _Reading | None:
    """Where of a branch texts are read; None where the head reads no single tokens of it."""
    head = model.head(target)
    if not isinstance(head, Ctc | Autoregressive):
        return None
    if (isinstance(head, Autoregressive) and not head.looks_around) or branch not in model.fused:
        return None
    model.eval()
    with torch.inference_mode():
        tokens, present = model.encode(batch)
        prediction = model.predict(tokens, present)[target]
        sizes = [tokens[name].x.shape[1] for name in model.fused]
        place = model.fused.index(branch)
        if prediction.shape[1] != _BEFORE + sum(sizes):
            return None
        start = _BEFORE + sum(sizes[:place])
        ids = head.answer(prediction)
        shares = head.heard(prediction, ids) if isinstance(head, Ctc) else None
        if shares is None:
            assert isinstance(head, Autoregressive)
            shares = head.looks(prediction, ids)
        mask = tokens[branch].mask
        here = torch.ones(shares.shape[0], sizes[place], dtype=torch.bool)
        here = here if mask is None else mask.cpu()
        own = shares[..., start : start + sizes[place]].float().cpu()
        total = shares.float().sum(-1).clamp_min(1e-12).cpu()
    return _Reading(ids.cpu(), own, total, here & present[branch].cpu()[:, None])


def _pieces(ids: Tensor, modality: Text | Passages) -> list[tuple[str, list[int]]]:
    """What tokens add to a text, and which tokens they are; several for a character of many."""
    found: list[tuple[str, list[int]]] = []
    before, waiting = "", list[int]()
    for place in range(int((ids >= 0).sum())):
        whole = modality.restore(ids[None, : place + 1].numpy())[0].rstrip(_HALF)
        waiting.append(place)
        if len(whole) > len(before):
            found.append((whole[len(before) :], waiting))
            before, waiting = whole, []
    return found


def _joined(pieces: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    """Pieces joined to words; characters that are words by themselves stay alone."""
    found: list[tuple[str, list[int]]] = []
    for piece, places in pieces:
        if found and not piece[0].isspace() and len(words(found[-1][0][-1] + piece[0])) < 2:
            found[-1] = (found[-1][0] + piece, [*found[-1][1], *places])
        else:
            found.append((piece, places))
    return [(word.strip(), places) for word, places in found if word.strip()]
