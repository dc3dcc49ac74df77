"""Which cells of a table the page of an inspection shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from polymodal.data.findings import Finding
from polymodal.data.media import Shown, without_remarks
from polymodal.data.modalities import Modality
from polymodal.data.modalities.number import to_numbers
from polymodal.data.schema import ColumnSchema, Schema
from polymodal.data.table import Table
from polymodal.errors import CellError
from polymodal.evaluation.inspection_page import (
    InspectionPage,
    ShownColumn,
    ShownFinding,
    ShownRow,
)

ROWS_SHOWN, GROUPS_SHOWN, ROWS_OF_A_GROUP = 12, 6, 3
HEAVY_SHOWN = 4  # sounds and videos
TEXTS_SHOWN = 6
EXAMPLES = {"image": 6, "gallery": 3, "audio": 2, "video": 1, "text": 3}
LONGEST = 300  # characters of a text
MOST_NUMBERS = 200_000
WITHOUT_CELLS = {"missing_values", "missing_tells_target", "drift", "constant_column",
                 "class_imbalance", "leaking_column", "id_column", "group_in_two_parts",
                 "missing_target", "unseen_category", "not_checked", "missing_column",
                 "spelling_variants"}  # fmt: skip


def shown_page(
    table: Table,
    schema: Schema,
    findings: Sequence[Finding],
    modalities: Mapping[str, Modality],
    *,
    rows: Mapping[str, int],
    title: str,
    created: str,
) -> InspectionPage:
    """The page of an inspection, with the cells that show what was found.

    Args:
        table: the cells.
        schema: modality and role of every column.
        findings: what was found, in the order of the page.
        modalities: columns -> fitted modality, which shows their cells.
        rows: part -> rows.
        title: the page's heading.
        created: when, as it is to be printed.
    """
    viewer = _Viewer(table, schema, modalities)
    gaps = [c.name for c in schema.columns if c.missing and c.role in ("input", "target")]
    missing = [table.codes(name) < 0 for name in gaps]
    with without_remarks():
        return InspectionPage(
            title=title,
            created=created,
            rows=rows,
            findings=[ShownFinding(finding, viewer.groups(finding)) for finding in findings],
            columns=[viewer.column(column, findings) for column in schema.columns],
            missing=np.stack(missing, 1) if missing else np.zeros((len(table), 0), bool),
            gaps=gaps,
        )


class _Viewer:
    """Shows cells of one table."""

    def __init__(self, table: Table, schema: Schema, modalities: Mapping[str, Modality]) -> None:
        self.table, self.schema, self.modalities = table, schema, modalities

    def groups(self, finding: Finding) -> list[list[ShownRow]]:
        """Some rows of a finding; of duplicates, some groups of rows."""
        if finding.kind in WITHOUT_CELLS or not finding.count:
            return []
        columns = self._columns(finding)
        if finding.groups:
            groups = finding.groups[: GROUPS_SHOWN if self._light(columns) else HEAVY_SHOWN // 2]
            return [self._rows(self._different(g, columns), columns, finding) for g in groups]
        most = ROWS_SHOWN if self._light(columns) else HEAVY_SHOWN
        if self.schema[columns[0]].modality == "text":
            most = TEXTS_SHOWN
        return [self._rows(finding.rows[:most].tolist(), columns, finding)]

    def column(self, column: ColumnSchema, findings: Sequence[Finding]) -> ShownColumn:
        """How one column's values spread, or some of its cells."""
        name = column.name
        numbers, unit, values, examples = None, "", {}, []
        if column.modality == "number" and column.role != "ignored":
            numbers = to_numbers(self.table.cells(name))[:MOST_NUMBERS]
            numbers = numbers[np.isfinite(numbers)]
        elif column.modality == "text" and column.role != "ignored":
            lengths = [len(str(c)) for c in self.table.cells(name)[:MOST_NUMBERS] if c is not None]
            numbers, unit = np.array(lengths, np.float64), "characters of a text:"
        elif column.modality in ("category", "") or column.role in ("split", "group", "ignored"):
            values = self._frequent(name, column)
        if name in self.modalities and column.modality in EXAMPLES:
            examples = self._examples(name, EXAMPLES[column.modality])
        marked = [
            float(number)
            for finding in findings
            if finding.column == name and finding.kind in ("outlier", "unit_error")
            for number in to_numbers(self.table.cells(name, finding.rows[:20]))
        ]
        return ShownColumn(
            name, column.modality, column.role, column.reason, column.present, column.missing,
            column.distinct, numbers, unit, marked, values, examples,
        )  # fmt: skip

    def _columns(self, finding: Finding) -> list[str]:
        """The columns that show what a finding tells, at most four."""
        inputs = self.schema.inputs
        if finding.kind == "label_error" or not finding.column:
            pictures = [n for n in inputs if self.modalities[n].media]
            others = [n for n in inputs if self.schema[n].modality == "text"]
            chosen = (pictures + others or inputs)[:3]
        else:
            chosen = [finding.column]
            if finding.kind == "swapped_cells":
                chosen += [name for name in finding.values.values() if name in self.modalities]
        return [*chosen, *(t for t in self.schema.targets if t not in chosen)][:4]

    def _light(self, columns: Sequence[str]) -> bool:
        return not any(self.schema[n].modality in ("audio", "video") for n in columns)

    def _different(self, group: Sequence[int], columns: Sequence[str]) -> list[int]:
        """Some rows of a group, those of different cells first."""
        cells = self.table.cells(columns[0], list(group))
        first = {repr(cell): row for row, cell in reversed(list(zip(group, cells, strict=True)))}
        chosen = sorted(first.values(), key=list(group).index)
        return [*chosen, *(row for row in group if row not in chosen)][:ROWS_OF_A_GROUP]

    def _rows(
        self, rows: Sequence[int], columns: Sequence[str], finding: Finding
    ) -> list[ShownRow]:
        return [
            ShownRow(
                row,
                {name: self._show(name, self.table.cells(name, [row])[0]) for name in columns},
                finding.remarks.get(row, ""),
            )
            for row in rows
        ]

    def _show(self, name: str, cell: Any) -> Shown | None:
        if cell is None:
            return None
        modality = self.modalities.get(name)
        try:
            if modality is None:
                return Shown("text", str(cell)[:LONGEST])
            return modality.show(self.table.media(cell) if modality.media else cell)
        except CellError as error:
            written = cell if isinstance(cell, str) else type(cell).__name__
            return Shown("text", written[-LONGEST:], error.kind)

    def _frequent(self, name: str, column: ColumnSchema) -> dict[str, int]:
        """The most frequent values, where one occurs more often than others."""
        if not column.present or column.distinct == column.present:
            return {}
        counts = self.table.summary(name).counts
        return {str(v): n for v, n in Counter(counts or {}).most_common(8)}

    def _examples(self, name: str, most: int) -> list[Shown]:
        rows = np.unique(np.linspace(0, len(self.table) - 1, 4 * most).astype(int))
        cells = [cell for cell in self.table.cells(name, rows) if cell is not None]
        shown = (self._show(name, cell) for cell in cells[:: max(len(cells) // most, 1)])
        whole = [one for one in shown if one is not None]
        kind = whole[0].kind if whole else "text"
        return [one for one in whole if one.kind == kind][:most]
