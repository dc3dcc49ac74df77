"""A cleaned table and its record make the table that was cleaned."""

from __future__ import annotations

from pathlib import Path

from polymodal.errors import PolymodalError, TableError
from polymodal.files import write_file
from polymodal.repairs.arrow_rows import as_file, original, read_arrow
from polymodal.repairs.record import Record, digest, read_record
from polymodal.repairs.written_rows import WrittenRows


def undo(record: Path | str, cleaned: Path | str, out: Path | str) -> Path:
    """Undo all repairs of a table.

    A CSV, TSV or JSONL file is the original one to the byte; another table holds the same cells.
    Relative media paths start again from the folder where the table was: write it there.

    Args:
        record: the ``repairs.jsonl`` that was written with the cleaned table.
        cleaned: the cleaned table.
        out: where the original table is written; the file must not exist.

    Returns:
        the path that was written.

    Raises:
        PolymodalError: the cleaned table is not the one of the record, or has changed since.
        TableError: ``out`` exists, or has another ending than the original.
    """
    record, cleaned, out = Path(record), Path(cleaned), Path(out)
    known = read_record(record)
    if not cleaned.is_file():
        raise PolymodalError(f"There is no cleaned table {cleaned}.")
    if digest(cleaned) != known.cleaned_digest:
        raise PolymodalError(
            f"{cleaned} is not the table that {record} belongs to ({known.cleaned!r}), or was "
            "changed since. The table that was cleaned was never touched: use that."
        )
    if out.exists():
        raise TableError(f"{out} exists already: name another file.")
    if not out.parent.is_dir():
        raise TableError(f"There is no folder {out.parent}.")
    wanted = Path(known.source).suffix.lower() or cleaned.suffix.lower()
    if out.suffix.lower() != wanted:
        raise TableError(f"{out.name!r} must end in {wanted!r}, as the original did.")
    content = undone(known, cleaned, ending=out.suffix)
    if known.kind != "arrow" and digest(content) != known.source_digest:
        raise PolymodalError(f"{record} does not hold all that is needed: it was changed.")
    write_file(out, content)
    return out


def undone(record: Record, cleaned: Path, *, ending: str) -> bytes:
    """The bytes of the original table."""
    if record.kind == "arrow":
        assert record.originals is not None
        schema = record.originals.schema
        return as_file(original(read_arrow(cleaned), schema, record), ending)
    written, gone = WrittenRows.read(cleaned), set(record.dropped)
    left = iter(written.rows)
    rows = []
    for row in range(record.rows):
        line = None if row in gone else next(left)
        if row in record.lines:
            rows.append(record.lines[row])
        else:
            assert line is not None
            rows.append(as_it_was(written, line, record))
    return written.content(rows, head=record.head)


def as_it_was(written: WrittenRows, line: str, record: Record) -> str:
    """A row without what was added to it, its paths as they were."""
    line = written.without(line, record.added)
    if record.move.columns:
        line = written.moved(line, record.move.columns, record.move.back)
    return line
