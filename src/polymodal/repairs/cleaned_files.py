"""The cleaned table and its record, written so that a kill at any instant loses nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from polymodal.data.readers import TABLE_ENDINGS
from polymodal.errors import PolymodalError, TableError
from polymodal.files import write_file
from polymodal.repairs.arrow_rows import (
    as_arrow,
    as_file,
    differing,
    original,
    read_arrow,
    repaired,
)
from polymodal.repairs.draft import Draft
from polymodal.repairs.moved_media import find_move
from polymodal.repairs.record import RECORD, Record, digest, read_record
from polymodal.repairs.undo import as_it_was
from polymodal.repairs.written_rows import TEXT_TABLES, WrittenRows


def output_for(out: Path | str, source: Path | None) -> Path:
    """The file to write: ``out``, or in a folder ``out`` one named as the table was.

    Raises:
        TableError: it is the table itself, or its ending is not that of a table.
    """
    place = Path(out)
    if place.suffix.lower() not in TABLE_ENDINGS:
        if place.suffix and not place.is_dir():
            known = ", ".join(TABLE_ENDINGS)
            raise TableError(f"{place.name!r} has no ending of a table ({known}), nor is a folder.")
        place = place / (source.name if source is not None else "table.parquet")
    if source is not None and place.exists() and place.samefile(source):
        raise TableError(f"{place} is the table itself, which is never overwritten: name another.")
    return place


def check_free(out: Path, options: dict[str, Any], source: Path | None, *, overwrite: bool) -> None:
    """Refuse to write over what is not the result of the same cleaning.

    Raises:
        TableError: something else is there.
    """
    path = out.parent / RECORD
    if overwrite or not (out.exists() or path.exists()):
        return
    known = None
    if path.exists():
        try:
            known = read_record(path)
        except PolymodalError:
            known = None
    same = known is not None and source is not None and known.cleaned == out.name
    same = same and known is not None and known.options == options
    if not (same and known is not None and known.source_digest == digest(source or b"")):
        there = out if out.exists() else path
        raise TableError(f"{there} exists already: name another place, or say --overwrite.")


def write_cleaned(
    draft: Draft, out: Path, source: Path | None, *, options: dict[str, Any]
) -> Record:
    """Write the record and then the table, each as one whole step.

    Args:
        draft: the repairs.
        out: where the table is written; the record goes beside it.
        source: the file that was cleaned; None where it was no single one.
        options: what the record keeps of the options.
    """
    record = Record(
        kind="arrow",
        source="" if source is None else source.name,
        cleaned=out.name,
        source_digest="" if source is None else digest(source),
        cleaned_digest="",
        rows=len(draft.table),
        options=options,
        move=find_move(draft.table, draft.schema, out.parent),
        added=list(draft.added),
        dropped=sorted(draft.dropped),
        repairs=draft.repairs,
    )
    content = None
    kind = TEXT_TABLES.get(out.suffix.lower())
    if source is not None and kind is not None and source.suffix.lower() == out.suffix.lower():
        written = WrittenRows.read(source)
        same = written.kind == "jsonl" or written.names == draft.table.names
        if same and len(written.rows) == len(draft.table):
            record.kind = kind
            content = _text(draft, written, record)
    if content is None:
        content = _arrow(draft, out, source, record)
    record.cleaned_digest = digest(content)
    write_file(out.parent / RECORD, record.text())
    write_file(out, content)
    return record


def _text(draft: Draft, written: WrittenRows, record: Record) -> bytes:
    """Rows as they were written, but for what was repaired."""
    record.head = written.head
    rows = []
    for row, line in enumerate(written.rows):
        if row in draft.dropped:
            record.lines[row] = line
            continue
        cells = {name: held[row] for name, held in draft.changed.items() if row in held}
        after = line
        if record.move.columns:
            after = written.moved(after, record.move.columns, record.move.there)
        if cells or draft.added:
            added: Sequence[Any] = [held[row] for held in draft.added.values()]
            if written.kind == "jsonl":
                added = list(zip(draft.added, added, strict=True))
            after = written.changed(after, cells, added)
        if as_it_was(written, after, record) != line:
            record.lines[row] = line
        rows.append(after)
    return written.content(rows, head=written.named(list(draft.added)))


def _arrow(draft: Draft, out: Path, source: Path | None, record: Record) -> bytes:
    """A typed table; the record keeps each row that could not be told from what is written."""
    whole = as_arrow(draft.table, source)
    content = as_file(repaired(whole, draft, record.move), out.suffix)
    with tempfile.TemporaryDirectory(prefix="polymodal-") as folder:
        place = Path(folder) / out.name
        place.write_bytes(content)
        again = read_arrow(place)
    record.original_rows = record.dropped
    record.originals = whole.take(pa.array(record.dropped, pa.int64()))
    told = original(again, whole.schema, record)
    record.original_rows = sorted({*record.dropped, *differing(told, whole)})
    record.originals = whole.take(pa.array(record.original_rows, pa.int64()))
    return content
