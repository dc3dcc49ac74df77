"""A table with its media and their packs in one folder, to be carried elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from polymodal.data.arrays import ADDRESS
from polymodal.data.findings import Finding
from polymodal.data.kept_packs import PORTABLE, KeptPacks, free_bytes
from polymodal.data.media import as_list, is_wrapped, unwrapped
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.errors import RunError, TableError
from polymodal.files import write_file
from polymodal.preparation import chosen_targets, dataset_of, learned
from polymodal.recipe import Recipe

TABLE, MEDIA, PACKS = "table.parquet", "media", "packs"
OURS = {TABLE, MEDIA, PACKS, PORTABLE}
SAID = (
    "A table (table.parquet) with its media (media/) and what they decode to (packs/), made by\n"
    "polymodal pack. Give the folder to polymodal train or compare as their table. Do not edit\n"
    "files in it: pack the table anew.\n"
)


@dataclass(frozen=True)
class PortablePack:
    """What was packed.

    Args:
        folder: where it is.
        rows: of the table.
        findings: cells that could not be used.
        size: bytes of the whole folder.
    """

    folder: Path
    rows: int
    findings: list[Finding]
    size: int


def pack_table(
    data: Any,
    out: Path | str,
    target: str | Sequence[str] | None = None,
    *,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    advance: Callable[[int, int], None] = lambda done, total: None,
) -> PortablePack:
    """Copy a table's media into a folder, and decode them there once.

    The folder can be copied to another machine; ``fit`` and ``polymodal train`` take it as their
    table and decode nothing that they find there. A call that was killed goes on where it was.

    Args:
        data: a table as :meth:`Table.read` takes it.
        out: the folder.
        target: the column or columns that will be predicted; media are then decoded exactly as
            that training will. None learns sizes from all rows.
        recipe: what differs from the defaults, as in training.
        advance: is told how many of how many cells are done.

    Raises:
        RunError: ``out`` holds something else, or its disk is too small.
        TableError: the table cannot be read, or holds objects that no file can hold.
    """
    out, loaded = Path(out).absolute(), Recipe.load(recipe)
    _check_folder(out)
    table = Table.read(data)
    dataset = dataset_of(loaded, table, chosen_targets(loaded, target))
    modalities, schema = learned(loaded, dataset), dataset.schema
    media = [n for n in table.names if n in modalities and modalities[n].media]
    parents = {schema[n].source for n in modalities if modalities[n].media and n not in media}
    (out / MEDIA).mkdir(parents=True, exist_ok=True)
    carried = _Carrier(table, out).carried([*media, *(p for p in parents if p in table.columns)])
    write_file(out / TABLE, lambda path: parquet.write_table(carried, path))
    here = Table.read(out / TABLE).with_views(schema.sources)
    chosen = {name: modality for name, modality in modalities.items() if modality.media}
    done, total = 0, len(here) * max(len(chosen), 1)

    def count(cells: int) -> None:
        nonlocal done
        done += cells
        advance(done, total)

    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=out) as private:
        packs = KeptPacks(out / PACKS, private=Path(private), portable=True, tell=problems.append)
        workers = loaded.data.workers
        packed = pack(
            here,
            chosen,
            directory=packs,
            workers=(os.cpu_count() or 1) if workers == "auto" else workers,
            advance=count,
        )
    if problems:
        raise RunError(f"{str(out)!r} could not be packed: {'; '.join(problems)}.")
    write_file(out / PORTABLE, SAID)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    return PortablePack(out, len(here), packed.findings, size)


def _check_folder(out: Path) -> None:
    names = {path.name for path in out.iterdir()} if out.is_dir() else set()
    foreign = sorted(name for name in names - OURS if not name.startswith("."))
    if foreign or (out.exists() and not out.is_dir()):
        raise RunError(
            f"{str(out)!r} holds {foreign[0] if foreign else 'a file'!r}, which is no part of a "
            "pack: choose a folder that is new or empty."
        )


class _Carrier:
    """Copies media into a folder, and writes the table with their new places."""

    def __init__(self, table: Table, out: Path) -> None:
        self.table, self.out = table, out
        self.places: dict[str, str] = {}
        self.copied = 0

    def carried(self, media: Sequence[str]) -> pa.Table:
        """The table, its media paths relative to the folder."""
        columns = {}
        for name in self.table.names:
            column: Any = self.table.columns[name]
            if name in media:
                column = [self._cell(cell) for cell in self.table.cells(name)]
            try:
                columns[name] = pa.array(column) if isinstance(column, list) else column
            except (pa.ArrowException, TypeError, ValueError) as error:
                raise TableError(
                    f"Column {name!r} holds objects that exist in memory only: save them as files, "
                    "and put the files' paths into the table."
                ) from error
        return pa.table(columns)

    def _cell(self, cell: Any) -> Any:
        parts = as_list(cell)
        if parts is not None:
            return [self._cell(part) for part in parts]
        if is_wrapped(cell):
            cell = unwrapped(cell)
        return self._place(cell) if isinstance(cell, str | Path) else cell

    def _place(self, cell: str | Path) -> str:
        """Where a file lies in the folder; the cell as it was where there is no such file."""
        path = str(self.table.media(str(cell)))
        address = ADDRESS.fullmatch(path)
        file = Path(address[1] if address else path)
        try:
            found = file.stat()
        except (OSError, ValueError):
            return str(cell)
        if str(file) not in self.places:
            known = repr((str(file), found.st_size, found.st_mtime_ns)).encode()
            digest = hashlib.blake2b(known, digest_size=12).hexdigest()
            place = f"{MEDIA}/{digest[:2]}/{digest}{file.suffix.lower()}"
            self._copy(file, self.out / place, found.st_size)
            self.places[str(file)] = place
        return self.places[str(file)] + path[len(str(file)) :]

    def _copy(self, file: Path, place: Path, size: int) -> None:
        if place.exists() and place.stat().st_size == size:
            return
        if size > (free := free_bytes(self.out)):
            raise RunError(
                f"The media do not fit into {str(self.out)!r}: {size / 1e6:,.1f} MB more are "
                f"needed and {free / 1e6:,.1f} MB are free, after {self.copied / 1e6:,.1f} MB."
            )
        place.parent.mkdir(exist_ok=True)
        write_file(place, lambda path: shutil.copyfile(file, path))
        self.copied += size
