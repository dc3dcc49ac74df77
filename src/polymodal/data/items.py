"""Things with several rows: one picture and its captions, one person and their photos."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from polymodal.data.media import as_list, is_missing
from polymodal.data.modalities import MODALITIES
from polymodal.data.schema import Schema, recognise
from polymodal.data.split import joined
from polymodal.data.table import Table
from polymodal.errors import SchemaError

ITEM_COLUMN = "item"
LISTS = ("passages", "gallery")  # several texts or pictures in one cell
LARGEST_ITEM = 0.1  # of the rows; cells that more rows share tell nothing apart


def unfolded(
    table: Table, inputs: Sequence[str] | None, *, kept: Collection[str] = (), first: int = 0
) -> Table:
    """A row for each of several captions of one picture.

    Several are a list in one cell, or numbered columns (``caption_1``, ``caption_2``, …) where
    ``inputs`` names them by what they have in common (``caption``). Of several such columns the
    first row takes the first of each, and so on; where one has fewer, it is missing.

    Args:
        table: as read.
        inputs: the columns that will be read; None for all.
        kept: columns whose lists stay as they are.
        first: number of the table's first row, where it is one of several tables.

    Returns:
        The table with a column ``item``, the number of the row each one came from; the same
        table where nothing is to unfold.

    Raises:
        SchemaError: the table has a column ``item`` already.

    Example:
        >>> captions = [["a dog runs over a field", "a brown dog is running"], ["two cats sleep"]]
        >>> table = Table.read({"photo": ["a.png", "b.png"], "says": captions})
        >>> found = unfolded(table, ["photo", "says"])
        >>> found.cells("photo"), found.cells("item")
        (['a.png', 'a.png', 'b.png'], [0, 0, 1])
    """
    several = _numbered(table, inputs or ())
    for name in inputs or table.names:
        if name in table.names and name not in kept and recognise(table.summary(name)) in LISTS:
            several[name] = [as_list(cell) or [cell] for cell in table.cells(name)]
    if not several:
        return table
    if ITEM_COLUMN in table.names:
        raise SchemaError(
            f"{', '.join(several)} holds several of one thing, which makes a row of each; the "
            f"new column {ITEM_COLUMN!r} says which belong together, but the table has one of "
            "that name. Rename it."
        )
    parts = {
        name: [[one for one in cell if not is_missing(one)] for cell in cells]
        for name, cells in several.items()
    }
    counts = [max(1, *map(len, cells)) for cells in zip(*parts.values(), strict=True)]
    rows = np.repeat(np.arange(len(table)), counts)
    place = np.arange(len(rows)) - np.repeat(np.cumsum([0, *counts[:-1]]), counts)
    made: dict[str, Any] = {
        name: [cells[r][p] if p < len(cells[r]) else None for r, p in zip(rows, place, strict=True)]
        for name, cells in parts.items()
    }
    whole = table.take(rows)
    gone = {source for name in made for source in _numbers(table, name)}
    columns = {name: column for name, column in whole.columns.items() if name not in gone}
    made[ITEM_COLUMN] = (first + rows).tolist()
    return Table({**columns, **Table.read(made).columns}, folder=table.folder, source=table.source)


def _numbered(table: Table, inputs: Sequence[str]) -> dict[str, list[list[Any]]]:
    found = {}
    for name in inputs:
        sources = _numbers(table, name)
        if name not in table.names and len(sources) > 1:
            found[name] = [list(cells) for cells in zip(*map(table.cells, sources), strict=True)]
    return found


def _numbers(table: Table, name: str) -> list[str]:
    """``name_1``, ``name_2``, … in their order."""
    pattern = re.compile(re.escape(name) + r"[ _.]?(\d+)")
    known = [(int(m[1]), other) for other in table.names if (m := pattern.fullmatch(other))]
    return [other for _, other in sorted(known)]


def items_of(table: Table, schema: Schema) -> np.ndarray:
    """A number for each row ``(rows,)``, equal where rows are of the same thing.

    Rows are that came from one row, or that hold the same picture or recording, unless more than
    a tenth of all rows would share it. The same words are no sign: many a dog is running.
    """
    items = np.arange(len(table))
    first = [ITEM_COLUMN] if ITEM_COLUMN in table.names else []
    shared = [name for name in schema.inputs if MODALITIES[schema[name].modality].media]
    for name in [*first, *shared]:
        tied = joined(items, table.codes(name))
        if name in first or np.bincount(tied).max() <= max(2, LARGEST_ITEM * len(table)):
            items = tied
    return np.unique(items, return_inverse=True)[1]


def identities_of(table: Table, target: str, parts: np.ndarray) -> np.ndarray:
    """A number for each row ``(rows,)`` by whose it is, -1 where that is not known.

    Raises:
        SchemaError: an identity is in more than one part, or a part has too few to compare.
    """
    codes = table.codes(target)
    names = _named(table, target, codes)
    for part in ("validation", "test"):
        torn = np.intersect1d(codes[(parts == part) & (codes >= 0)], codes[parts == "train"])
        if len(torn):
            raise SchemaError(
                f"{names[int(torn[0])]!r} of {target!r} is in the training part and in the {part} "
                f"part ({len(torn)} such): verification is measured on identities that training "
                "has not seen. Give the split column the role ignored "
                f"(columns.NAME.role=ignored), and {target!r} is split by itself."
            )
        _, rows = np.unique(codes[(parts == part) & (codes >= 0)], return_counts=True)
        if len(rows) < 2 or rows.max() < 2:
            raise SchemaError(
                f"The {part} part holds {len(rows)} of {target!r}: comparing needs at least two, "
                f"one of them with two rows. Raise split.{part}, or give more rows."
            )
    return codes


def _named(table: Table, target: str, codes: np.ndarray) -> Mapping[int, Any]:
    return dict(zip(codes.tolist(), table.cells(target), strict=True))
