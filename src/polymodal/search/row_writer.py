"""Rows of a table put into a search index, a thousand at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from polymodal.countdown import TellStage
from polymodal.data.table import Table
from polymodal.errors import TableError, nearest
from polymodal.evaluation.thumbnails import PICTURED, thumbnails
from polymodal.predictor import Predictor
from polymodal.search.about import About
from polymodal.search.stored_rows import (
    DIGEST,
    THUMBNAIL,
    digests_of,
    keys_of,
    own_cells,
    vector_array,
)
from polymodal.search.vector_table import KEY, VectorTable

ROWS_AT_ONCE = 1024
log = logging.getLogger("polymodal")


@dataclass(frozen=True)
class Added:
    """What became of the rows that were handed to an index.

    Args:
        added: new ones.
        updated: whose key was there with other content.
        unchanged: that were there already.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0


class RowWriter:
    """Embeds rows and writes them; what is written stays, whatever happens to the next ones.

    Args:
        about: what the index says of itself.
        rows: where they go.
        predictor: the model.
    """

    def __init__(self, about: About, rows: VectorTable, predictor: Predictor) -> None:
        self.about, self.rows, self.predictor = about, rows, predictor
        self.types = {name: rows.schema.field(name).type for name in about.layout.fields.values()}

    def put(self, table: Table, tell: TellStage) -> Added:
        """Add rows, and replace those whose key is there with other content.

        Args:
            table: the rows.
            tell: is told how many were written, when they were.

        Raises:
            TableError: a column is missing, of another type, or keys are not keys.
        """
        self._check(table)
        keys, digests = keys_of(table, self.about.layout.key), digests_of(table)
        counts = np.zeros(3, np.int64)
        for start in range(0, len(table), ROWS_AT_ONCE):
            stop = min(start + ROWS_AT_ONCE, len(table))
            known = self._known(keys[start:stop])
            fresh = [row for row in range(start, stop) if known.get(keys[row]) != digests[row]]
            updated = sum(keys[row] in known for row in fresh)
            if fresh:
                marks = [(keys[row], digests[row]) for row in fresh]
                self.rows.put(self._stored(table.take(np.array(fresh)), marks))
            counts += (len(fresh) - updated, updated, stop - start - len(fresh))
            tell("indexing", stop, len(table))
        return Added(*counts.tolist())

    def _known(self, keys: Sequence[str]) -> dict[str, str]:
        """Keys that are there -> digest of the row."""
        there = self.rows.take(keys, [DIGEST])
        return dict(zip(there[KEY].to_pylist(), there[DIGEST].to_pylist(), strict=True))

    def _stored(self, rows: Table, marks: Sequence[tuple[str, str]]) -> pa.Table:
        """Rows as they are kept: embedded, with thumbnails."""
        layout, modalities = self.about.layout, self.predictor.run.modalities
        arrays = {
            KEY: pa.array([key for key, _ in marks], pa.string()),
            DIGEST: pa.array([digest for _, digest in marks], pa.string()),
        }
        for name, field in layout.fields.items():
            arrays[field] = self._cells(rows, name, self.types[field])
        pictured = [n for n in self.predictor.inputs if modalities[n].name in PICTURED]
        pictures = thumbnails(self._viewed(rows), pictured, modalities)
        arrays[THUMBNAIL] = pa.array(pictures, pa.binary())
        for name, field in layout.vectors.items():
            arrays[field] = vector_array(
                self.predictor.embed(rows, name or None, dims=self.about.dims)
            )
        return pa.table(arrays, schema=layout.schema(self.types))

    def _viewed(self, rows: Table) -> Table:
        """The rows with the columns that the model reads under another name."""
        sources = self.predictor.run.schema.sources
        return rows.with_views({n: s for n, s in sources.items() if n not in rows.names})

    def _cells(self, rows: Table, name: str, kind: pa.DataType) -> pa.Array:
        """A column as it is kept; paths of another folder than the first table's made absolute."""
        cells = own_cells(rows, name, kind)
        modality = self.predictor.run.modalities.get(name)
        if modality is None or not modality.media or rows.folder == Path(self.about.folder):
            return cells
        made = [None if c is None else _anchored(c, rows) for c in cells.to_pylist()]
        return pa.array(made, kind)

    def _check(self, table: Table) -> None:
        fields = self.about.layout.fields
        lacking = [name for name in fields if name not in table.names]
        if lacking:
            raise TableError(
                f"{table.source} has no column {lacking[0]!r}, which the index has. "
                f"{nearest(lacking[0], table.names)} If it is not known for these rows, add it "
                "empty."
            )
        further = [name for name in table.names if name not in fields]
        if further:
            log.warning(
                "%s has columns that the index has not: %s; they are not kept. To keep them, "
                "make the index anew (--replace).",
                table.source, ", ".join(further),
            )  # fmt: skip


def field_types(table: Table, fields: Mapping[str, str]) -> dict[str, pa.DataType]:
    """The type of each field of the index, as a table's own columns have it."""
    return {field: own_cells(table, name).type for name, field in fields.items()}


def _anchored(cell: object, rows: Table) -> object:
    return str(rows.media(cell)) if isinstance(cell, str) and not cell.startswith("[") else cell
