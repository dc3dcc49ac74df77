"""A table while it is being repaired: what has changed so far, why, and what was left alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polymodal.clean_options import CleanOptions
from polymodal.data.media import is_missing
from polymodal.data.schema import Schema
from polymodal.data.table import Table


class Repair(NamedTuple):
    """One change.

    Args:
        row: counted from 0 in the table as it was; None for a whole column that was added.
        column: the column; "" where the row was dropped.
        before: the cell as it was; None where it was missing.
        after: the cell as it is; None where it is missing, or the row was dropped.
        why: the kind of finding that it mends, or the option that asked for it.
        rule: how it was done.
    """

    row: int | None
    column: str
    before: Any
    after: Any
    why: str
    rule: str


class Left(NamedTuple):
    """What was found and not mended.

    Args:
        kind: of the finding.
        column: the column; "" where it concerns rows.
        rows: how many.
        reason: why it was left as it is.
    """

    kind: str
    column: str
    rows: int
    reason: str


@dataclass
class Draft:
    """A table with the changes that rules make to it.

    Args:
        table: as it was read.
        schema: modality and role of every column.
        parts: ``(rows,)`` "train", "validation", "test"; all "train" where nothing is split.
        given: the parts that a column of the table names; none where all are drawn.
        options: what is to be repaired.
        folder: where the cleaned table will be, with new media below ``media/``; None where it is
            not written.
    """

    table: Table
    schema: Schema
    parts: np.ndarray
    given: frozenset[str]
    options: CleanOptions
    folder: Path | None = None
    repairs: list[Repair] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    dropped: dict[int, str] = field(default_factory=dict)
    added: dict[str, list[Any]] = field(default_factory=dict)
    changed: dict[str, dict[int, Any]] = field(default_factory=dict)
    new_media: dict[str, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cells: dict[str, list[Any]] = {}

    def cells(self, column: str) -> list[Any]:
        """The column as it is now, dropped rows included; None where missing."""
        if column not in self._cells:
            self._cells[column] = self.table.cells(column)
        return self._cells[column]

    def protected(self, column: str) -> bool:
        """Whether a column's cells must stay: a target, unless ``clean.targets`` is set."""
        return column in self.schema.targets and not self.options.targets

    def columns(self, *modalities: str) -> list[str]:
        """Columns of the file, inputs and open targets, of these modalities."""
        return [
            column.name
            for column in self.schema.columns
            if column.role in ("input", "target")
            and column.modality in modalities
            and not column.source
            and not self.protected(column.name)
        ]

    def given_part(self, row: int) -> str:
        """The part that the table says a row is in; what is drawn from the training is that."""
        part = str(self.parts[row])
        return part if part in self.given else "train"

    def kept(self) -> np.ndarray:
        """Rows that have not been dropped."""
        return np.array([row for row in range(len(self.table)) if row not in self.dropped], int)

    def change(self, row: int, column: str, after: Any, *, why: str, rule: str) -> bool:
        """Change a cell, unless its row is gone or it is so already; says whether it did."""
        cells = self.cells(column)
        before, after = cells[row], None if is_missing(after) else after
        if row in self.dropped or _same(before, after):
            return False
        cells[row] = after
        self.changed.setdefault(column, {})[row] = after
        self.repairs.append(Repair(row, column, before, after, why, rule))
        return True

    def drop(self, row: int, *, why: str, rule: str) -> bool:
        """Drop a row; says whether it was still there."""
        if row in self.dropped:
            return False
        self.dropped[row] = why
        self.repairs.append(Repair(row, "", None, None, why, rule))
        return True

    def add(self, column: str, cells: list[Any], *, why: str, rule: str) -> str:
        """Add a column, by another name where the name is taken; returns the name."""
        name, number = column, 1
        while name in self.table.columns or name in self.added:
            number += 1
            name = f"{column}_{number}"
        self.added[name] = cells
        self.repairs.append(Repair(None, name, None, None, why, rule))
        return name

    def leave(self, kind: str, column: str, rows: int, reason: str) -> None:
        """Say that something was found and not mended, in how many rows, and why."""
        if rows:
            self.left.append(Left(kind, column, rows, reason))

    def empty(self, column: str, rows: Iterable[int], action: str, *, why: str) -> None:
        """Treat cells as missing, or drop their rows."""
        for row in map(int, rows):
            if action == "drop_rows":
                self.drop(row, why=why, rule="drop_rows")
            else:
                self.change(row, column, None, why=why, rule="treat_as_missing")


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(np.all(one == other)))
