"""Media paths of a table that moves to another folder: they name the same files from there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from polymodal.data.media import MEDIA_ENDINGS, as_list, ending, is_wrapped
from polymodal.data.modalities import MODALITIES
from polymodal.data.schema import Schema
from polymodal.data.table import Table

LOOKED_AT = 50


class Move(NamedTuple):
    """Which columns' paths get what in front.

    Args:
        columns: the columns that hold paths.
        prefix: the way from the new folder to the old one, with a slash at its end; "" where the
            table stays in its folder.
    """

    columns: tuple[str, ...]
    prefix: str

    def there(self, cell: Any) -> Any:
        """A cell as it is to be read from the new folder."""
        return _each_path(cell, self._put) if self.prefix else cell

    def back(self, cell: Any) -> Any:
        """A cell as it was."""
        return _each_path(cell, lambda path: path.removeprefix(self.prefix))

    def _put(self, path: str) -> str:
        whole = "://" not in path and not os.path.isabs(path) and ending(path.split("#")[0])
        return self.prefix + path if whole else path


def find_move(table: Table, schema: Schema, folder: Path) -> Move:
    """What a table's paths need when it is written into a folder."""
    old, new = table.folder.resolve(), folder.resolve()
    if old == new:
        return Move((), "")
    try:
        prefix = Path(os.path.relpath(old, new)).as_posix() + "/"
    except ValueError:  # on another drive
        prefix = old.as_posix() + "/"
    names = [name for name in table.names if _holds_paths(table, schema, name)]
    return Move(tuple(names), prefix)


def _holds_paths(table: Table, schema: Schema, column: str) -> bool:
    """Whether a column is of a media modality, or all of its first cells are media files."""
    modality = MODALITIES.get(schema[column].modality)
    if modality is not None and modality.media:
        return True
    cells = [cell for cell in table.cells(column, range(min(LOOKED_AT, len(table)))) if cell]
    return bool(cells) and all(
        isinstance(cell, str) and ending(cell) in MEDIA_ENDINGS and (table.folder / cell).is_file()
        for cell in cells
    )


def _each_path(cell: Any, move: Callable[[str], str]) -> Any:
    """A cell with each path that it names changed."""
    if is_wrapped(cell) and isinstance(cell.get("path"), str) and not cell.get("bytes"):
        return {**cell, "path": move(cell["path"])}
    if isinstance(cell, list):
        return [_each_path(part, move) for part in cell]
    if not isinstance(cell, str):
        return cell
    parts = as_list(cell)
    if parts is None:
        return move(cell)
    after = [_each_path(part, move) for part in parts]
    return cell if after == parts else json.dumps(after, ensure_ascii=False)
