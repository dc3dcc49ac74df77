"""All checks in order, and which of them a run makes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable

from polymodal.checks.broken_media import (
    diagnosed,
    find_absurd_sizes,
    find_clipped,
    find_empty_media,
    find_wrong_files,
)
from polymodal.checks.column_values import (
    find_constant_columns,
    find_impossible_dates,
    find_mixed_types,
    find_rare_classes,
)
from polymodal.checks.drift import find_drift
from polymodal.checks.duplicates import find_contradictions, find_copied_files
from polymodal.checks.label_errors import find_label_errors
from polymodal.checks.leakage import find_id_columns, find_leaking_columns, find_torn_groups
from polymodal.checks.missingness import find_missing_values, find_telling_gaps
from polymodal.checks.near_duplicates import find_near_duplicates
from polymodal.checks.outliers import find_odd_numbers, find_unusual_cells
from polymodal.checks.spelling import find_broken_encoding, find_spelling_variants
from polymodal.checks.subject import Subject
from polymodal.checks.swapped_cells import find_swapped_cells
from polymodal.countdown import TellStage
from polymodal.data.findings import Finding

log = logging.getLogger("polymodal")
Check = Callable[[Subject], list[Finding]]

CHECKS: tuple[Check, ...] = (
    find_wrong_files,
    find_absurd_sizes,
    find_empty_media,
    find_clipped,
    find_copied_files,
    find_near_duplicates,
    find_contradictions,
    find_leaking_columns,
    find_id_columns,
    find_torn_groups,
    find_missing_values,
    find_telling_gaps,
    find_odd_numbers,
    find_unusual_cells,
    find_constant_columns,
    find_mixed_types,
    find_rare_classes,
    find_impossible_dates,
    find_broken_encoding,
    find_spelling_variants,
    find_swapped_cells,
    find_drift,
)
SEVERITIES = ("error", "warning", "note")


def check(
    subject: Subject,
    known: Iterable[Finding] = (),
    *,
    labels: bool = True,
    tell: TellStage = lambda stage, done, total: None,
) -> list[Finding]:
    """All that is wrong with a table, the worst first.

    Args:
        subject: the table with its decoded cells.
        known: what was found before, in splitting and decoding.
        labels: whether to look for label errors, which takes the longest.
        tell: is told a stage, how many checks are made, and how many there are.
    """
    found = diagnosed(known, subject)
    checks = [*CHECKS, find_label_errors] if labels else CHECKS
    with warnings.catch_warnings():
        # Numbers of users' tables may overflow or be all alike: what comes of it is looked at.
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        for made, one in enumerate(checks):
            tell(f"looking for {_words(one.__name__)}", made, len(checks))
            try:
                found += one(subject)
            except Exception as error:  # a check that fails must not cost a finished training
                log.exception("the check %s failed", one.__name__)
                found.append(_failed(one.__name__, error))
    tell("looking", len(checks), len(checks))
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _words(name: str) -> str:
    """What a check looks for.

    >>> _words("find_near_duplicates")
    'near duplicates'
    """
    return name.removeprefix("find_").replace("_", " ")


def _failed(name: str, error: Exception) -> Finding:
    return Finding(
        "not_checked",
        "warning",
        column="",
        what=f"{_words(name)}: the check failed ({error!r})",
        why="this is a mistake of polymodal, not of the data",
        remedy="all else was checked; please report it",
    )
