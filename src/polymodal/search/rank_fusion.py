"""Several rankings of the same things made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CONSTANT = 60.0


def fuse_ranks(
    rankings: Mapping[str, Sequence[str]],
    weights: Mapping[str, float] | None = None,
    *,
    constant: float = CONSTANT,
) -> dict[str, float]:
    """Reciprocal rank fusion: each ranking gives weight / (constant + place) to what it names.

    Choose it where scores are of different scales, as cosines and BM25 are; only places count
    (Cormack, Clarke & Büttcher, *Reciprocal rank fusion outperforms Condorcet and individual rank
    learning methods*, 2009).

    Args:
        rankings: name -> things, the best first.
        weights: name -> how much a ranking counts; 1 by default.
        constant: the larger, the less the first places stand out.

    Returns:
        Thing -> score, the best first; of equal ones, the one named first.

    Example:
        >>> fused = fuse_ranks({"picture": ["a", "b"], "words": ["b", "c"]}, constant=1)
        >>> {key: round(score, 3) for key, score in fused.items()}
        {'b': 0.833, 'a': 0.5, 'c': 0.333}
    """
    scores: dict[str, float] = {}
    for name, ranking in rankings.items():
        weight = 1.0 if weights is None else weights.get(name, 1.0)
        for place, thing in enumerate(ranking, 1):
            scores[thing] = scores.get(thing, 0.0) + weight / (constant + place)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
