"""Texts as they are written, and several of them for one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
import torch

from polymodal.batch import Batch
from polymodal.data.modalities import Passages, Text
from polymodal.errors import RecipeError, nearest
from polymodal.heads import TextHead
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.generation import Decoding
from polymodal.model import MultimodalModel

_HALF = "\ufffd"  # a character of which not all bytes are written yet


def decoding_with(head: TextHead, options: Mapping[str, float | int]) -> Decoding:
    """How a head writes, with some of it otherwise.

    Args:
        head: says how it usually does.
        options: those of :class:`Decoding` that differ.

    Raises:
        RecipeError: there is no such option, or a value is out of range.
    """
    known = [one.name for one in fields(Decoding)]
    for name in options:
        if name not in known:
            raise RecipeError(f"Writing has no option {name!r}. {nearest(name, known)}")
    return replace(head.decoding, **options)  # type: ignore[arg-type]


def stream(
    model: MultimodalModel,
    batch: Batch,
    target: str,
    modality: Text | Passages,
    *,
    decoding: Decoding,
    stop: Sequence[str] = (),
) -> Iterator[str]:
    """The text of one row, piece by piece as it is written.

    What looks at whole texts (beams, ``ctc``) is told in one piece.

    Args:
        model: the network.
        batch: one row.
        target: the text.
        modality: of the target.
        decoding: how tokens are chosen.
        stop: the text ends before the first of these.
    """
    head = model.head(target)
    assert isinstance(head, TextHead)
    model.eval()
    with torch.inference_mode():
        prediction = model(batch)[target]
        if not isinstance(head, Autoregressive) or decoding.beams > 1:
            ids = head.generate(prediction, decoding=decoding).tokens[:, 0].cpu().numpy()
            yield _cut(modality.restore(ids)[0], stop)
            return
        steps = head.stream(prediction, decoding)
    written: list[int] = []
    said = kept = ""
    while True:
        with torch.inference_mode():  # entered for each step: the caller's code runs between them
            step = next(steps, None)
        if step is None or int(step.symbols[0]) == 0:
            if kept.startswith(said) and kept != said:  # half a character, never completed
                yield kept[len(said) :]
            return
        written.append(int(step.symbols[0]) - 1)
        whole = modality.restore(np.array([written]))[0]
        kept = _cut(whole, stop)
        if not kept.endswith(_HALF) and kept.startswith(said) and len(kept) > len(said):
            yield kept[len(said) :]
            said = kept
        if kept != whole:
            return


def _cut(text: str, stop: Sequence[str]) -> str:
    places = [place for word in stop if word and (place := text.find(word)) >= 0]
    return text[: min(places)].rstrip() if places else text


def several(
    model: MultimodalModel,
    batch: Batch,
    target: str,
    modality: Text | Passages,
    *,
    best: int,
    decoding: Decoding,
) -> list[list[tuple[str, float]]]:
    """Several texts of each row with their scores, the best first.

    Args:
        model: the network.
        batch: the rows.
        target: the text.
        modality: of the target.
        best: how many texts of each row; fewer where no more were found.
        decoding: how they are chosen.

    Returns:
        For each row texts, and the geometric mean of their tokens' probabilities.
    """
    head = model.head(target)
    assert isinstance(head, TextHead)
    model.eval()
    with torch.inference_mode():
        said = head.generate(model(batch)[target], best=best, decoding=decoding)
    scores = said.score.exp().cpu().tolist()
    texts = [modality.restore(row) for row in said.tokens.cpu().numpy()]
    return [
        [(text, score) for text, score in zip(*row, strict=True) if score > 0]
        for row in zip(texts, scores, strict=True)
    ]
