"""Tables for others: WebDataset archives, and the library `datasets`."""

from __future__ import annotations

import io
import json
import tarfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.media import (
    AUDIO_ENDINGS,
    IMAGE_ENDINGS,
    MEDIA_ENDINGS,
    ending,
    read_bytes,
    unwrapped,
    what_is,
)
from polymodal.data.table import Table
from polymodal.errors import CellError, MissingExtra, TableError
from polymodal.files import write_file

ROWS_PER_ARCHIVE = 1000
ENDINGS_OF = {"an image": ".jpg", "a sound": ".wav", "a video": ".mp4"}


def write_webdataset(table: Table, folder: Path, *, rows: int = ROWS_PER_ARCHIVE) -> list[Path]:
    """Write a table as tar archives of the WebDataset layout.

    A media cell is the file ``000042.photo.jpg`` (row 42, column "photo"); all other cells of the
    row are in ``000042.json``. A media cell that cannot be read is left out: it is missing there.

    Args:
        table: the table.
        folder: where ``000000.tar``, ``000001.tar`` … are written.
        rows: of one archive.

    Raises:
        TableError: a cell can be written neither as a file nor as JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, start in enumerate(range(0, len(table), rows)):
        part = table.slice(start, start + rows)
        path = folder / f"{number:06d}.tar"
        write_file(path, partial(_write, part, start))
        written.append(path)
    return written


def to_datasets(table: Table) -> Any:
    """The table as a ``datasets.Dataset``; media columns hold bytes, and are not decoded.

    Raises:
        MissingExtra: `datasets` is not installed.
    """
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "datasets") from error
    columns: dict[str, Any] = {}
    kinds = {}
    for name in table.names:
        cells = table.cells(name)
        kind = _media_kind(cells)
        if kind is not None:
            kinds[name] = datasets.Image if kind is IMAGE_ENDINGS else datasets.Audio
            cells = [None if cell is None else _wrapped(table, cell) for cell in cells]
        columns[name] = cells
    found = datasets.Dataset.from_dict(columns)
    for name, feature in kinds.items():
        found = found.cast_column(name, feature(decode=False))
    return found


def save_datasets(table: Table, folder: Path) -> None:
    """Write the table as ``datasets.load_from_disk`` reads it."""
    to_datasets(table).save_to_disk(str(folder))


def _write(table: Table, start: int, place: Path) -> None:
    columns = {name: table.cells(name) for name in table.names}
    with tarfile.open(place, "w") as archive:
        for row in range(len(table)):
            key, plain = f"{start + row:06d}", dict[str, Any]()
            for name, cells in columns.items():
                cell = cells[row]
                media = _file(table, cell)
                if media is not None:
                    _add(archive, f"{key}.{name.replace('.', '_')}{media[0]}", media[1])
                elif cell is None or not _is_media(cell):
                    plain[name] = cell
            try:
                said = json.dumps(plain, ensure_ascii=False, default=_plain)
            except TypeError as error:
                raise TableError(f"Row {start + row} cannot be written as JSON: {error}") from error
            _add(archive, f"{key}.json", said.encode())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _is_media(cell: Any) -> bool:
    cell = unwrapped(cell)
    return isinstance(cell, bytes) or ending(cell) in MEDIA_ENDINGS


def _file(table: Table, cell: Any) -> tuple[str, bytes] | None:
    """Ending and content of a media cell; None for other cells, and for what cannot be read."""
    if cell is None or not _is_media(cell):
        return None
    try:
        content = read_bytes(table.media(cell))
    except CellError:
        return None
    named = ending(unwrapped(cell))
    return named or ENDINGS_OF.get(what_is(content), ".bin"), content


def _media_kind(cells: list[Any]) -> set[str] | None:
    """Whether `datasets` has a kind of column for these cells."""
    first = next((cell for cell in cells if cell is not None), None)
    first = unwrapped(first)
    for endings, said in ((IMAGE_ENDINGS, "an image"), (AUDIO_ENDINGS, "a sound")):
        if ending(first) in endings or (isinstance(first, bytes) and what_is(first) == said):
            return endings
    return None


def _wrapped(table: Table, cell: Any) -> dict[str, Any] | None:
    found = _file(table, cell)
    path = unwrapped(cell)
    name = Path(path).name if isinstance(path, str | Path) else None
    return None if found is None else {"bytes": found[1], "path": name}


def _plain(value: Any) -> Any:
    """What JSON lacks: NumPy's numbers and arrays, dates."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} {str(value)[:40]!r}")
