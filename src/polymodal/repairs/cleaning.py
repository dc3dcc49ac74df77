"""Cleaning a table: find what is wrong, repair what may be repaired, record every change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from polymodal.countdown import TellStage
from polymodal.data.findings import Finding
from polymodal.data.readers import to_column
from polymodal.data.schema import PARTS, Schema
from polymodal.data.split import split_rows
from polymodal.data.table import Table
from polymodal.errors import PolymodalError
from polymodal.inspection import inspect
from polymodal.preparation import chosen_targets
from polymodal.recipe import Recipe
from polymodal.repairs.cleaned_files import check_free, output_for, write_cleaned
from polymodal.repairs.denoising import denoise
from polymodal.repairs.draft import Draft, Left, Repair
from polymodal.repairs.filling import fill_missing
from polymodal.repairs.media_rules import EMPTY, UNREADABLE, repair_media
from polymodal.repairs.record import RECORD
from polymodal.repairs.row_rules import repair_rows
from polymodal.repairs.string_rules import repair_strings
from polymodal.repairs.value_rules import repair_values

# Which option sees to which findings; what is not here has no repair that is safe.
OPTION_OF = {
    **dict.fromkeys(UNREADABLE, "unreadable"),
    **dict.fromkeys(EMPTY, "empty_media"),
    "wrong_extension": "extensions",
    "broken_encoding": "encoding",
    "spelling_variants": "spelling",
    "impossible_date": "dates",
    "outlier": "outliers",
    "unit_error": "units",
    "swapped_cells": "swapped",
    "duplicate_row": "duplicates",
    "duplicate_cell": "near_duplicates",
    "near_duplicate": "near_duplicates",
    "shared_with_test": "shared_with_test",
    "near_shared_with_test": "shared_with_test",
    "contradicting_labels": "contradictions",
    "label_error": "label_errors",
    "missing_values": "fill",
}
OFF = ("keep", "off")


class Change(NamedTuple):
    """What one rule did to one column.

    Args:
        why: the finding or option behind it.
        column: the column; "" where rows were dropped.
        rule: how it was done.
        times: how many cells or rows.
        example: one of them, before and after; None for rows and new columns.
    """

    why: str
    column: str
    rule: str
    times: int
    example: tuple[Any, Any] | None


@dataclass
class Cleaning:
    """A cleaned table, and all that was done to it.

    Args:
        table: the cleaned table.
        repairs: every change, in the order in which it was made.
        left: what was found and not repaired, with the reasons.
        rows: how many there were before.
        path: where the table was written; None where it was not.
        record: where the repairs were written, for :func:`polymodal.repairs.undo.undo`.
    """

    table: Table
    repairs: list[Repair]
    left: list[Left]
    rows: int
    path: Path | None = None
    record: Path | None = None

    def summary(self) -> list[Change]:
        """The changes by finding, column and rule, the most frequent first."""
        counts = Counter((r.why, r.column, r.rule) for r in self.repairs)
        first = {(r.why, r.column, r.rule): r for r in reversed(self.repairs)}
        found = []
        for key, count in counts.most_common():
            one = first[key]
            changed = bool(one.column) and one.row is not None
            found.append(Change(*key, count, (one.before, one.after) if changed else None))
        return found


def clean(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    tell: TellStage = lambda stage, done, total: None,
) -> Cleaning:
    """Repair a table by the section ``clean`` of a recipe.

    Only what loses nothing is repaired by default (cells that cannot be read become missing,
    blanks, encodings and spellings are made alike, rows that repeat others go); all else is asked
    for. Targets keep their values unless ``clean.targets`` is set. The input is never changed.

    Args:
        data: a table as :meth:`Table.read` takes it.
        target: the column or columns to predict; without one, duplicates across parts, label
            errors and the like are not looked for.
        recipe: what differs from the defaults.
        out: a table file to write, or a folder for it; ``repairs.jsonl`` and new media go beside
            it. None writes nothing.
        overwrite: whether ``out`` may replace the result of another cleaning.
        tell: is told a stage, how much of it is done, and how much there is.

    Raises:
        PolymodalError: the table cannot be read, the recipe does not fit it, ``out`` is the table
            itself or holds something else, or no row would be left.

    Example:
        >>> rows = [{"said": f"the  bird number {n} sings ", "size": n / 7} for n in range(30)]
        >>> found = clean(rows)
        >>> found.table.cells("said")[:1], found.repairs[0].before
        (['the bird number 0 sings'], 'the  bird number 0 sings ')
    """
    loaded = Recipe.load(recipe)
    source = _single_file(data)
    table = Table.read(data)
    targets = chosen_targets(loaded, target)
    kept_options = {"target": targets, "clean": loaded.clean.model_dump(mode="json")}
    place = None if out is None else output_for(out, source)
    if place is not None:
        check_free(place, kept_options, source, overwrite=overwrite)
        place.parent.mkdir(parents=True, exist_ok=True)
    wanted = loaded.clean.label_errors != "keep"  # which takes the longest to find
    seen = inspect(table, list(targets) or None, recipe=loaded, labels=wanted, tell=tell)
    draft = _draft(table, seen.schema, loaded, place)
    _repair(draft, seen.findings, tell)
    if len(draft.dropped) == len(table):
        raise PolymodalError(
            "Every row would be dropped; set options of clean to treat_as_missing or keep."
        )
    found = Cleaning(_as_table(draft), draft.repairs, draft.left, len(table))
    if place is not None:
        tell("writing", 0, 1)
        write_cleaned(draft, place, source, options=kept_options)
        found.path, found.record = place, place.parent / RECORD
        found.table = Table.read(place)
        tell("writing", 1, 1)
    return found


def _single_file(data: Any) -> Path | None:
    """The file that a table is read from, where it is one."""
    if isinstance(data, str | Path) and Path(data).is_file():
        return Path(data)
    return None


def _draft(table: Table, schema: Schema, recipe: Recipe, place: Path | None) -> Draft:
    parts, given = np.full(len(table), "train", dtype="<U10"), frozenset[str]()
    if column := schema.named("split"):
        named = {PARTS.get(str(cell).strip().lower(), "") for cell in table.cells(column[0])}
        given = frozenset(named)
    if given or schema.targets:
        split = recipe.split
        parts = split_rows(
            table.with_views(schema.sources),
            schema,
            validation=split.validation,
            test=split.test,
            group_by=split.group_by,
            stratify=split.stratify,
            seed=recipe.seed,
        )
    folder = None if place is None else place.parent
    return Draft(table, schema, parts, given, recipe.clean, folder)


def _repair(draft: Draft, findings: Sequence[Finding], tell: TellStage) -> None:
    """All rules: cells before rows, and last what learns from the cells that are left."""
    steps: list[tuple[str, Callable[[], None]]] = [
        ("values", lambda: repair_values(draft, findings)),
        ("strings", lambda: repair_strings(draft, findings)),
        ("media", lambda: repair_media(draft, findings)),
        ("rows", lambda: repair_rows(draft, findings)),
        ("noise", lambda: denoise(draft, tell)),
        ("gaps", lambda: fill_missing(draft)),
    ]
    for done, (name, step) in enumerate(steps):
        tell(f"repairing {name}", done, len(steps))
        step()
    tell("repairing", len(steps), len(steps))
    for finding in findings:
        if reason := _why_left(draft, finding):
            draft.leave(finding.kind, finding.column, finding.count, reason)
    for column, source in draft.schema.sources.items():
        if "{" in source and draft.folder not in (None, draft.table.folder):
            reason = f"its source {source!r} starts at the folder of the table as it was"
            draft.leave("source", column, len(draft.table), reason)


def _why_left(draft: Draft, finding: Finding) -> str:
    """Why nothing was done about a finding; "" where something was, or was told already."""
    option = OPTION_OF.get(finding.kind)
    if option is None:
        return finding.remedy or "there is no safe repair"
    value = getattr(draft.options, option)
    if option == "fill" and isinstance(value, dict):
        value = value.get(finding.column, "off")
    return f"clean.{option} is {value}" if value in OFF else ""


def _as_table(draft: Draft) -> Table:
    """The cleaned table in memory, its media still found from the old folder."""
    kept, table = draft.kept(), draft.table
    columns: dict[str, Any] = dict(table.columns)
    for name, changed in draft.changed.items():
        column = columns[name]
        cells = list(column) if isinstance(column, list) else column.to_pylist()
        for row, cell in changed.items():
            cells[row] = cell
        columns[name] = to_column(cells)
    columns |= {name: pa.chunked_array([cells]) for name, cells in draft.added.items()}
    return Table(columns, folder=table.folder, source=table.source).take(kept)
