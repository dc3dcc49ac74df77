"""Cells that are made of those of other columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

BRACES = re.compile(r"\{([^{}]+)\}")
LISTED = re.compile(r"\[\s*\{[^{}]+\}(\s*,\s*\{[^{}]+\})*\s*\]")


def columns_named(source: str) -> list[str]:
    """The columns that the source of a view names.

    >>> columns_named("clip"), columns_named("windows/{person}.npz#{row}")
    (['clip'], ['person', 'row'])
    """
    return re.findall(BRACES, source) or [source]


def filling(source: str) -> Callable[[Sequence[Any]], Any]:
    """What makes a view's cell of the cells of the columns it names; None where one is missing.

    A source in square brackets makes a list of those cells that are not missing.

    >>> filling("windows/{person}.npz#{row}")(["ann", 3.0])
    'windows/ann.npz#3'
    >>> filling("[{caption_1}, {caption_2}]")(["a dog", None])
    ['a dog']
    """
    if columns_named(source) == [source]:
        return lambda cells: cells[0]
    if LISTED.fullmatch(source):
        return lambda cells: [cell for cell in cells if cell is not None] or None
    pattern = BRACES.sub("%s", source.replace("%", "%%"))

    def fill(cells: Sequence[Any]) -> str | None:
        written = tuple(map(_written, cells))
        return None if None in written else pattern % written

    return fill


def _written(cell: Any) -> str | None:
    """A cell as a part of a path: whole numbers without the ".0" that gaps in a column bring."""
    if cell is None:
        return None
    return f"{cell:.0f}" if isinstance(cell, float) and cell.is_integer() else str(cell)
