"""``repairs.jsonl``: every change with its reason, and what is needed to undo it to the letter."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Any

import pyarrow as pa

from polymodal.errors import PolymodalError
from polymodal.repairs.draft import Repair
from polymodal.repairs.moved_media import Move

RECORD = "repairs.jsonl"
LONGEST_TOLD = 10_000
STAYS = Move((), "")


@dataclass
class Record:
    """What was done to a table.

    Args:
        kind: csv, jsonl (rows as they are written) or arrow.
        source: the name of the table as it was; "" for one that was no single file.
        cleaned: the name of the table as it is.
        source_digest: SHA-256 of the file as it was; "" for one that was no single file.
        cleaned_digest: SHA-256 of the cleaned file.
        rows: how many there were.
        options: the targets and the options of ``clean``.
        move: what was put before the paths of which columns.
        added: columns that were added.
        dropped: rows that were dropped.
        repairs: every change.
        head: of a csv, its line of names.
        lines: row -> how it was written, where the cleaned table does not tell.
        originals: of other tables, all rows as they were that the cleaned table does not tell.
        original_rows: the numbers of these rows.
    """

    kind: str
    source: str
    cleaned: str
    source_digest: str
    cleaned_digest: str
    rows: int
    options: dict[str, Any]
    move: Move = STAYS
    added: list[str] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    repairs: Sequence[Repair] = ()
    head: str = ""
    lines: dict[int, str] = field(default_factory=dict)
    originals: pa.Table | None = None
    original_rows: list[int] = field(default_factory=list)

    def text(self) -> str:
        """As JSON, one object a line: what it is about, the changes, what undoing needs."""
        about = {
            name: getattr(self, name)
            for name in (
                "kind", "source", "cleaned", "source_digest", "cleaned_digest", "rows", "options",
                "added", "dropped", "head",
            )
        }  # fmt: skip
        about["move"] = {"columns": list(self.move.columns), "prefix": self.move.prefix}
        lines: list[dict[str, Any]] = [{"about": about}]
        for repair in self.repairs:
            told = repair._asdict()
            told["before"], told["after"] = _told(repair.before), _told(repair.after)
            lines.append(told)
        lines += [{"row": row, "was_written": line} for row, line in self.lines.items()]
        if self.originals is not None:
            kept = base64.b64encode(_packed(self.originals)).decode()
            lines.append({"rows": self.original_rows, "were": kept})
        return "".join(json_line(line) for line in lines)


def read_record(path: Path) -> Record:
    """Read what :meth:`Record.text` made.

    Raises:
        PolymodalError: it is missing, or no such record.
    """
    try:
        lines = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
        about = lines[0]["about"]
        move = about.pop("move")
        record = Record(**about, move=Move(tuple(move["columns"]), move["prefix"]))
        repairs = []
        for line in lines[1:]:
            if "was_written" in line:
                record.lines[line["row"]] = line["was_written"]
            elif "were" in line:
                record.original_rows = line["rows"]
                record.originals = _unpacked(base64.b64decode(line["were"]))
            else:
                repairs.append(Repair(**line))
        record.repairs = repairs
        return record
    except OSError as error:
        raise PolymodalError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, LookupError, TypeError, AttributeError, pa.ArrowException) as error:
        raise PolymodalError(
            f"{path} is no record of repairs as polymodal clean writes it ({error!r:.100})."
        ) from error


def json_line(content: Any) -> str:
    """One line of JSON, letters as they are; escaped where one is half a surrogate pair."""
    line = json.dumps(content, ensure_ascii=False)
    return (line if _encodes(line) else json.dumps(content)) + "\n"


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def digest(content: bytes | Path) -> str:
    """SHA-256 of some bytes, or of a file."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return hashlib.sha256(content).hexdigest()


def _told(cell: Any) -> Any:
    """A cell as JSON, for people; bytes by their number."""
    if cell is None or isinstance(cell, bool | int | float):
        return cell
    if isinstance(cell, str):
        return cell if len(cell) <= LONGEST_TOLD else cell[:LONGEST_TOLD] + "…"
    if isinstance(cell, list | tuple):
        return [_told(part) for part in cell]
    if isinstance(cell, dict):
        return {str(name): _told(part) for name, part in cell.items()}
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes"
    return cell.isoformat() if isinstance(cell, date | time) else repr(cell)[:200]


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _unpacked(content: bytes) -> pa.Table:
    with pa.ipc.open_stream(content) as reader:
        return reader.read_all()
