"""Repairs of strings: encoding, blanks, spellings of a category, personal data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from polymodal.data.findings import Finding
from polymodal.data.media import MEDIA_ENDINGS, ending
from polymodal.repairs.draft import Draft
from polymodal.repairs.normalisation import normalise, unmangled
from polymodal.repairs.personal_data import mask_personal_data

STRINGS = ("text", "category", "tags", "passages")


def repair_strings(draft: Draft, findings: Sequence[Finding]) -> None:
    """Encodings first, since the other repairs read what is written; spellings of categories last.

    What is ignored in training (names, addresses) is masked all the same.
    """
    options = draft.options
    if options.encoding == "fix":
        for name in draft.columns(*STRINGS):
            _rewrite(draft, name, unmangled, why="broken_encoding", rule="read in UTF-8")
    if options.text:
        rule, written = ", ".join(options.text), partial(normalise, ways=options.text)
        for name in draft.columns(*STRINGS):
            _rewrite(draft, name, written, why="clean.text", rule=rule)
    if options.spelling == "merge":
        for finding in findings:
            if finding.kind == "spelling_variants":
                _merge_spellings(draft, finding)
    if options.personal_data:
        _mask(draft)


def _rewrite(
    draft: Draft, column: str, written: Callable[[str], str], *, why: str, rule: str
) -> None:
    """Change the strings of a column, those in lists too, each distinct one worked out once."""
    known: dict[str, str] = {}

    def rewritten(cell: Any) -> Any:
        if isinstance(cell, str):
            if cell not in known:
                known[cell] = written(cell)
            return known[cell]
        return [rewritten(part) for part in cell] if isinstance(cell, list) else cell

    for row, cell in enumerate(draft.cells(column)):
        after = rewritten(cell)
        if after != cell:
            draft.change(row, column, after, why=why, rule=rule)


def _merge_spellings(draft: Draft, finding: Finding) -> None:
    column, left = finding.column, 0
    if draft.protected(column):
        reason = "it is a target; set clean.targets=true to merge its spellings"
        draft.leave(finding.kind, column, finding.count, reason)
        return
    cells = draft.cells(column)
    # Blanks and letters may be mended already: they are looked up as they are now.
    ways = draft.options.text
    canonical = {normalise(k, ways): normalise(v, ways) for k, v in finding.values.items()}
    for row in map(int, finding.rows):
        cell = cells[row]
        if isinstance(cell, list) or (isinstance(cell, str) and cell not in canonical):
            left += cell not in canonical.values()
        elif isinstance(cell, str):
            draft.change(row, column, canonical[cell], why=finding.kind, rule="merge")
    draft.leave(finding.kind, column, left, "several labels in a cell")


def _mask(draft: Draft) -> None:
    kinds = draft.options.personal_data
    for column in draft.schema.columns:
        keeps = column.role in ("split", "group") or draft.protected(column.name)
        if column.source or keeps or column.modality not in (*STRINGS, ""):
            continue
        _rewrite(
            draft,
            column.name,
            lambda text: text if ending(text) in MEDIA_ENDINGS else mask_personal_data(text, kinds),
            why="clean.personal_data",
            rule=", ".join(kinds),
        )
