"""Rows put into groups, with names, a measure of how sure they are, and a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from polymodal.clustering.agreement import Agreement, agreement, stability
from polymodal.clustering.grouping import (
    METHODS,
    Method,
    choose_k,
    distances,
    group,
    silhouette,
)
from polymodal.clustering.naming import name_groups
from polymodal.clustering.row_vectors import RowVectors, vectors_by_hand, vectors_by_model
from polymodal.countdown import TellStage
from polymodal.data.schema import recognise
from polymodal.data.table import Table
from polymodal.errors import PolymodalError
from polymodal.predictor import Predictor


def _silent(stage: str, done: int, total: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Grouped:
    """One way of comparing rows, and the groups it makes.

    Args:
        compared_by: "whole rows", or a column.
        silhouette: how well groups are apart, -1 to 1.
        agreements: with each label.
    """

    compared_by: str
    silhouette: float
    agreements: Sequence[Agreement] = ()


@dataclass(frozen=True)
class Clustering:
    """Rows in groups. Letters: N rows · K groups.

    Args:
        vectors: what rows were compared by.
        groups: ``(N,)`` from 0, the largest first; -1 in none.
        names: of each group.
        distance: ``(N,)`` from the middle of the group; NaN in none.
        keys: ``(N,)`` of the rows: cells of the key column, or row numbers.
        method: how groups were made.
        silhouette: how well they are apart, -1 to 1.
        stability: mean, lowest and highest ARI over bootstrap samples; None where not measured.
        agreements: with each label.
        tried: number of groups -> silhouette, where the number was chosen.
        alone: the same number of groups by each column alone.
    """

    vectors: RowVectors = field(repr=False)
    groups: np.ndarray = field(repr=False)
    names: Sequence[str]
    distance: np.ndarray = field(repr=False)
    keys: Sequence[Any] = field(repr=False)
    method: Method
    silhouette: float
    stability: tuple[float, float, float] | None
    agreements: Sequence[Agreement]
    tried: dict[int, float]
    alone: Sequence[Grouped]

    def __len__(self) -> int:
        """The number of groups K."""
        return len(self.names)

    def size(self, number: int) -> int:
        """How many rows a group has."""
        return int((self.groups == number).sum())

    def members(self, number: int) -> np.ndarray:
        """The rows of a group, the most typical first: those nearest to its middle."""
        rows = np.flatnonzero(self.groups == number)
        return rows[np.argsort(self.distance[rows], kind="stable")]

    def to_table(self) -> pa.Table:
        """A line for each row: its key, its group and that one's name, the distance to its middle.

        Rows in no group have none of these.
        """
        there = self.groups >= 0
        names = [self.names[number] if number >= 0 else None for number in self.groups]
        return pa.table(
            {
                "row": pa.array(self.keys),
                "cluster": pa.array(self.groups, mask=~there),
                "name": pa.array(names, pa.string()),
                "distance": pa.array(self.distance, mask=~there),
            }
        )


def cluster(
    data: Any,
    run: Predictor | None = None,
    *,
    k: int | Literal["auto"] = "auto",
    method: Method = "kmeans",
    columns: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    key: str | None = None,
    stable: bool = True,
    seed: int = 0,
    tell: TellStage = _silent,
) -> Clustering:
    """Find groups of rows that are alike.

    Args:
        data: a table as :meth:`Table.read` takes it.
        run: a trained model, whose vectors are compared; None compares hand-made features.
        k: how many groups; "auto" takes the number of the best silhouette, from 2 to 20.
        method: kmeans, hdbscan (which finds the number itself) or spectral.
        columns: what rows are compared by; None for whole rows.
        labels: columns to compare groups with; they do not count otherwise. By default the
            model's targets, where the table has them.
        key: the column that names a row; row numbers by default.
        stable: whether to measure stability, which groups samples a dozen times more.
        seed: of what is drawn.
        tell: is told a stage, how much of it is done, and how much there is.

    Raises:
        PolymodalError: the table lacks a column, or has too few rows.

    Example:
        >>> rows = [{"a": x, "b": x + 1} for x in (1.0, 1.1, 1.2, 1.3, 8.0, 8.1, 8.2, 8.4)]
        >>> cluster(rows, k=2, stable=False).groups.tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
    """
    if method not in METHODS:
        raise PolymodalError(f"There is no method {method!r}. Known: {', '.join(METHODS)}.")
    table = Table.read(data)
    if labels is None:
        labels = [] if run is None else [name for name in run.targets if name in table.names]
    truths = {name: table.codes(name) for name in labels}
    keys = list(range(len(table))) if key is None else table.cells(key)
    tell("making vectors", 0, 1)
    if run is not None:
        made = vectors_by_model(run, table, columns)
    else:
        without = [*labels, *([key] if key else [])]
        made = vectors_by_hand(table, columns, without=without, seed=seed)
    tried: dict[int, float] = {}
    if method == "hdbscan":
        chosen = 0
    elif k == "auto":
        chosen, tried = choose_k(
            made.whole, method, seed=seed, tell=lambda n, of: tell("trying numbers", n, of)
        )
    else:
        chosen = k
    groups = group(made.whole, chosen, method, seed=seed)
    if groups.max(initial=-1) < 0:
        raise PolymodalError(
            "HDBSCAN found no group: no region of the vectors is denser than the rest. Use "
            "--method kmeans."
        )
    again = None
    if stable:
        again = stability(
            made.whole, groups, method, seed=seed, tell=lambda n, of: tell("grouping again", n, of)
        )
    return Clustering(
        vectors=made,
        groups=groups,
        names=name_groups(groups, *_naming_columns(made, {*labels, *([key] if key else [])})),
        distance=distances(made.whole, groups),
        keys=keys,
        method=method,
        silhouette=silhouette(made.whole, groups, seed=seed),
        stability=again,
        agreements=_agreements(groups, truths, seed),
        tried=tried,
        alone=_alone(made, groups, truths, method, seed),
    )


def _alone(
    made: RowVectors,
    groups: np.ndarray,
    truths: dict[str, np.ndarray],
    method: Method,
    seed: int,
) -> list[Grouped]:
    """As many groups by each column alone, where there are several."""
    if len(made.columns) < 2:
        return []
    k = int(groups.max()) + 1
    found = []
    for name, vectors in made.columns.items():
        there = vectors.any(axis=1)
        if there.sum() <= k:
            continue
        alone = np.full(len(vectors), -1)
        alone[there] = group(vectors[there], k, method, seed=seed)
        apart = silhouette(vectors, alone, seed=seed)
        found.append(Grouped(name, apart, _agreements(alone, truths, seed)))
    return found


def _agreements(groups: np.ndarray, truths: dict[str, np.ndarray], seed: int) -> list[Agreement]:
    found = [agreement(groups, codes, name, seed=seed) for name, codes in truths.items()]
    return [one for one in found if one is not None]


def _naming_columns(
    made: RowVectors, without: set[str]
) -> tuple[dict[str, list[str | None]], dict[str, list[Any]]]:
    """The columns whose words, and whose values, say what a group is about."""
    texts: dict[str, list[str | None]] = {}
    values: dict[str, list[Any]] = {}
    for name in made.table.names:
        if name in without:
            continue
        known = made.modalities.get(name)
        kind = recognise(made.table.summary(name)) if known is None else known.name
        if kind == "category":
            values[name] = made.table.cells(name)
        elif kind in ("text", "tags"):
            cells = made.table.cells(name)
            texts[name] = [None if c is None else _joined(c) for c in cells]
    return texts, values


def _joined(cell: Any) -> str:
    return " ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)
