"""CIDEr-D: how many telling words an answer shares with what several people wrote."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polymodal.errors import MissingExtra
from polymodal.evaluation.wording import words


def cider(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each answer ``(N,)``, by the scorer of the COCO captions.

    Sequences of one to four words are weighted by how rare they are among the references of all
    rows, so a score belongs to the rows it was computed on (Vedantam et al. 2015,
    https://arxiv.org/abs/1411.5726). It usually lies between 0 and 2; at most it is 10.

    Raises:
        MissingExtra: `pycocoevalcap` is not installed.
    """
    try:
        from pycocoevalcap.cider.cider_scorer import CiderScorer
    except ImportError as error:
        raise MissingExtra("pycocoevalcap", "generate") from error
    scorer = CiderScorer()
    for answer, texts in zip(answers, references, strict=True):
        scorer += (" ".join(words(answer)), [" ".join(words(text)) for text in texts])
    if not any(words(text) for texts in references for text in texts):
        return np.zeros(len(answers))
    return np.asarray(scorer.compute_score()[1], np.float64)
