"""Repairs of numbers, dates and exchanged cells."""

from __future__ import annotations

import math
from collections.abc import Sequence

from polymodal.data.findings import Finding
from polymodal.data.modalities.number import to_numbers
from polymodal.repairs.draft import Draft


def repair_values(draft: Draft, findings: Sequence[Finding]) -> None:
    """Exchanged cells first, then units, then what is no value at all."""
    options = draft.options
    for kind, wanted, repair in (
        ("swapped_cells", options.swapped == "fix", _swap_back),
        ("unit_error", options.units == "fix", _mend_unit),
    ):
        for finding in findings:
            if finding.kind == kind and wanted:
                repair(draft, finding)
    for kind, action in (("impossible_date", options.dates), ("outlier", options.outliers)):
        for finding in findings:
            if finding.kind != kind or action == "keep":
                continue
            if draft.protected(finding.column) and action == "treat_as_missing":
                _keep_target(draft, finding)
            else:
                draft.empty(finding.column, finding.rows, action, why=kind)


def _keep_target(draft: Draft, finding: Finding) -> None:
    reason = "it is a target; set clean.targets=true to repair it"
    draft.leave(finding.kind, finding.column, finding.count, reason)


def _swap_back(draft: Draft, finding: Finding) -> None:
    done = set()
    for one, other in finding.values.items():
        if {one, other} in done or one == other:
            continue
        done.add(frozenset((one, other)))
        if draft.protected(one) or draft.protected(other):
            _keep_target(draft, finding)
            continue
        for row in map(int, finding.rows):
            first, second = draft.cells(one)[row], draft.cells(other)[row]
            draft.change(row, one, second, why=finding.kind, rule=f"exchanged with {other}")
            draft.change(row, other, first, why=finding.kind, rule=f"exchanged with {one}")


def _mend_unit(draft: Draft, finding: Finding) -> None:
    factor = float(finding.values.get("factor", "nan"))
    if draft.protected(finding.column):
        _keep_target(draft, finding)
        return
    if not (math.isfinite(factor) and factor > 0):
        draft.leave(finding.kind, finding.column, finding.count, "the factor is not known")
        return
    numbers = to_numbers(draft.cells(finding.column))
    for row in map(int, finding.rows):
        if math.isfinite(numbers[row]):
            # 15 digits hide that 0.3 / 0.1 is not quite 3.
            after = float(f"{numbers[row] / factor:.15g}")
            rule = f"divided by {factor:g}"
            draft.change(row, finding.column, after, why=finding.kind, rule=rule)
