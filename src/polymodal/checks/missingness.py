"""Cells without a value: how many, and whether that goes with the target."""

from __future__ import annotations

import numpy as np

from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

WORTH_SAYING = 0.05
MOST = 0.6
SURE = 1e-4  # after the correction for many columns
STRONG = 0.3  # Cramér's V
FEWEST = 5


def find_missing_values(subject: Subject) -> list[Finding]:
    """Columns of which 5 % of the cells or more are missing."""
    found: list[Finding] = []
    for name in subject.schema.inputs:
        missing = np.flatnonzero(subject.codes(name) < 0)
        share = len(missing) / max(len(subject), 1)
        if share < WORTH_SAYING:
            continue
        found.append(
            Finding(
                "missing_values",
                "warning" if share >= MOST else "note",
                column=name,
                what=f"{share:.0%} of the cells are missing",
                rows=missing,
                why="of these rows the column says nothing",
                remedy="nothing is filled in: an absent cell contributes nothing; fill it where "
                "the value can be known",
            )
        )
    return found


def find_telling_gaps(subject: Subject) -> list[Finding]:
    """Columns whose gaps go with the target: a test of independence for each pair."""
    found: list[Finding] = []
    names = [n for n in subject.schema.inputs if (subject.codes(n) < 0).sum() >= FEWEST]
    tests = max(len(names) * len(subject.schema.targets), 1)
    for target in subject.schema.targets:
        classes = _classes(subject, target)
        for name in names:
            missing = subject.codes(name) < 0
            known = classes >= 0
            if missing[known].sum() < FEWEST or (~missing[known]).sum() < FEWEST:
                continue
            strength, chance = association(missing[known].astype(int), classes[known])
            if chance * tests < SURE and strength >= STRONG:
                found.append(
                    Finding(
                        "missing_tells_target",
                        "warning",
                        column=name,
                        what=f"whether it is missing goes with {target!r} (Cramér's V "
                        f"{strength:.2f})",
                        rows=np.flatnonzero(missing),
                        why="a model may learn who was measured, not what was found",
                        remedy="used as it is; ask why it is missing, or leave the column out "
                        f"with columns.{name}.role=ignored",
                    )
                )
    return found


def association(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Cramér's V of two sets of classes, and how likely so much is by chance (chi-squared).

    >>> strength, chance = association(np.array([0, 1] * 20), np.array([0, 1] * 20))
    >>> round(strength, 2), chance < 1e-6
    (1.0, True)
    """
    from scipy.stats import chi2_contingency

    first = np.unique(first, return_inverse=True)[1]
    second = np.unique(second, return_inverse=True)[1]
    counts = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(counts, (first, second), 1)
    if min(counts.shape) < 2:
        return 0.0, 1.0
    test = chi2_contingency(counts, correction=False)
    strength = np.sqrt(test.statistic / counts.sum() / (min(counts.shape) - 1))
    return float(strength), float(test.pvalue)


def _classes(subject: Subject, target: str) -> np.ndarray:
    """Classes of a target, fifths of a number; -1 where unknown."""
    if subject.schema[target].modality != "number":
        return subject.codes(target)
    numbers = subject.numbers(target)
    known = np.isfinite(numbers)
    if not known.any():
        return np.full(len(numbers), -1)
    edges = np.unique(np.quantile(numbers[known], [0.2, 0.4, 0.6, 0.8]))
    return np.where(known, np.digitize(np.nan_to_num(numbers), edges), -1)
