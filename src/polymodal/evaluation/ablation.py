"""What each input is worth to a trained network: its score with some of them hidden."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

MOST_FOR_ALL_SUBSETS = 5


def subsets(columns: Sequence[str]) -> list[tuple[str, ...]]:
    """The sets of inputs to score: all of them up to five columns, else each alone, each left out.

    >>> subsets(["a", "b"])
    [('a', 'b'), ('a',), ('b',)]
    >>> len(subsets("abcdef"))
    13
    """
    whole = tuple(columns)
    if len(whole) <= MOST_FOR_ALL_SUBSETS:
        return [s for size in range(len(whole), 0, -1) for s in combinations(whole, size)]
    left_out = [tuple(c for c in whole if c != gone) for gone in whole]
    return [whole, *left_out, *((column,) for column in whole)]
