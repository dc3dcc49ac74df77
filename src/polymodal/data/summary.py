"""What a column holds, in little: enough to tell what it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from polymodal.data.media import is_missing

if TYPE_CHECKING:
    import pyarrow as pa

Column: TypeAlias = "pa.ChunkedArray | list[Any]"
SAMPLE = 1000
MOST_COUNTED = 5000


@dataclass(frozen=True)
class ColumnSummary:
    """What a column holds, in little: enough to recognise its modality.

    Args:
        name: the column's name.
        rows: rows of the table.
        missing: rows without a value.
        distinct: distinct values among those present.
        sample: up to 1,000 present cells, evenly spread.
        counts: how often each value occurs, the most frequent first; None where the values
            cannot be compared (arrays) or more than 5,000 differ.
    """

    name: str
    rows: int
    missing: int
    distinct: int
    sample: list[Any]
    counts: dict[Any, int] | None

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing


def summarise(name: str, column: Column) -> ColumnSummary:
    """What a column holds, in little.

    Args:
        name: the column's name.
        column: its cells.
    """
    import pyarrow as pa
    from pyarrow import compute as pc

    if isinstance(column, list) or not _is_countable(column.type):
        cells = column if isinstance(column, list) else column.to_pylist()
        return _summarise_objects(name, cells)
    rows, kind = len(column), column.type
    if pa.types.is_floating(kind):
        column = pc.if_else(pc.is_nan(column), None, column)
    present = column.drop_null()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        present = present.filter(pc.not_equal(pc.utf8_trim_whitespace(present), ""))
    sample = present.take(pa.array(_spread(len(present)))).to_pylist()
    missing = rows - len(present)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        heads = [_head(cell) for cell in sample]
        return ColumnSummary(name, rows, missing, len(present), heads, None)
    distinct = pc.count_distinct(present).as_py()
    counts = None
    if distinct <= MOST_COUNTED:
        pairs = [(p["values"], p["counts"]) for p in pc.value_counts(present).to_pylist()]
        counts = _most_frequent_first(dict(pairs))
    return ColumnSummary(name, rows, missing, distinct, sample, counts)


def name_parts(name: str) -> list[str]:
    """The words of a column's name, in lower case.

    >>> name_parts("patientID_2"), name_parts("zip code")
    (['patient', 'id', '2'], ['zip', 'code'])
    """
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [part for part in re.split(r"[\W_]+", spaced.lower()) if part]


def _summarise_objects(name: str, cells: list[Any]) -> ColumnSummary:
    present = [cell for cell in cells if not is_missing(cell)]
    try:
        tally = Counter(present)
    except TypeError:  # lists, dictionaries, arrays
        tally = None
    distinct = len(present) if tally is None else len(tally)
    few = tally is not None and distinct <= MOST_COUNTED
    sample = [_head(present[i]) for i in _spread(len(present))]
    return ColumnSummary(
        name,
        len(cells),
        len(cells) - len(present),
        distinct,
        sample,
        _most_frequent_first(tally) if few and tally is not None else None,
    )


def _most_frequent_first(counts: Mapping[Any, int]) -> dict[Any, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0]))))


def _spread(rows: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(rows - 1, 0), min(rows, SAMPLE)).astype(np.int64))


def _head(cell: Any) -> Any:
    """A cell of bytes without most of its bytes: its start tells what it is."""
    if isinstance(cell, bytes):
        return cell[:64]
    if isinstance(cell, Mapping) and isinstance(cell.get("bytes"), bytes):
        return {**cell, "bytes": cell["bytes"][:64]}
    return cell


def _is_countable(kind: pa.DataType) -> bool:
    """Whether Arrow itself can count the values of a type."""
    import pyarrow as pa

    return not (pa.types.is_nested(kind) or pa.types.is_null(kind))
