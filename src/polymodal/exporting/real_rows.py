"""The rows that a run was trained, chosen and tested on, found again."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.dataset import Dataset
from polymodal.data.loader import Columns, Loader
from polymodal.data.pack import Pack, pack
from polymodal.data.table import Table
from polymodal.exporting.deployable import ExportError
from polymodal.preparation import dataset_of
from polymodal.run_directory import Run


@dataclass(frozen=True)
class RealRows:
    """The table of a run with its parts.

    Args:
        run: what was trained.
        dataset: its table, split as it was for training.
    """

    run: Run
    dataset: Dataset

    @classmethod
    def of(cls, run: Run, data: Any = None) -> RealRows:
        """Read a run's table again, and split it as it was split.

        Args:
            run: what was trained.
            data: a table to take instead, split as the recipe says.

        Raises:
            ExportError: the run does not know its table, or that table lacks an input.
        """
        recipe = run.recipe
        if data is None and recipe.table is None:
            raise ExportError(
                "The run was trained on a table in memory, so its rows cannot be read again: give "
                "a table with --data."
            )
        if data is None:
            given = {"validation": recipe.validation_table, "test": recipe.test_table}
            table = Table.read(recipe.table)
            others = {part: Table.read(place) for part, place in given.items() if place is not None}
        else:
            table, others = Table.read(data), {}
        dataset = dataset_of(recipe, table, run.schema.targets, given=others)
        lacking = sorted(set(run.schema.inputs) - set(dataset.table.names))
        if lacking:
            raise ExportError(
                f"{table.source} has no column {lacking[0]!r}, which the model reads."
            )
        return cls(run, dataset)

    def held_out(self, most: int) -> np.ndarray:
        """Up to so many rows of the validation and test parts, evenly spread; else of all."""
        parts = self.dataset.parts
        rows = np.flatnonzero((parts == "validation") | (parts == "test"))
        rows = rows if len(rows) else np.arange(len(parts))
        return spread_over(rows, most)

    def packed(self, rows: np.ndarray, *, targets: bool = True, place: Path | None = None) -> Pack:
        """These rows, decoded.

        Args:
            rows: their numbers.
            targets: decode the target columns, too.
            place: a folder for the media; None keeps all in memory.
        """
        modalities = self.columns(targets=targets)
        return pack(
            self.dataset.table.take(rows),
            {**modalities.inputs, **modalities.targets},
            directory=place,
            workers=os.cpu_count() or 1,
        )

    def loader(self, packed: Pack, *, batch_size: int, targets: bool = False) -> Loader:
        """Batches of all rows of a pack, in the cheapest order."""
        return Loader(
            packed,
            self.columns(targets=targets),
            rows=np.arange(packed.rows),
            batch_size=batch_size,
        )

    def columns(self, *, targets: bool = True) -> Columns:
        """The columns of the run, with their modalities."""
        schema, modalities = self.run.schema, self.run.modalities
        return Columns(
            {name: modalities[name] for name in schema.inputs},
            {name: modalities[name] for name in (schema.targets if targets else ())},
        )


def spread_over(rows: np.ndarray, most: int) -> np.ndarray:
    """Up to so many of these rows, evenly spread over them.

    >>> spread_over(np.arange(10), 3).tolist()
    [0, 4, 9]
    """
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
