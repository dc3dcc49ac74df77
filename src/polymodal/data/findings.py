"""Findings: what is wrong with a table, by column and row, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import numpy as np

MOST_ROWS_KEPT = 1000


# What can be found: kind -> what it says. The words are stable: repairs and JSON build on them.
KINDS = {
    # media
    "missing_file": "the path names no file",
    "empty_file": "a file, or bytes, without content",
    "truncated": "the file ends before its content does",
    "undecodable": "no decoder can read the file",
    "wrong_extension": "the file holds another format than its name says; it is read all the same",
    "wrong_modality": "the file holds another kind of media than the column",
    "absurd_size": "far more or fewer pixels, or bytes, than the others",
    "absurd_duration": "far longer or shorter than the others",
    "silent": "a recording without sound",
    "clipped": "a recording whose peaks are cut off",
    "single_colour": "a picture, or a video, of one colour",
    "low_resolution": "a picture with too few pixels to show anything",
    # duplicates: `groups` holds the rows that belong together, the one to keep first
    "duplicate_row": "the same inputs and targets as an earlier row",
    "duplicate_cell": "different files with the same content",
    "near_duplicate": "nearly the same cell as in another row",
    "shared_with_test": "the same cell, or row, in the test part and in another one",
    "near_shared_with_test": "nearly the same cell in the test part and in another one",
    "contradicting_labels": "the same inputs with different targets",
    # leakage
    "leaking_column": "an input that gives the target away",
    "id_column": "an input that only tells the rows apart",
    "group_in_two_parts": "rows of one person, place, … stand in two parts",
    # values
    "missing_values": "cells without a value",
    "missing_tells_target": "whether a cell is missing goes with the target",
    "outlier": "a number far from all others of its column",
    "unusual_row": "a row or cell unlike all others as a whole",
    "constant_column": "the same value in nearly every row",
    "mixed_types": "values of several types in one column",
    "impossible_date": "a date that is not in the calendar, or beyond all sense",
    "broken_encoding": "text that was read in the wrong encoding",
    "spelling_variants": "one category written in several ways; `values`: spelling -> canonical",
    "class_imbalance": "classes with very few rows",
    "swapped_cells": "cells of two columns exchanged; `values`: {column: other column}",
    "unit_error": 'numbers off by a constant factor; `values`: {"factor": "1000"}, by which '
    "they are too large (too small where below 1)",
    # labels: rows in order, the most suspect first
    "label_error": "the label is probably wrong; `values`: row -> the label that fits better",
    # between parts
    "drift": "the parts differ in this column",
    # on the way into the network
    "missing_target": "rows without a target",
    "missing_column": "a part lacks a column of the others",
    "unreadable_cell": "a cell that is not what its column holds (no number, no place, …)",
    "unseen_category": "a category that the training part does not hold",
    "nothing_there": "the cell is in order, but holds nothing of this modality",
    "partly_read": "a part of the cell was damaged, and left out",
    "too_long": "cut at the limit of the column",
    # of the checks themselves
    "not_checked": "a check was left out, or looked at a sample only, and why",
}
# The words of :class:`CellError` that stand for something more exact than "cannot be read".
_KIND_OF_DEFECT = {
    "file not found": "missing_file",
    "zero-byte file": "empty_file",
    "silent recording": "silent",
    "unseen category": "unseen_category",
    "impossible date": "impossible_date",
    "empty sound": "empty_file",
    "image too large": "absurd_size",
    "video too large": "absurd_size",
}


@dataclass(frozen=True, eq=False)
class Finding:
    """Something a person should know about the data.

    Args:
        kind: what it is, one of :data:`KINDS`.
        severity: "error" cells or columns cannot be used; "warning" results may mislead; "note".
        column: the column; "" where it concerns whole rows.
        what: what was found.
        rows: all rows concerned ``(rows,)`` int64, counted from 0 in the table; in the table's
            order, or the most striking first.
        why: why it matters.
        remedy: what was done, and what the user can do.
        groups: of duplicates, the rows that belong together, the one to keep first.
        values: of some kinds, what :data:`KINDS` says there.
        remarks: row -> what is special about this row, in a few words.

    >>> found = Finding("empty_file", "error", column="photo", what="zero-byte file", rows=[3, 8])
    >>> found.count, found.to_dict()["rows"]
    (2, [3, 8])
    """

    kind: str
    severity: Literal["error", "warning", "note"]
    _: KW_ONLY
    column: str = ""
    what: str
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    why: str = ""
    remedy: str = ""
    groups: tuple[tuple[int, ...], ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind
        object.__setattr__(self, "rows", np.asarray(self.rows, np.int64))

    @property
    def count(self) -> int:
        """How many rows are concerned."""
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        """Whether two findings say the same of the same rows."""
        if not isinstance(other, Finding):
            return NotImplemented
        return np.array_equal(self.rows, other.rows) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, with the first 1,000 rows and groups, and the count of all."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "column": self.column,
            "rows": self.rows[:MOST_ROWS_KEPT].tolist(),
            "count": self.count,
            "what": self.what,
            "why": self.why,
            "remedy": self.remedy,
            "groups": [[int(row) for row in group] for group in self.groups[:MOST_ROWS_KEPT]],
            "values": dict(self.values),
            "remarks": {
                str(row): self.remarks[row]
                for row in self.rows[:MOST_ROWS_KEPT].tolist()
                if row in self.remarks
            },
        }


def kind_of_defect(error_kind: str, *, media: bool) -> str:
    """The kind of a finding about cells that raised a :class:`CellError`.

    >>> kind_of_defect("zero-byte file", media=True), kind_of_defect("not a number", media=False)
    ('empty_file', 'unreadable_cell')
    """
    known = _KIND_OF_DEFECT.get(error_kind)
    return known or ("undecodable" if media else "unreadable_cell")
