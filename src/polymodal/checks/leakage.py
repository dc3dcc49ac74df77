"""Inputs that say too much: nearly the target, the row, or who it belongs to."""

from __future__ import annotations

import numpy as np

from polymodal.checks.out_of_fold import foretold
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

SURE = 0.99  # of the rows, or of the variance, that one column tells
FEWEST_ROWS = 50


def find_leaking_columns(subject: Subject) -> list[Finding]:
    """Single numbers, categories, tags or dates that tell the target nearly without exception.

    Columns that tell it without any exception are found before training, by
    :func:`polymodal.data.leaks.find_leaks`, and left out.
    """
    found: list[Finding] = []
    names = subject.inputs("number", "category", "tags", "timestamp")
    for target in subject.schema.targets:
        for name in names:
            score = foretold(subject, name, target)
            if score < SURE:
                continue
            rows = (subject.codes(name) >= 0) & (subject.codes(target) >= 0)
            found.append(
                Finding(
                    "leaking_column",
                    "warning",
                    column=name,
                    what=f"tells {target!r} by itself in {score:.1%} of what there is to tell",
                    rows=np.flatnonzero(rows),
                    why="a model that reads it looks nearly perfect and may have learned nothing",
                    remedy="used as it is; if it will not be known when the model is used, set "
                    f"columns.{name}.role=ignored",
                )
            )
    return found


def find_id_columns(subject: Subject) -> list[Finding]:
    """Inputs that only tell rows apart: whole numbers, all different, nearly without gaps."""
    found: list[Finding] = []
    for name in subject.inputs("number"):
        numbers = subject.numbers(name)
        known = numbers[np.isfinite(numbers)]
        if len(known) < FEWEST_ROWS or not (known == np.round(known)).all():
            continue
        dense = np.ptp(known) < 1.5 * len(known)
        if dense and len(np.unique(known)) >= 0.99 * len(known):
            found.append(_only_names(name, np.flatnonzero(np.isfinite(numbers))))
    for name in subject.inputs("category"):
        codes = subject.codes(name)
        known = codes[codes >= 0]
        if len(known) >= FEWEST_ROWS and len(np.unique(known)) >= 0.95 * len(known):
            found.append(_only_names(name, np.flatnonzero(codes >= 0)))
    return found


def find_torn_groups(subject: Subject) -> list[Finding]:
    """Persons, places, … of which rows stand in the test part and in another."""
    found: list[Finding] = []
    test = subject.parts == "test"
    for name in subject.schema.named("group"):
        codes = subject.codes(name)
        known = codes >= 0
        both = np.intersect1d(codes[known & test], codes[known & ~test])
        if not len(both):
            continue
        rows = np.flatnonzero(np.isin(codes, both))
        of = np.unique(codes[known & test])
        found.append(
            Finding(
                "group_in_two_parts",
                "warning",
                column=name,
                what=f"{len(both):,} of the {len(of):,} in the test part are in another part, too",
                rows=rows,
                why="the score tells how well known ones are answered, not new ones",
                remedy="followed as given; split anew with split.group_by="
                f"{name} if the model is for new ones",
            )
        )
    return found


def _only_names(name: str, rows: np.ndarray) -> Finding:
    return Finding(
        "id_column",
        "warning",
        column=name,
        what="another value in every row, as a number or name of the row has",
        rows=rows,
        why="it tells rows apart and nothing else; what a model finds in it is chance, or the "
        "order in which rows were collected",
        remedy=f"used as it is; set columns.{name}.role=ignored if it is one",
    )
