"""What every training run looks for in its table: leaks, shared rows, missing targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from polymodal.data.findings import Finding
from polymodal.data.media import as_list
from polymodal.data.modalities import MODALITIES
from polymodal.data.modalities.number import to_numbers
from polymodal.data.schema import Schema
from polymodal.data.table import Table

FEWEST_ROWS_FOR_A_LEAK = 30
FEWEST_VALUES_FOR_A_LEAK = 20


def find_leaks(table: Table, schema: Schema) -> list[Finding]:
    """Inputs that are a target under another name.

    A category from which a category target can be told without exception (a translation, a finer
    class), a number with one value for each class, a number that grows exactly as a number target
    does (its logarithm, another unit), or a text that is the one to be written makes every score
    look perfect and is not there when the model is used. Such a finding has severity "error": the
    training run leaves the column out unless the user gave it a role.
    """
    found = []
    for target in schema.targets:
        for name in schema.inputs:
            kinds = (schema[name].modality, schema[target].modality)
            what, rows = "", np.zeros(0, np.int64)
            if kinds == ("number", "number"):
                what = f"it orders the rows exactly as {target!r} does"
                rows = _ordered_alike(
                    to_numbers(table.cells(name)), to_numbers(table.cells(target))
                )
            elif kinds == ("category", "category") or (
                kinds == ("number", "category") and schema[name].distinct == schema[target].distinct
            ):
                what = f"every value of {name!r} goes with one value of {target!r} only"
                rows = _told_by(table.codes(name), table.codes(target))
            elif kinds[0] == "text" and kinds[1] in ("text", "passages"):
                what = f"in these rows it is the text that {target!r} holds"
                rows = _written_alike(table.cells(name), table.cells(target))
            if len(rows) >= FEWEST_ROWS_FOR_A_LEAK:
                found.append(
                    Finding(
                        "leaking_column",
                        "error",
                        column=name,
                        what=what,
                        rows=rows,
                        why="a model that reads it looks perfect and has learned nothing",
                        remedy="left out as an input; if it will be known when the model is used, "
                        f"set columns.{name}.role=input",
                    )
                )
    return found


def find_shared_rows(table: Table, schema: Schema, parts: np.ndarray) -> list[Finding]:
    """Test rows that the training part holds too, media cells that stand in both, repeated rows."""
    found = []
    codes = {name: table.codes(name) for name in [*schema.inputs, *schema.targets]}
    training, test = parts == "train", parts == "test"
    media = [name for name in schema.inputs if MODALITIES[schema[name].modality].media]
    # Without their picture, rows are soon alike: that says nothing.
    whole = np.all([codes[name] >= 0 for name in media], axis=0) if media else True
    for name in media:
        if schema[name].source in media:
            continue  # the same cells, which are told of already
        shared = np.isin(codes[name], codes[name][training]) & test & (codes[name] >= 0)
        if shared.any():
            found.append(
                Finding(
                    "shared_with_test",
                    "warning",
                    column=name,
                    what="the same cell stands in the training part and in the test part",
                    rows=np.flatnonzero(shared),
                    why="the model has seen these, so the test score may be too high",
                    remedy="left as it is; split.group_by keeps rows that belong together in one "
                    "part",
                    groups=_groups(codes[name], shared, True),
                )
            )
    if not schema.inputs:
        return found
    asked = _row_codes([codes[name] for name in schema.inputs])
    shared = np.isin(asked, asked[training]) & test & whole
    if shared.any():
        found.append(
            Finding(
                "shared_with_test",
                "warning",
                what="test rows whose inputs equal those of a training row",
                rows=np.flatnonzero(shared),
                why="they can be answered from memory, so the test score may be too high",
                remedy="left as they are",
                groups=_groups(asked, shared, whole),
            )
        )
    wholly = _row_codes(list(codes.values()))
    _, first, same = np.unique(wholly, return_index=True, return_inverse=True)
    again = np.flatnonzero((first[same] != np.arange(len(table))) & whole)
    if len(again):
        found.append(
            Finding(
                "duplicate_row",
                "note",
                what="rows that repeat an earlier row, in every input and target",
                rows=again,
                why="they count more than others",
                remedy="left as they are; remove them if they are there by mistake",
                groups=_groups(wholly, again, whole),
            )
        )
    return found


def find_missing_targets(table: Table, schema: Schema) -> list[Finding]:
    """Rows without a target, which neither train nor test."""
    found = []
    for target in schema.targets:
        missing = np.flatnonzero(table.codes(target) < 0)
        if len(missing):
            found.append(
                Finding(
                    "missing_target",
                    "note",
                    column=target,
                    what="no target in these rows",
                    rows=missing,
                    why="there is nothing to learn from or to compare with",
                    remedy="left out of training and scores for this target",
                )
            )
    return found


def _told_by(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Rows in which a repeated value tells the target; none where a value goes with two targets."""
    rows = np.flatnonzero((values >= 0) & (truth >= 0))
    pairs = np.unique(np.stack([values[rows], truth[rows]], 1), axis=0)
    exact = len(pairs) == len(np.unique(pairs[:, 0])) and len(np.unique(pairs[:, 1])) >= 2
    repeated = rows[np.bincount(values[rows])[values[rows]] >= 2] if len(rows) else rows
    return repeated if exact and len(repeated) >= 0.8 * len(rows) else rows[:0]


def _written_alike(values: Sequence[Any], truth: Sequence[Any]) -> np.ndarray:
    """Rows in which a text is (one of) the target's; none unless that is so nearly everywhere."""
    known = [r for r, pair in enumerate(zip(values, truth, strict=True)) if None not in pair]
    alike = [
        r
        for r in known
        if str(values[r]).strip() in [str(t).strip() for t in as_list(truth[r]) or [truth[r]]]
    ]
    return np.array(alike if len(alike) >= 0.8 * len(known) else [], np.int64)


def _ordered_alike(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Rows in which both are known, where one strictly grows or falls with the other; else none."""
    rows = np.flatnonzero(np.isfinite(values) & np.isfinite(truth))
    order = rows[np.lexsort((truth[rows], values[rows]))]
    steps, answers = np.diff(values[order]) > 0, np.diff(truth[order])
    alike = not answers[~steps].any() and (
        bool((answers[steps] > 0).all()) or bool((answers[steps] < 0).all())
    )
    return rows if alike and steps.sum() + 1 >= FEWEST_VALUES_FOR_A_LEAK else rows[:0]


def _row_codes(columns: Sequence[np.ndarray]) -> np.ndarray:
    """A number for each row, equal where the rows are equal in all of these columns."""
    rows = np.unique(columns[0], return_inverse=True)[1]
    for column in columns[1:]:
        rows = np.unique(rows * (column.max() + 2) + column + 1, return_inverse=True)[1]
    return rows


def _groups(
    codes: np.ndarray, rows: np.ndarray, whole: np.ndarray | bool
) -> tuple[tuple[int, ...], ...]:
    """All rows that are whole and have the code of one of these, by code, the first row first."""
    alike = np.flatnonzero(np.isin(codes, codes[rows]) & whole)
    alike = alike[np.argsort(codes[alike], kind="stable")]
    cuts = np.flatnonzero(np.diff(codes[alike])) + 1
    return tuple(tuple(group.tolist()) for group in np.split(alike, cuts))
