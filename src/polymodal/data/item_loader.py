"""Batches for comparing rows with one another: few rows of one thing, many things."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from polymodal.batch import ITEM, Batch, Field
from polymodal.data.loader import Columns, Loader
from polymodal.data.pack import Pack


class ItemLoader:
    """Training batches in which the rows of one thing are drawn together, or one of them is.

    The loader of single rows puts rows that share a picture next to each other; where rows are
    compared, these would be each other's wrong answers. The order depends on the seed and the
    epoch only.

    Args:
        pack: the decoded columns.
        columns: which of them go into a batch.
        rows: the rows to draw, ``(n,)``.
        items: a number for each row of the pack, equal where the thing is.
        batch_size: rows of a batch, about.
        together: how many rows of a thing are drawn together, every row once in an epoch; None
            draws one row of each thing, another one in each epoch.
        seed: of the order.
        alike: ``(N, 1 + M)`` what batches tell of each row, as :func:`alike_rows` gives it; None
            for nothing.
    """

    def __init__(
        self,
        pack: Pack,
        columns: Columns,
        *,
        rows: np.ndarray,
        items: np.ndarray,
        batch_size: int,
        together: int | None,
        seed: int,
        alike: np.ndarray | None = None,
    ) -> None:
        self.items, self.batch_size, self.together = items, batch_size, together
        self.seed, self.alike = seed, alike
        order = np.asarray(rows)[np.argsort(items[rows], kind="stable")]
        cuts = np.flatnonzero(np.diff(items[order])) + 1
        self._members = np.split(order, cuts)
        self._loader = Loader(pack, columns, rows=order, batch_size=batch_size, seed=seed)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        if self.together is None:
            return max(1, len(self._members) // self.batch_size)
        rows = sum(len(members) for members in self._members)
        runs = sum(math.ceil(len(members) / self.together) for members in self._members)
        return max(1, min(rows // self.batch_size, runs))

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first ``skip``."""
        for place, rows in enumerate(self._order(number)):
            if place >= skip:
                batch = self._loader.batch(rows, chance=(self.seed, number, place))
                yield batch if self.alike is None else with_items(batch, self.alike)

    def _order(self, number: int) -> list[np.ndarray]:
        """The rows of each batch, as even in size as runs allow."""
        rng = np.random.default_rng((self.seed, number))
        runs = [run for members in self._members for run in self._runs(members, rng)]
        shares = np.array_split(rng.permutation(len(runs)), self.steps_per_epoch)
        return [np.concatenate([runs[i] for i in share]) for share in shares]

    def _runs(self, members: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
        if self.together is None:
            return [rng.choice(members, 1)]
        count = math.ceil(len(members) / self.together)
        return list(np.array_split(rng.permutation(members), count))


def with_items(batch: Batch, alike: np.ndarray) -> Batch:
    """A batch with a target that says which rows are of the same thing, or hold the same cell."""
    numbers = torch.from_numpy(alike[batch.rows.numpy()])
    field = Field(numbers, torch.ones(len(numbers), dtype=torch.bool))
    return replace(batch, targets={**batch.targets, ITEM: field})


def alike_rows(pack: Pack, branches: Mapping[str, Sequence[str]], items: np.ndarray) -> np.ndarray:
    """Of each row the thing it is of, and a number for what each branch holds ``(N, 1 + M)``.

    Equal numbers are equal cells; a branch that is absent has a number of its own in each row.

    Args:
        pack: the decoded columns.
        branches: branch of the network -> the columns it reads.
        items: ``(N,)`` equal where rows are of the same thing.
    """
    return np.stack([items, *(cell_numbers(pack, columns) for columns in branches.values())], 1)


def cell_numbers(pack: Pack, columns: Sequence[str]) -> np.ndarray:
    """A number for each row ``(N,)``, equal where all these columns hold the same.

    Below 0, and different in each row, where none of them holds anything.
    """
    parts = []
    for name in columns:
        store = pack.stores[name]
        held = store.index
        if len(columns) > 1 or (store.offsets is None and store.values[:1].size == 1):
            # Single values are kept row by row: the same ones may have several places.
            values = np.unique(np.asarray(store.values), axis=0, return_inverse=True)[1]
            held = np.where(held >= 0, values.reshape(-1)[held], -1)
        parts.append(held)
    whole = np.stack(parts, 1)
    numbers = np.unique(whole, axis=0, return_inverse=True)[1].reshape(-1)
    return np.where((whole >= 0).any(1), numbers, -1 - np.arange(len(numbers)))
