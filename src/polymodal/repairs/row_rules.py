"""Repairs that drop rows, or labels: duplicates, leaks into the test, wrong labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polymodal.data.findings import Finding
from polymodal.data.modalities import MODALITIES
from polymodal.repairs.draft import Draft

NOT_BY_CHANCE = ("text", "passages")


def repair_rows(draft: Draft, findings: Sequence[Finding]) -> None:
    """Drop rows by the policies for duplicates, contradictions, leaks and labels."""
    options = draft.options
    for finding in findings:
        if finding.kind == "shared_with_test" or finding.kind == "near_shared_with_test":
            if options.shared_with_test == "drop_from_training":
                _drop_from_training(draft, finding)
        elif finding.kind == "contradicting_labels" and options.contradictions == "drop_all":
            for row in finding.rows:
                draft.drop(int(row), why=finding.kind, rule="drop_all")
        elif finding.kind == "label_error" and options.label_errors != "keep":
            _mend_labels(draft, finding)
    for kind, policy in (
        ("duplicate_row", options.duplicates),
        ("duplicate_cell", options.near_duplicates),
        ("near_duplicate", options.near_duplicates),
    ):
        for finding in findings:
            if finding.kind == kind and policy == "keep_first":
                _keep_first(draft, finding)


def _drop_from_training(draft: Draft, finding: Finding) -> None:
    """The test stays as it is; what of it stands in the training part leaves that."""
    if "test" not in draft.given:
        reason = "the parts are drawn anew in each training: there is no test to keep apart"
        draft.leave(finding.kind, finding.column, finding.count, reason)
        return
    groups = finding.groups or (tuple(finding.rows),)
    for group in groups:
        if any(draft.parts[row] == "test" for row in group):
            for row in group:
                if draft.parts[row] != "test":
                    draft.drop(int(row), why=finding.kind, rule="drop_from_training")


def _keep_first(draft: Draft, finding: Finding) -> None:
    if finding.kind == "duplicate_row" and not _holds_content(draft):
        reason = "rows of numbers and categories may be equal by chance"
        draft.leave(finding.kind, finding.column, finding.count, reason)
        return
    across = 0
    for group in finding.groups:
        kept: set[str] = set()
        here = [row for row in group if row not in draft.dropped]
        for row in here:
            # A copy in another part is a leak, for which there is another policy.
            part = draft.given_part(row)
            if part in kept:
                draft.drop(int(row), why=finding.kind, rule="keep_first")
            kept.add(part)
        across += len(kept) - 1 if len(kept) > 1 else 0
    reason = "the copies stand in several parts; see clean.shared_with_test"
    draft.leave(finding.kind, finding.column, across, reason)


def _holds_content(draft: Draft) -> bool:
    """Whether rows hold what does not repeat by chance: media or text."""
    used = {draft.schema[name].modality for name in draft.schema.inputs}
    return any(name in NOT_BY_CHANCE or MODALITIES[name].media for name in used)


def _mend_labels(draft: Draft, finding: Finding) -> None:
    """In the training part only: what the model is measured on is not its own opinion."""
    rows = np.asarray(finding.rows)
    training = [int(row) for row in rows if draft.parts[row] == "train"]
    for row in training:
        if draft.options.label_errors == "drop_rows":
            draft.drop(row, why=finding.kind, rule="drop_rows")
        elif draft.options.label_errors == "treat_as_missing":
            draft.change(row, finding.column, None, why=finding.kind, rule="treat_as_missing")
        elif str(row) in finding.values:
            better = _as_written(draft, finding.column, finding.values[str(row)])
            draft.change(row, finding.column, better, why=finding.kind, rule="relabel")
    reason = "validation and test rows keep their labels: they are what is measured on"
    draft.leave(finding.kind, finding.column, len(rows) - len(training), reason)


def _as_written(draft: Draft, column: str, label: str) -> object:
    """The column's own cell that reads like a label (1, not "1")."""
    return next((c for c in draft.cells(column) if c is not None and str(c) == label), label)
