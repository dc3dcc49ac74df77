"""How well one column finds another: ranks, their metrics, and what chance would give.

Letters: Q queries · G things to be found · D width of a vector · R resamples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln

from polymodal.evaluation.scores import Score

DEPTH = 10  # of nDCG
RECALLS = (1, 5, 10)
RETRIEVAL_METRICS = {
    "recall@1": "recall@1",
    "recall@5": "recall@5",
    "recall@10": "recall@10",
    "mrr": "MRR",
    "ndcg@10": "nDCG@10",
    "median_rank": "median rank",
}
"""Metric -> what to call it."""
_CHUNK = 2**24  # cosines held at a time
_RESAMPLED = 2**27  # counts of resamples at most


@dataclass(frozen=True)
class Cells:
    """The distinct cells of one column.

    Args:
        vectors: ``(N, D)`` of length 1.
        items: ``(N,)`` which thing each is of, the first one where it is of several.
        rows: ``(N,)`` a row of the table that holds it.
        shared: pairs of a cell's place and a thing it is of, ``(2, …)``; None where each is of
            one thing.
    """

    vectors: np.ndarray
    items: np.ndarray
    rows: np.ndarray
    shared: np.ndarray | None = None

    @property
    def pairs(self) -> np.ndarray:
        """Pairs of a cell's place and a thing it is of ``(2, …)``."""
        if self.shared is not None:
            return self.shared
        return np.stack([np.arange(len(self.items)), self.items])

    def belong(self, things: int) -> csr_array:
        """Which cell is of which thing ``(N, things)``."""
        places, items = self.pairs
        ones = np.ones(len(places), np.int32)
        return csr_array((ones, (places, items)), shape=(len(self.items), things))


@dataclass(frozen=True)
class Retrieval:
    """What was found in one direction.

    Args:
        query: the column that asks.
        answer: the column that is searched.
        ranks: ``(Q,)`` place of the first right answer, 1 at best; among equals, the middle.
        gains: ``(Q,)`` nDCG of the first ten.
        items: ``(Q,)`` which thing each query is of.
        right: ``(Q,)`` how many answers are right.
        answers: G, how many cells are searched.
        tops: ``(Q, 10)`` places of the first ten answers among the cells, the best first.
        hits: ``(Q, 10)`` bool, whether these are right.
        asked: ``(Q,)`` places of the queries among the cells.
    """

    query: str
    answer: str
    ranks: np.ndarray
    gains: np.ndarray
    items: np.ndarray
    right: np.ndarray
    answers: int
    tops: np.ndarray
    hits: np.ndarray
    asked: np.ndarray

    def metrics(self) -> dict[str, float]:
        """Metric of :data:`RETRIEVAL_METRICS` -> value."""
        return {
            **{f"recall@{k}": float((self.ranks <= k).mean()) for k in RECALLS},
            "mrr": float((1 / self.ranks).mean()),
            "ndcg@10": float(self.gains.mean()),
            "median_rank": float(np.median(self.ranks)),
        }

    def chance(self) -> dict[str, float]:
        """The metrics of answers in random order, worked out, not drawn."""
        kinds, counts = np.unique(self.right, return_counts=True)
        share, tables = counts / counts.sum(), [_within(int(r), self.answers) for r in kinds]
        found = np.tensordot(share, np.stack(tables), 1)  # (G,) the first right one is within k
        gains = [_random_gain(int(r), self.answers) for r in kinds]
        at = np.diff(np.r_[0.0, found])
        return {
            **{f"recall@{k}": float(found[min(k, self.answers) - 1]) for k in RECALLS},
            "mrr": float((at / np.arange(1, self.answers + 1)).sum()),
            "ndcg@10": float(share @ np.array(gains)),
            "median_rank": float(1 + np.searchsorted(found, 0.5)),
        }

    def scores(self, *, resamples: int = 1000, seed: int = 0) -> dict[str, Score]:
        """Each metric with its 95 % bootstrap interval.

        Things are drawn, not queries: five captions of one picture stand or fall together.

        Args:
            resamples: how often.
            seed: of the draws.
        """
        whose = np.unique(self.items, return_inverse=True)[1]
        count = int(whose.max()) + 1
        resamples = max(50, min(resamples, _RESAMPLED // max(len(whose), 1)))
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)  # (R, things)
        weights = drawn[:, whose].astype(np.float64)  # (R, Q)
        rows = np.stack(
            [*((self.ranks <= k) for k in RECALLS), 1 / self.ranks, self.gains], 1
        ).astype(np.float64)
        means = (weights @ rows) / weights.sum(1, keepdims=True)
        order = np.argsort(self.ranks, kind="stable")
        risen = np.cumsum(weights[:, order], 1)
        middle = (risen < risen[:, -1:] / 2).sum(1)
        resampled = np.column_stack([means, self.ranks[order][middle]])
        return {
            name: Score.around(value, column)
            for (name, value), column in zip(self.metrics().items(), resampled.T, strict=True)
        }

    def to_dict(self, **how: Any) -> dict[str, Any]:
        """As ``metrics.json`` holds it."""
        scores = {name: score.to_dict() for name, score in self.scores(**how).items()}
        return {
            "query": self.query,
            "answer": self.answer,
            "queries": len(self.ranks),
            "answers": self.answers,
            **scores,
            "chance": self.chance(),
        }


def retrieve(queries: Cells, answers: Cells, *, names: tuple[str, str]) -> Retrieval:
    """Let each cell of one column find those of another, by cosine.

    An answer is right that is of the same thing as the query: two pictures with one caption are
    both right for it. Queries of which nothing is among the answers are left out.

    Args:
        queries: the cells that ask.
        answers: the cells that are searched.
        names: their columns.

    Example:
        >>> two = np.array([0, 1])
        >>> photos = Cells(np.eye(2), two, two)
        >>> texts = Cells(np.array([[0.6, 0.8], [0.0, 1.0]]), two, two)
        >>> found = retrieve(photos, texts, names=("photo", "text"))
        >>> found.ranks.tolist(), found.metrics()["recall@1"], found.metrics()["mrr"]
        ([1.0, 1.0], 1.0, 1.0)
    """
    things = 1 + int(max(cells.pairs[1].max(initial=0) for cells in (queries, answers)))
    asks, holds = queries.belong(things), answers.belong(things)
    step, count = max(1, _CHUNK // max(len(answers.items), 1)), len(queries.items)
    parts = []
    for some in (np.arange(i, min(i + step, count)) for i in range(0, count, step)):
        right = (asks[some] @ holds.T).toarray() > 0
        kept = right.any(1)
        ranked = _ranked(queries.vectors[some[kept]], right[kept], answers.vectors)
        parts.append((*ranked, some[kept]))
    ranks, gains, right, tops, hits, asked = (
        np.concatenate([part[i] for part in parts]) if parts else np.zeros(0, int) for i in range(6)
    )
    items = queries.items[asked]
    return Retrieval(*names, ranks, gains, items, right, len(answers.items), tops, hits, asked)


def all_directions(columns: Mapping[str, Cells]) -> list[Retrieval]:
    """Every column asking every other one; pairs that no row has both of are left out."""
    found = [
        retrieve(columns[a], columns[b], names=(a, b))
        for a, b in permutations(columns, 2)
        if len(columns[a].items) and len(columns[b].items)
    ]
    return [one for one in found if len(one.ranks)]


def mean_reciprocal_rank(found: Sequence[Retrieval]) -> float:
    """The mean of all directions: the score by which the best epoch is chosen."""
    return float(np.mean([one.metrics()["mrr"] for one in found])) if found else np.nan


def distinct_cells(vectors: np.ndarray, items: np.ndarray, cells: np.ndarray) -> Cells:
    """The distinct cells of one column.

    Args:
        vectors: ``(N, D)`` of each row.
        items: ``(N,)`` which thing each row is of.
        cells: ``(N,)`` a number for each row, equal where its cell is; below 0 where it has none.
    """
    rows = np.flatnonzero(cells >= 0)
    _, first, place = np.unique(cells[rows], return_index=True, return_inverse=True)
    shared = np.unique(np.stack([place.reshape(-1), items[rows]]), axis=1)
    rows = rows[first]
    return Cells(vectors[rows], items[rows], rows, shared)


def _ranked(vectors: np.ndarray, right: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, ...]:
    """Ranks, gains, number of right answers, the first ten and which of them are right."""
    cosines = vectors @ answers.T
    best = np.where(right, cosines, -np.inf).max(1, keepdims=True)
    above = ((cosines > best) & ~right).sum(1)
    equal = ((cosines == best) & ~right).sum(1)
    depth = min(DEPTH, cosines.shape[1])
    tops = np.argsort(-cosines, axis=1, kind="stable")[:, :depth]
    discount = 1 / np.log2(2 + np.arange(depth))
    hits = np.take_along_axis(right, tops, 1)
    count = right.sum(1)
    ideal = np.cumsum(discount)[np.minimum(count, depth) - 1]
    return 1 + above + equal / 2, (hits @ discount) / ideal, count, tops, hits


def _within(right: int, answers: int) -> np.ndarray:
    """The chance ``(G,)`` that one of some right answers is among the first 1, 2, … G."""
    k = np.arange(1, answers + 1)
    left = np.maximum(answers - right - k, 0)
    # All k are wrong: (G - r choose k) / (G choose k), by logarithms.
    missed = (
        gammaln(answers - right + 1) - gammaln(left + 1) + gammaln(answers - k + 1)
    ) - gammaln(answers + 1)
    return 1 - np.where(k <= answers - right, np.exp(missed), 0.0)


def _random_gain(right: int, answers: int) -> float:
    """The expected nDCG of answers in random order."""
    discount = 1 / np.log2(2 + np.arange(min(DEPTH, answers)))
    return float(right / answers * discount.sum() / discount[:right].sum())
