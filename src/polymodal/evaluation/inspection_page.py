"""The page of an inspection: what a table holds, and what is wrong with it, to be looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polymodal.evaluation.inspection_charts import counted, histogram, missing_map
from polymodal.evaluation.page import render_page
from polymodal.evaluation.shown_cells import cell_shower
from polymodal.files import write_file

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.findings import Finding
    from polymodal.data.modalities.modality import Shown

SEVERITIES = ("error", "warning", "note")
MOST_VALUES = 7
ROWS_NAMED = 12


@dataclass(frozen=True)
class ShownRow:
    """A row of which something was found.

    Args:
        row: its number.
        cells: column -> the cell to show; None where it is absent or cannot be shown.
        remark: what is special about it.
    """

    row: int
    cells: Mapping[str, Shown | None]
    remark: str = ""


@dataclass(frozen=True)
class ShownFinding:
    """A finding with some of its rows: one list, or for duplicates a list for each group."""

    finding: Finding
    groups: Sequence[Sequence[ShownRow]] = ()


@dataclass(frozen=True)
class ShownColumn:
    """A column as the page shows it.

    Args:
        name: its name.
        modality: its modality; "" where it is of none.
        role: what it is for.
        reason: why it has that role, where that needs saying.
        present: rows with a value.
        missing: rows without.
        distinct: distinct values.
        numbers: ``(N,)`` what to draw a histogram of: the numbers, or lengths; None for none.
        unit: what these numbers are, if not the values themselves.
        marked: values that a finding tells of.
        values: the most frequent values with their counts, where a column has few.
        examples: some cells.
    """

    name: str
    modality: str
    role: str
    reason: str
    present: int
    missing: int
    distinct: int
    numbers: np.ndarray | None = None
    unit: str = ""
    marked: Sequence[float] = ()
    values: Mapping[str, int] = field(default_factory=dict)
    examples: Sequence[Shown] = ()

    @property
    def missing_words(self) -> str:
        """How many cells are missing: a share, or their number where they are few."""
        share = self.missing / max(self.missing + self.present, 1)
        return f"{share:.0%}" if share >= 0.01 else f"{self.missing:,}"


@dataclass(frozen=True)
class InspectionPage:
    """All that the page of an inspection tells.

    Args:
        title: the page's heading.
        created: when, as it is to be printed.
        rows: part -> rows; "all" without a target.
        findings: what was found.
        columns: the table's columns.
        missing: ``(rows, columns)`` bool, of the columns named by ``gaps``.
        gaps: the columns with missing cells.
    """

    title: str
    created: str
    rows: Mapping[str, int]
    findings: Sequence[ShownFinding]
    columns: Sequence[ShownColumn]
    missing: np.ndarray
    gaps: Sequence[str]


def write_inspection(path: str | Path, page: InspectionPage, *, command: str = "") -> None:
    """Write an inspection as one HTML file that needs no other file and no network.

    The file appears whole or not at all.

    Args:
        path: the file to write.
        page: what to tell.
        command: how to see it again.
    """
    write_file(Path(path), render_inspection(page, command=command))


def render_inspection(page: InspectionPage, *, command: str = "") -> str:
    """The inspection as HTML text.

    Args:
        page: what to tell.
        command: how to see it again.
    """
    show = cell_shower("en")
    counts: Counter[str] = Counter(shown.finding.severity for shown in page.findings)
    return render_page(
        "inspection_template.html",
        language="en",
        title=page.title,
        created=page.created,
        by="Inspection by polymodal",
        page=page,
        command=command,
        counts={severity: counts[severity] for severity in SEVERITIES},
        told_of=_told_of(page.findings),
        cards=_cards(page.findings),
        chart=_chart,
        show=show,
        rows_named=ROWS_NAMED,
        gaps=missing_map(page.missing, page.gaps, title="Missing cells") if page.gaps else "",
    )


def _cards(findings: Sequence[ShownFinding]) -> list[list[ShownFinding]]:
    """Findings of one kind on several columns, with nothing to look at, share a card."""
    cards: dict[Any, list[ShownFinding]] = {}
    for i, shown in enumerate(findings):
        one = shown.finding
        alike = (one.severity, one.kind, one.why) if one.column and not shown.groups else i
        cards.setdefault(alike, []).append(shown)
    return list(cards.values())


def _chart(column: ShownColumn) -> Any:
    if column.values:
        listed = list(column.values.items())
        others = max(column.distinct - MOST_VALUES, 0)
        return counted(listed[:MOST_VALUES], title=column.name, others=others)
    if column.numbers is not None and len(column.numbers):
        return histogram(column.numbers, title=column.name, marked=column.marked)
    return ""


def _told_of(findings: Sequence[ShownFinding]) -> dict[str, str]:
    """Column -> the worst that was found in it."""
    worst: dict[str, str] = {}
    for severity in reversed(SEVERITIES):
        for shown in findings:
            if shown.finding.severity == severity and shown.finding.column:
                worst[shown.finding.column] = severity
    return worst
