"""Findings: what is wrong with a table, by column and row, and what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pyarrow.compute as pc

from polymodal.data.schema import Schema
from polymodal.data.table import Table

MOST_ROWS_KEPT = 1000
FEWEST_ROWS_FOR_A_LEAK = 30


@dataclass(frozen=True)
class Finding:
    """Something a person should know about the data.

    Args:
        severity: "error" cells or columns cannot be used; "warning" results may mislead; "note".
        column: the column; "" where it concerns whole rows.
        rows: the rows concerned (the first 1,000), counted from 0 in the table.
        count: how many rows in all.
        what: what was found.
        why: why it matters.
        remedy: what was done, and what the user can do.
    """

    severity: Literal["error", "warning", "note"]
    column: str
    rows: tuple[int, ...]
    count: int
    what: str
    why: str
    remedy: str

    @classmethod
    def of(
        cls,
        severity: Literal["error", "warning", "note"],
        column: str,
        what: str,
        *,
        rows: Sequence[int] | np.ndarray = (),
        why: str = "",
        remedy: str = "",
    ) -> Finding:
        """A finding about some rows."""
        kept = tuple(int(row) for row in rows[:MOST_ROWS_KEPT])
        return cls(severity, column, kept, len(rows), what, why, remedy)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def find_leaks(table: Table, schema: Schema) -> list[Finding]:
    """Category inputs from which a category target can be told without exception.

    A column that is the target under another name (a translation, a finer class) makes every
    score look perfect and is not there when the model is used. Such a finding has severity
    "error": the training run leaves the column out unless the user gave it a role.
    """
    found = []
    for target in schema.targets:
        if schema[target].modality != "category":
            continue
        truth = table.cells(target)
        for name in schema.inputs:
            if schema[name].modality != "category":
                continue
            told = _told_by(table.cells(name), truth)
            if told >= FEWEST_ROWS_FOR_A_LEAK:
                found.append(
                    Finding.of(
                        "error",
                        name,
                        f"every value of {name!r} goes with one value of {target!r} only",
                        rows=range(told),
                        why="a model that reads it looks perfect and has learned nothing",
                        remedy="left out as an input; if it will be known when the model is used, "
                        f"set columns.{name}.role=input",
                    )
                )
    return found


def find_shared_rows(table: Table, schema: Schema, parts: np.ndarray) -> list[Finding]:
    """Test rows whose input cells all stand in a training row too, and shared media cells."""
    found = []
    names = [n for n in schema.inputs if not isinstance(table.column(n), list)]
    media = [n for n in names if schema[n].modality in ("image", "audio")]
    for name in media:
        codes = _codes(table, name)
        shared = np.isin(codes, codes[parts == "train"]) & (parts == "test") & (codes >= 0)
        if shared.any():
            found.append(
                Finding.of(
                    "warning",
                    name,
                    "the same cell stands in the training part and in the test part",
                    rows=np.flatnonzero(shared),
                    why="the model has seen these, so the test score may be too high",
                    remedy="left as it is; split.group_by keeps rows that belong together in one "
                    "part",
                )
            )
    if names and len(names) == len(schema.inputs):
        keys = np.stack([_codes(table, name) for name in names], axis=1)
        _, row_key = np.unique(keys, axis=0, return_inverse=True)
        shared = np.isin(row_key, row_key[parts == "train"]) & (parts == "test")
        if shared.any():
            found.append(
                Finding.of(
                    "warning",
                    "",
                    "test rows whose inputs equal those of a training row",
                    rows=np.flatnonzero(shared),
                    why="they can be answered from memory, so the test score may be too high",
                    remedy="left as they are",
                )
            )
    return found


def find_missing_targets(table: Table, schema: Schema) -> list[Finding]:
    """Rows without a target, which neither train nor test."""
    found = []
    for target in schema.targets:
        missing = [row for row, cell in enumerate(table.cells(target)) if cell is None]
        if missing:
            found.append(
                Finding.of(
                    "note",
                    target,
                    "no target in these rows",
                    rows=missing,
                    why="there is nothing to learn from or to compare with",
                    remedy="left out of training and scores for this target",
                )
            )
    return found


def _told_by(cells: list[Any], truth: list[Any]) -> int:
    """Rows in which a repeated value tells the target; 0 where one value goes with two targets."""
    seen: dict[Any, Any] = {}
    counts: dict[Any, int] = {}
    for cell, target in zip(cells, truth, strict=True):
        if cell is None or target is None:
            continue
        if seen.setdefault(cell, target) != target:
            return 0
        counts[cell] = counts.get(cell, 0) + 1
    repeated = sum(n for n in counts.values() if n >= 2)
    several = len(set(seen.values())) >= 2
    return repeated if several and repeated >= 0.8 * sum(counts.values()) else 0


def _codes(table: Table, name: str) -> np.ndarray:
    """A number for each row's cell, equal where the cells are; -1 where missing."""
    column = table.column(name)
    assert not isinstance(column, list)
    encoded = pc.dictionary_encode(column).combine_chunks()
    return pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
