"""A table made ready: schema, parts, and what was found wrong on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polymodal.data.findings import Finding
from polymodal.data.leaks import find_leaks, find_missing_targets, find_shared_rows
from polymodal.data.media import spread
from polymodal.data.modalities import MODALITIES, Modality
from polymodal.data.schema import Role, Schema, infer_schema
from polymodal.data.split import split_rows
from polymodal.data.table import Table, concatenate
from polymodal.errors import CellError, SchemaError

MOST_LOOKED_INTO = 1000


@dataclass
class Dataset:
    """A table with its schema and parts.

    Args:
        table: the cells.
        schema: modality and role of every column.
        parts: ``(rows,)`` "train", "validation" or "test".
        findings: what a person should know about the data.
        given: whether parts came as tables of their own.
        items: ``(rows,)`` equal where rows are of the same thing, where rows are to be compared.
    """

    table: Table
    schema: Schema
    parts: np.ndarray
    findings: list[Finding] = field(default_factory=list)
    given: bool = False
    items: np.ndarray | None = None

    def rows(self, part: str) -> np.ndarray:
        """The rows of a part that have at least one target."""
        chosen = self.parts == part
        if self.schema.targets:
            chosen &= np.any([self.has(target) for target in self.schema.targets], axis=0)
        return np.flatnonzero(chosen)

    def has(self, column: str) -> np.ndarray:
        """Where a column holds a value ``(rows,)`` bool."""
        return self.table.codes(column) >= 0


def prepare(
    table: Table,
    targets: Sequence[str],
    *,
    inputs: Sequence[str] | None = None,
    roles: Mapping[str, Role] | None = None,
    modalities: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
    drop_leaks: bool = True,
    split: Mapping[str, object] | None = None,
    seed: int = 0,
    given: Mapping[str, Table] | None = None,
) -> Dataset:
    """Infer the schema, look for what would mislead, and split.

    Args:
        table: all rows, or those of the training part when other parts are given.
        targets: columns to predict.
        inputs: the only input columns, when given.
        roles: column -> role, where the user knows better.
        modalities: column -> modality, where the user knows better.
        sources: column -> what it is made of, for columns to be added; see
            :meth:`Table.with_views`.
        drop_leaks: leave out inputs that are the target under another name.
        split: options of :func:`split_rows`, and "column".
        seed: of the split.
        given: "validation" or "test" -> its own table.

    Raises:
        SchemaError: the columns do not allow the training asked for.
        TableError: a column is not there.
    """
    roles, options = dict(roles or {}), dict(split or {})
    column = options.pop("column", None)
    if column:
        roles[str(column)] = "split"
    findings = []
    marks = np.full(len(table), "train", dtype="<U10")
    if given:
        for part, other in given.items():
            marks = np.append(marks, np.full(len(other), part))
            lacking = [n for n in table.names if n not in other.names and roles.get(n) != "ignored"]
            if set(lacking) & set(targets):
                raise SchemaError(f"The {part} table lacks {sorted(set(lacking) & set(targets))}.")
            if lacking:
                what = f"the {part} table lacks {', '.join(map(repr, lacking))}"
                remedy = "missing in its rows"
                findings.append(Finding("missing_column", "warning", what=what, remedy=remedy))
        table = concatenate([table, *given.values()])
        found = infer_schema(table, targets, roles=roles, sources=sources).named("split")
        roles |= dict.fromkeys((name for name in found if name not in roles), "ignored")
    schema = infer_schema(
        table, targets, inputs=inputs, roles=roles, modalities=modalities, sources=sources
    )
    table = table.with_views(schema.sources)
    findings += find_missing_targets(table, schema)
    if drop_leaks:
        leaks = [leak for leak in find_leaks(table, schema) if leak.column not in roles]
        leaks = [leak for leak in leaks if leak.column not in (inputs or ())]
        if len(leaks) < len(schema.inputs):
            for leak in leaks:
                schema = schema.ignore(leak.column, f"gives the target away: {leak.what}")
            findings += leaks
    if not schema.inputs:
        raise SchemaError(
            "No column is left as input. Ignored: "
            + "; ".join(f"{c.name} ({c.reason})" for c in schema.columns if c.role == "ignored")
            + ". Give one a role with columns.NAME.role=input."
        )
    train = np.flatnonzero(marks == "train")
    options |= dict.fromkeys(given or (), 0.0)
    marks[train] = split_rows(table.take(train), schema, seed=seed, **options)  # type: ignore[arg-type]
    findings += find_shared_rows(table, schema, marks)
    return Dataset(table, schema, marks, findings, given=bool(given))


def fit_modalities(dataset: Dataset, modalities: dict[str, Modality]) -> None:
    """Let every modality learn from the cells of the training part.

    An input that a column holds beside others (a video its sound) is ignored from here on where
    the training part holds none: the schema, the findings and ``modalities`` are without it.

    Raises:
        SchemaError: the training part holds fewer than two values of a target, or no input is
            left.
    """
    rows = np.flatnonzero(dataset.parts == "train")
    for name, modality in list(modalities.items()):
        cells = [cell for cell in dataset.table.cells(name, rows) if cell is not None]
        if modality.media:
            cells = [dataset.table.media(cell) for cell in cells]
        if not cells and name in dataset.schema.targets:
            raise SchemaError(f"Target {name!r} is empty in every row of the training part.")
        modality.fit(cells)
        if _is_derived(dataset.schema, name) and not _any_there(modality, cells):
            _leave_out(dataset, name)
            del modalities[name]
        if name in dataset.schema.targets and len(getattr(modality, "labels", "ab")) < 2:
            raise SchemaError(
                f"Target {name!r} holds fewer than two values in the training part: there is "
                "nothing to learn. Is the split right?"
            )


def _is_derived(schema: Schema, name: str) -> bool:
    """Whether an input is what the cells of another column hold beside others."""
    source = schema[name].source
    inner = {inner for modality in MODALITIES.values() for inner in modality.derived}
    return bool(source) and name in {f"{source}.{word}" for word in inner}


def _any_there(modality: Modality, cells: Sequence[Any]) -> bool:
    """Whether one of the cells, of at most 1,000, holds something."""
    for cell in spread(cells, MOST_LOOKED_INTO):
        try:
            modality.decode(cell)
        except CellError:
            continue  # packing reports it, with its row
        return True
    return False


def _leave_out(dataset: Dataset, name: str) -> None:
    source = dataset.schema[name].source
    dataset.schema = dataset.schema.ignore(name, f"no cell of {source!r} holds any")
    what, remedy = f"no cell of {source!r} holds any", "left out as an input"
    dataset.findings.append(Finding("nothing_there", "note", column=name, what=what, remedy=remedy))
    if not dataset.schema.inputs:
        raise SchemaError(f"No input is left: {what} that could be read as {name!r}.")
