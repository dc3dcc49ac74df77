"""What a column holds as a whole: one value, several types, rare classes, impossible dates."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding
from polymodal.data.media import is_missing

NEARLY_ALL = 0.99
MOSTLY = 0.6
FEWEST_OF_A_CLASS = 10
FEWEST_ROWS = 50
MOST_TIMES = 50  # the largest class, the smallest
FIRST_YEAR, LAST_YEAR = 1800, 2100
A_NUMBER = re.compile(r"\s*[-+]?\d+([.,]\d+)*([eE][-+]?\d+)?\s*")


def find_constant_columns(subject: Subject) -> list[Finding]:
    """Inputs that hold the same value in nearly every row."""
    found: list[Finding] = []
    for name in subject.inputs("number", "category", "tags", "text", "timestamp"):
        codes = subject.codes(name)
        known = codes[codes >= 0]
        if len(known) < FEWEST_ROWS:
            continue
        usual = int(np.bincount(known).argmax())
        other = np.flatnonzero((codes != usual) & (codes >= 0))
        if len(other) <= (1 - NEARLY_ALL) * len(known):
            found.append(
                Finding(
                    "constant_column",
                    "note",
                    column=name,
                    what=f"the same value in all but {len(other)} of {len(known):,} rows",
                    rows=other,
                    why="so few rows teach nothing, and may mislead",
                    remedy=f"used as it is; columns.{name}.role=ignored leaves it out",
                )
            )
    return found


def find_mixed_types(subject: Subject) -> list[Finding]:
    """Columns of text that are mostly numbers, and columns of objects of several types."""
    found: list[Finding] = []
    for column in subject.schema.columns:
        if column.role not in ("input", "target") or column.source:
            continue
        raw = subject.table.columns.get(column.name)
        if column.modality in ("category", "text", "number") and raw is not None:
            finding = _mixed(subject, column.name)
            found += [finding] if finding else []
    return found


def find_rare_classes(subject: Subject) -> list[Finding]:
    """Classes of a target with very few rows, or far fewer than the largest."""
    found: list[Finding] = []
    for target in subject.schema.targets:
        if subject.schema[target].modality != "category":
            continue
        cells = subject.table.cells(target)
        counts = Counter(cell for cell in cells if cell is not None)
        if len(subject) < FEWEST_ROWS or len(counts) < 2:
            continue
        largest = max(counts.values())
        few = {c: n for c, n in counts.items() if n < FEWEST_OF_A_CLASS or largest > MOST_TIMES * n}
        if not few:
            continue
        listed = ", ".join(f"{c!r} ({n})" for c, n in sorted(few.items(), key=lambda x: x[1])[:5])
        more = f" and {len(few) - 5} more" if len(few) > 5 else ""
        found.append(
            Finding(
                "class_imbalance",
                "note",
                column=target,
                what=f"classes with very few rows, the largest having {largest:,}: {listed}{more}",
                rows=np.array([row for row, cell in enumerate(cells) if cell in few]),
                why="they are hardly learned, and the score says little about them",
                remedy="look at balanced accuracy; collect more, or merge or leave out such "
                "classes",
            )
        )
    return found


def find_impossible_dates(subject: Subject) -> list[Finding]:
    """Dates before 1800 or after 2100: slips of a digit, or zeros of another calendar.

    Dates that no calendar has are found in decoding.
    """
    found: list[Finding] = []
    for name in subject.columns("timestamp"):
        store = subject.store(name)
        if not len(store.values):
            continue
        years = 1970 + store.values[:, 0] / 365.2425
        odd = np.flatnonzero((years < FIRST_YEAR) | (years >= LAST_YEAR))
        if len(odd) and len(odd) <= 0.2 * len(years):
            found.append(
                Finding(
                    "impossible_date",
                    "warning",
                    column=name,
                    what=f"a date before {FIRST_YEAR} or after {LAST_YEAR}",
                    rows=np.flatnonzero(np.isin(store.index, odd)),
                    why="one such date stretches the scale of all others",
                    remedy="used as it is; correct it, or treat it as missing",
                )
            )
    return found


def _mixed(subject: Subject, name: str) -> Finding | None:
    cells = subject.table.column(name)
    types: dict[str, list[int]] = {"a number": [], "a text": [], "true or false": [], "other": []}
    plain = cells if isinstance(cells, list) else cells.to_pylist()
    for row, cell in enumerate(plain):
        if not is_missing(cell):
            types[_type(cell)].append(row)
    known = sum(map(len, types.values()))
    usual = max(types, key=lambda kind: len(types[kind]))
    others = {kind: rows for kind, rows in types.items() if rows and kind != usual}
    if known < 20 or not others or len(types[usual]) < MOSTLY * known:
        return None
    numeric = usual == "a number" or subject.schema[name].modality == "number"
    if not numeric:  # words of which some are numbers ("7", "seven") are words all the same
        return None
    rows = np.array(sorted(row for some in others.values() for row in some))
    example = ", ".join(sorted({repr(plain[row])[:20] for row in rows[:200].tolist()})[:3])
    return Finding(
        "mixed_types",
        "warning",
        column=name,
        what=f"mostly {usual}, but also {' and '.join(others)} ({example})",
        rows=rows,
        why="the column is read as one type; the other cells are lost or mistaken",
        remedy="write all of them alike; an empty cell stands for “not known”",
    )


def _type(cell: object) -> str:
    if isinstance(cell, bool):
        return "true or false"
    if isinstance(cell, int | float):
        return "a number"
    if isinstance(cell, str):
        return "a number" if A_NUMBER.fullmatch(cell) else "a text"
    return "other"
