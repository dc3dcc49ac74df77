"""From rows to the tensors that an exported network takes, by NumPy.

Letters: B rows · T tokens or frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from polymodal.data.media import is_missing, located
from polymodal.data.modalities import Modality
from polymodal.data.views import columns_named, filling
from polymodal.errors import CellError, NothingThere, SchemaError, TableError, nearest
from polymodal.onnx_runner.description import Column

Broken = Literal["treat_as_missing", "error"]


class Cells(NamedTuple):
    """The decoded cells of a column.

    Args:
        arrays: one for each row; None where the row has no cell.
        broken: row -> what is wrong with its cell.
    """

    arrays: list[np.ndarray | None]
    broken: dict[int, str]


class InputColumn:
    """Decodes the cells of an input column, and brings them into one form.

    Args:
        column: as the model's description has it.
    """

    def __init__(self, column: Column) -> None:
        self.name, self.column = column.name, column
        self.modality: Modality = column.built()
        self._source = column.source or column.name
        self._named = columns_named(self._source)
        self._fill = filling(self._source)

    def _cells(self, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """The cell of each row; None where it has none."""
        found = []
        for row in rows:
            # A column that is made of others may be given as well as they.
            names = [self.name] if self.name in row else self._named
            parts = [None if is_missing(row.get(name)) else row[name] for name in names]
            found.append(parts[0] if len(names) == 1 else self._fill(parts))
        return found

    def check_known(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Refuse rows none of which has the column, while they have others that are not known."""
        known = {self.name, *self._named}
        if rows and not any(known & row.keys() for row in rows):
            given = {name for row in rows for name in row}
            close = nearest(self.name, given)
            if close.startswith("Did you mean"):
                raise TableError(f"The rows have no {self.name!r}, which the model reads. {close}")

    def decode(
        self, rows: Sequence[Mapping[str, Any]], *, folder: Path, broken: Broken, first: int
    ) -> Cells:
        """Decode the column's cells.

        Args:
            rows: column -> cell.
            folder: where relative paths start.
            broken: what to do with a cell that cannot be used.
            first: number of the first row, for messages.

        Raises:
            SchemaError: a cell is broken, and ``broken`` is "error".
        """
        arrays: list[np.ndarray | None] = []
        amiss: dict[int, str] = {}
        for row, cell in enumerate(self._cells(rows)):
            array = None
            if cell is not None:
                try:
                    whole = located(cell, folder) if self.modality.media else cell
                    array = self._cut(self.modality.decode(whole))
                except CellError as error:
                    if broken == "error" and not isinstance(error, NothingThere):
                        raise SchemaError(
                            f"Column {self.name!r}, row {first + row}: {error} (cell: "
                            f"{repr(cell)[:80]}). Mend the cell, or leave it out."
                        ) from error
                    amiss[row] = str(error)
            arrays.append(array)
        return Cells(arrays, amiss)

    def tensors(self, arrays: Sequence[np.ndarray | None]) -> dict[str, np.ndarray]:
        """The tensors of some rows, by their names in the model.

        Args:
            arrays: what :meth:`decode` gave.
        """
        blank = self.modality.blank()
        present = np.array([array is not None for array in arrays])
        filled = [blank if array is None else array for array in arrays]
        made = {"present": present}
        if self.modality.ragged:
            lengths = np.array([len(array) for array in filled])
            longest = max(int(lengths.max()), self.column.shortest)
            values = np.zeros((len(filled), longest, *blank.shape[1:]), blank.dtype)
            for place, array in zip(values, filled, strict=True):
                place[: len(array)] = array
            made["mask"] = np.arange(longest) < lengths[:, None]  # (B, T)
        else:
            values = np.stack(filled)
        if self.modality.axes is not None:
            values = values.transpose(self.modality.axes)
        made["values"] = np.ascontiguousarray(values)
        return {spec.name: made[part] for part, spec in self.column.tensors.items()}

    def _cut(self, array: np.ndarray) -> np.ndarray:
        most = self.modality.max_length if self.modality.ragged else None
        return array if most is None or len(array) <= most else self.modality.cut(array)
