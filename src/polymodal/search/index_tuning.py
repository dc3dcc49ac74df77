"""An index of vectors chosen by its recall, measured on vectors of the table itself.

Letters: N rows · Q questions · D numbers of a vector · k neighbours asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from polymodal.search.vector_table import KEY, IndexKind, Probing, VectorTable, partitions_of

QUESTIONS = 100
NEIGHBOURS = 10
ENOUGH_RECALL = 0.97
"""What an index must reach on the sample, so that other questions find 0.95, too."""
INDEX_FROM = 20_000
"""Rows from which an index is built: below, comparing with every row takes milliseconds."""
STEPS = (
    (10, 5), (20, 5), (20, 10), (40, 10), (40, 20), (80, 20), (80, 40), (160, 40), (320, 80),
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What one way of searching found of the true neighbours.

    Args:
        kind: of the index; "exact" compares with every row.
        probes: partitions looked into; 0 for exact search.
        refine: see :class:`Probing`; 0 for exact search.
        recall: the share of the true k neighbours that were found.
        milliseconds: the median time of a question, measured then and there.
    """

    kind: str
    probes: int
    refine: int
    recall: float
    milliseconds: float

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def tune(
    table: VectorTable,
    column: str,
    *,
    asked_with: str | None = None,
    kinds: Sequence[IndexKind] = ("ivf_pq", "ivf_hnsw_sq"),
    seed: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Measured, list[Measured]]:
    """Build an index of a column, and search it as little as its recall allows.

    Args:
        table: the rows.
        column: their vectors.
        asked_with: the column whose vectors are the questions of the sample, where other columns
            ask in the same space; by default the same one. What is asked is never its own answer.
        kinds: the kinds to try, one after the other, until one finds enough.
        seed: of the sample.
        tell: is told what is being done.

    Returns:
        What to use, and all that was measured. Where no index finds enough, exact search.
    """
    sample = draw(table, asked_with or column, seed=seed)
    width = sample.vectors.shape[1]
    tell(f"{column}: exact neighbours of {len(sample.keys)} rows")
    truth, rows = exact_neighbours(table, column, sample)
    measured = [_time(table, column, sample, truth, kind="exact", probing=None, most=3)]
    for kind in kinds:
        tell(f"{column}: building {kind} of {rows:,} vectors")
        table.index_vectors(column, kind, rows=rows, width=width)
        for probes, refine in STEPS:
            if probes > 2 * partitions_of(rows, kind) and probes > STEPS[0][0]:
                continue
            probing = Probing(min(probes, partitions_of(rows, kind)), refine)
            found = _time(table, column, sample, truth, kind=kind, probing=probing)
            measured.append(found)
            tell(
                f"{column}: {kind}, {probing.probes} probes, refine {refine}: recall "
                f"{found.recall:.3f}, {found.milliseconds:.1f} ms"
            )
            if found.recall >= ENOUGH_RECALL:
                return found, measured
    table.drop_index(column)
    return measured[0], measured


@dataclass(frozen=True)
class Sample:
    """Questions drawn from a table.

    Args:
        keys: of the rows they were taken from.
        vectors: ``(Q, D)`` of length 1.
    """

    keys: list[str]
    vectors: np.ndarray


def draw(table: VectorTable, column: str, *, count: int = QUESTIONS, seed: int = 0) -> Sample:
    """Vectors drawn at random from all rows that have one, in one pass (a reservoir)."""
    rng = np.random.default_rng(seed)
    keys: list[str] = []
    vectors = np.zeros((0, 0), np.float32)
    marks = np.zeros(0)
    for names, found in _vectors(table, column):
        drawn = rng.random(len(names))
        marks = np.concatenate([marks, drawn])
        keys += names
        vectors = np.concatenate([vectors.reshape(-1, found.shape[1]), found])
        best = np.argsort(marks, kind="stable")[:count]
        marks, keys, vectors = marks[best], [keys[i] for i in best], vectors[best]
    return Sample(keys, _unit(vectors))


def exact_neighbours(
    table: VectorTable, column: str, sample: Sample, k: int = NEIGHBOURS
) -> tuple[list[list[str]], int]:
    """The true k neighbours of each question but itself, and the number of vectors.

    One pass over the table, some thousand vectors at a time.
    """
    best = np.full((len(sample.keys), k), -np.inf, np.float32)
    names = np.full((len(sample.keys), k), "", dtype=object)
    own = {key: place for place, key in enumerate(sample.keys)}
    rows = 0
    for keys, vectors in _vectors(table, column):
        rows += len(keys)
        alike = sample.vectors @ _unit(vectors).T  # (Q, n)
        for place, key in enumerate(keys):
            if key in own:
                alike[own[key], place] = -np.inf
        top = np.argpartition(-alike, min(k, len(keys) - 1), axis=1)[:, :k]
        both = np.concatenate([best, np.take_along_axis(alike, top, 1)], 1)
        named = np.concatenate([names, np.array(keys, dtype=object)[top]], 1)
        order = np.argsort(-both, axis=1, kind="stable")[:, :k]
        best, names = np.take_along_axis(both, order, 1), np.take_along_axis(named, order, 1)
    return [[name for name in line if name] for line in names.tolist()], rows


def recall(found: Sequence[Sequence[str]], truth: Sequence[Sequence[str]]) -> float:
    """The share of the true neighbours that were found.

    >>> recall([["a", "b"], ["c", "x"]], [["a", "b"], ["c", "d"]])
    0.75
    """
    hits = sum(len(set(one) & set(true)) for one, true in zip(found, truth, strict=True))
    return hits / max(sum(map(len, truth)), 1)


def _time(
    table: VectorTable,
    column: str,
    sample: Sample,
    truth: Sequence[Sequence[str]],
    *,
    kind: str,
    probing: Probing | None,
    most: int = QUESTIONS,
) -> Measured:
    seconds, answers = [], []
    for key, vector in zip(sample.keys[:most], sample.vectors[:most], strict=True):
        begun = time.perf_counter()
        found = table.nearest(column, vector, NEIGHBOURS + 1, probing=probing)
        seconds.append(time.perf_counter() - begun)
        answers.append([name for name in found[KEY].to_pylist() if name != key][:NEIGHBOURS])
    share = 1.0 if probing is None else recall(answers, truth[:most])
    thorough = probing or Probing(0, 0)
    spent = 1000 * float(np.median(seconds))
    return Measured(kind, thorough.probes, thorough.refine, round(share, 4), round(spent, 2))


def _vectors(table: VectorTable, column: str) -> Any:
    """Keys and vectors ``(n, D)`` of the rows that have one."""
    for batch in table.batches([KEY, column]):
        filled = batch.filter(batch.column(column).is_valid())
        if len(filled):
            flat = filled.column(column).flatten().to_numpy(zero_copy_only=False)
            yield filled.column(KEY).to_pylist(), flat.reshape(len(filled), -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
