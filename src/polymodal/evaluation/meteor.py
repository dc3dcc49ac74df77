"""METEOR without a thesaurus: words that are the same, or have the same stem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

from polymodal.evaluation.wording import words

ALPHA, BETA, GAMMA = 0.9, 3.0, 0.5


def meteor(answer: str, references: Sequence[str]) -> float:
    """METEOR of an answer against its best reference, by exact words and stems.

    The harmonic mean of precision and recall, recall weighing nine times as much, less a penalty
    for words that are out of order (Banerjee & Lavie 2005; Lavie & Agarwal 2007,
    https://aclanthology.org/W07-0734). Synonyms are not known: it is lower than METEOR with
    WordNet. Stems are Porter's where the package `nltk` is installed, else words as they are.

    >>> round(meteor("the cat sat on the mat", ["on the mat sat the cat"]), 3)
    0.5
    """
    said = words(answer)
    return max((_score(said, words(reference)) for reference in references), default=0.0)


def _score(said: Sequence[str], true: Sequence[str]) -> float:
    pairs = aligned(said, true)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(said), len(pairs) / len(true)
    mean = precision * recall / (ALPHA * precision + (1 - ALPHA) * recall)
    follow = sum((a + 1, b + 1) == after for (a, b), after in pairwise(pairs))
    chunks = len(pairs) - follow
    return (1 - GAMMA * (chunks / len(pairs)) ** BETA) * mean


def aligned(said: Sequence[str], true: Sequence[str]) -> list[tuple[int, int]]:
    """Places of words that stand for each other, each once: first the same words, then stems."""
    pairs: list[tuple[int, int]] = []
    left_said, left_true = list(enumerate(said)), list(enumerate(true))
    for form in (str, _stemmer()):
        for place in range(len(left_said) - 1, -1, -1):
            for other in range(len(left_true) - 1, -1, -1):
                if form(left_said[place][1]) == form(left_true[other][1]):
                    pairs.append((left_said.pop(place)[0], left_true.pop(other)[0]))
                    break
    return sorted(pairs)


@lru_cache(maxsize=1)
def _stemmer() -> Callable[[str], str]:
    try:
        from nltk.stem.porter import PorterStemmer
    except ImportError:
        return str
    return lru_cache(maxsize=1 << 15)(PorterStemmer().stem)
