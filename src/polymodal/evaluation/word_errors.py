"""Word and character error rates: what must be changed to make an answer right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polymodal.errors import MissingExtra
from polymodal.evaluation.wording import letters, words


def word_errors(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Words to be replaced, added or taken out, and words of the reference, ``(N, 2)``.

    Of several references that with the lowest share counts.

    Raises:
        MissingExtra: `jiwer` is not installed.
    """
    said, true = _mapped(answers, references, lambda text: " ".join(words(text)))
    return _errors(_jiwer("process_words"), said, true, size=lambda text: len(text.split()))


def character_errors(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """Characters to be replaced, added or taken out, and those of the reference, ``(N, 2)``.

    Raises:
        MissingExtra: `jiwer` is not installed.
    """
    said, true = _mapped(answers, references, letters)
    return _errors(_jiwer("process_characters"), said, true, size=len)


def _mapped(
    answers: Sequence[str], references: Sequence[Sequence[str]], form: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    return [form(a) for a in answers], [[form(r) for r in texts] for texts in references]


def _errors(
    process: Callable[[str, str], Any],
    answers: list[str],
    references: list[list[str]],
    *,
    size: Callable[[str], int],
) -> np.ndarray:
    def one(answer: str, reference: str) -> tuple[float, float]:
        if not reference:
            return float(size(answer)), 0.0
        found = process(reference, answer)
        wrong = found.substitutions + found.deletions + found.insertions
        return wrong, found.hits + found.substitutions + found.deletions

    return np.array(
        [
            min((one(answer, text) for text in texts), key=lambda pair: pair[0] / max(pair[1], 1))
            for answer, texts in zip(answers, references, strict=True)
        ],
        np.float64,
    ).reshape(-1, 2)


def _jiwer(name: str) -> Callable[[str, str], Any]:
    try:
        import jiwer
    except ImportError as error:
        raise MissingExtra("jiwer", "generate") from error
    process: Callable[[str, str], Any] = getattr(jiwer, name)
    return process
