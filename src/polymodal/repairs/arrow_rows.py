"""Tables with types (Parquet, data frames): written, and put back together when undone."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polymodal.data.readers import TABLE_ENDINGS
from polymodal.data.summary import Column
from polymodal.data.table import Table
from polymodal.errors import TableError
from polymodal.repairs.draft import Draft
from polymodal.repairs.moved_media import Move
from polymodal.repairs.record import Record, json_line
from polymodal.repairs.written_rows import written_cell


def as_arrow(table: Table, place: Path | None) -> pa.Table:
    """A table as Arrow; a Parquet file exactly as it is.

    Raises:
        TableError: a column holds objects that no table file can hold.
    """
    if place is not None and TABLE_ENDINGS.get(place.suffix.lower()) == "parquet":
        from pyarrow import parquet

        return parquet.ParquetFile(place, memory_map=True).read()
    return pa.table({name: _array(name, column) for name, column in table.columns.items()})


def repaired(whole: pa.Table, draft: Draft, move: Move) -> pa.Table:
    """The table with the changes of a draft."""
    for name in {*draft.changed, *move.columns} & set(whole.column_names):
        cells = whole.column(name).to_pylist()
        if name in move.columns:
            cells = [move.there(cell) for cell in cells]
        for row, cell in draft.changed.get(name, {}).items():
            cells[row] = cell
        place = whole.column_names.index(name)
        whole = whole.set_column(place, name, _typed(cells, whole.column(name).type))
    for name, cells in draft.added.items():
        whole = whole.append_column(name, pa.array(cells))
    return whole.take(pa.array(draft.kept(), pa.int64()))


def original(cleaned: pa.Table, schema: pa.Schema, record: Record) -> pa.Table:
    """The table as it was, from the cleaned one and the record of its repairs."""
    known = cleaned.drop_columns(record.added)
    columns = []
    for part in schema:
        column = known.column(part.name) if part.name in known.column_names else None
        cells = [None] * len(cleaned) if column is None else column.to_pylist()
        if part.name in record.move.columns:
            cells = [record.move.back(cell) for cell in cells]
        elif column is not None and column.type == part.type:
            columns.append(column)
            continue
        columns.append(pa.chunked_array([_forced(cells, part.type)]))
    whole = pa.table(columns, schema=schema)
    gone = set(record.dropped)
    kept = [row for row in range(record.rows) if row not in gone]
    place = np.zeros(record.rows, np.int64)
    place[kept] = np.arange(len(kept))
    if record.originals is not None and record.original_rows:
        place[record.original_rows] = len(kept) + np.arange(len(record.original_rows))
        whole = pa.concat_tables([whole, record.originals.cast(schema)])
    return whole.take(pa.array(place, pa.int64())).replace_schema_metadata(schema.metadata)


def differing(one: pa.Table, other: pa.Table) -> list[int]:
    """Rows in which two tables of one schema differ."""
    rows: set[int] = set()
    for name in one.column_names:
        first, second = one.column(name), other.column(name)
        if not first.equals(second):
            pairs = zip(first.to_pylist(), second.to_pylist(), strict=True)
            rows.update(row for row, (a, b) in enumerate(pairs) if repr(a) != repr(b))
    return sorted(rows)


def as_file(table: pa.Table, ending: str) -> bytes:
    """The bytes of a table file of this ending."""
    kind = TABLE_ENDINGS[ending.lower()]
    if kind == "parquet":
        from pyarrow import parquet

        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink)
        return sink.getvalue().to_pybytes()
    if kind in ("csv", "tsv"):
        text = io.StringIO()
        writer = csv.writer(text, delimiter="," if kind == "csv" else "\t", lineterminator="\n")
        writer.writerow(table.column_names)
        for row in table.to_pylist():
            writer.writerow([written_cell(cell) for cell in row.values()])
        return text.getvalue().encode()
    rows = [{name: _json(cell) for name, cell in row.items()} for row in table.to_pylist()]
    if kind == "json":
        return (json.dumps(rows, ensure_ascii=False, indent=1) + "\n").encode()
    return "".join(map(json_line, rows)).encode()


def read_arrow(place: Path) -> pa.Table:
    """The table that :func:`as_file` wrote."""
    return as_arrow(Table.read(place), place)


def _array(name: str, column: Column) -> pa.Array | pa.ChunkedArray:
    if not isinstance(column, list):
        return column
    try:
        return pa.array(column)
    except (pa.ArrowException, TypeError) as error:
        raise TableError(
            f"Column {name!r} holds objects that no table file holds ({error}). Call clean "
            "without an output, and use what it returns."
        ) from error


def _typed(cells: list[Any], kind: pa.DataType) -> pa.Array:
    """Cells of the type that the column had, or of another where they no longer fit."""
    try:
        return pa.array(cells, type=kind)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        pass
    try:
        return pa.array(cells)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):  # of several types
        return pa.array([None if cell is None else written_cell(cell) for cell in cells])


def _forced(cells: list[Any], kind: pa.DataType) -> pa.Array:
    """Cells of a type; missing where they do not fit (the record holds these rows)."""
    try:
        return pa.array(cells, type=kind)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return pa.array([_fitting(cell, kind) for cell in cells], type=kind)


def _fitting(cell: Any, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(cell, type=kind).as_py()
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return None


def _json(cell: Any) -> Any:
    if isinstance(cell, bytes):
        raise TableError("A column holds bytes, which only Parquet keeps: name an output .parquet.")
    if cell is None or isinstance(cell, str | bool | int | float | list | dict):
        return cell
    return str(cell)
