"""Tables of text, row by row as they are written: what is not repaired stays to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import product
from pathlib import Path
from typing import Any

from polymodal.errors import TableError

TEXT_TABLES = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
LINE_ENDS = ("\r\n", "\n", "\r")
MARK = "\ufeff"
# How others write JSON: with or without blanks, other letters than ASCII as they are or escaped.
STYLES = [
    {"ensure_ascii": ascii_, "separators": marks}
    for ascii_, marks in product((False, True), ((", ", ": "), (",", ":")))
]


@dataclass
class WrittenRows:
    """A table of text as it is written.

    Args:
        kind: csv or jsonl.
        names: the columns, in order; of a jsonl none.
        head: what comes before the first row.
        rows: each with its line end, and the empty lines after it.
        codec: how it is encoded.
        delimiter: what stands between the cells of a csv.
    """

    kind: str
    names: list[str]
    head: str
    rows: list[str]
    codec: str
    delimiter: str = ","
    _style: dict[str, Any] = field(default_factory=lambda: STYLES[0])

    @classmethod
    def read(cls, place: Path) -> WrittenRows:
        """Read a file.

        Raises:
            TableError: it is in none of the encodings that tables are read in.
        """
        kind = TEXT_TABLES[place.suffix.lower()]
        text, codec = _decoded(place)
        if kind == "jsonl":
            head = MARK if text.startswith(MARK) else ""
            rows = _with_empty_lines(re.findall(r"[^\n]*\n|[^\n]+\Z", text[len(head) :]))
            head += rows.pop(0) if rows and not rows[0].strip() else ""
            written = cls(kind, [], head, rows, codec)
            written._style = written._found_style()
            return written
        delimiter = "\t" if place.suffix.lower() == ".tsv" else _delimiter(text)
        rows = _with_empty_lines(_csv_rows(text, delimiter))
        head = rows.pop(0) if rows else ""
        head += rows.pop(0) if rows and head.strip() in ("", MARK) else ""
        written = cls(kind, [], head, rows, codec, delimiter)
        written.names = [_read(cell) for cell in written._cells(_parted(head)[1])]
        return written

    def content(self, rows: Iterable[str] | None = None, head: str | None = None) -> bytes:
        """The bytes of the file, with these rows in place of its own."""
        whole = [self.head if head is None else head, *(self.rows if rows is None else rows)]
        return "".join(whole).encode(self.codec)

    def named(self, added: Sequence[str]) -> str:
        """The head with further columns."""
        return self.changed(self.head, {}, added) if self.kind == "csv" and added else self.head

    def changed(self, row: str, cells: Mapping[str, Any], added: Sequence[Any] = ()) -> str:
        """A row with some cells changed, and further cells at its end.

        Args:
            row: as it is written.
            cells: column -> new cell; None is written as nothing, or null.
            added: of a csv the cells, of a jsonl pairs of name and cell.
        """
        start, line, end = _parted(row)
        if self.kind == "jsonl":
            return (
                start
                + json.dumps({**json.loads(line), **cells, **dict(added)}, **self._style)
                + end
            )
        written = self._cells(line)
        for name, cell in cells.items():
            place = self.names.index(name)
            written[place] = self._as_cell(cell, like=written[place])
        return start + self.delimiter.join([*written, *map(self._as_cell, added)]) + end

    def without(self, row: str, added: Sequence[str]) -> str:
        """A row, or the head, without the columns that were added to it."""
        if not added:
            return row
        start, line, end = _parted(row)
        if self.kind == "jsonl":
            kept = {k: v for k, v in json.loads(line).items() if k not in added}
            return start + self._as_json(kept) + end
        return start + self.delimiter.join(self._cells(line)[: -len(added)]) + end

    def moved(self, row: str, columns: Iterable[str], move: Callable[[Any], Any]) -> str:
        """A row with the cells of some columns moved; as it is where nothing moves."""
        start, line, end = _parted(row)
        if self.kind == "jsonl":
            found = json.loads(line)
            after = {name: move(found[name]) for name in columns if name in found}
            same = all(found[name] == cell for name, cell in after.items())
            return row if same else start + self._as_json({**found, **after}) + end
        written = self._cells(line)
        for name in columns:
            place = self.names.index(name)
            cell = _read(written[place])
            after = move(cell)
            if after != cell:
                written[place] = self._as_cell(after, like=written[place])
        return start + self.delimiter.join(written) + end

    def _cells(self, line: str) -> list[str]:
        """The cells of a csv's line as they are written, with their quotes."""
        pattern = _cell_pattern(self.delimiter)
        cells, place = [], 0
        while True:
            found = pattern.match(line, place)
            assert found is not None
            cells.append(found[1])
            if found[2] != self.delimiter:
                return cells
            place = found.end()

    def _as_json(self, row: dict[str, Any]) -> str:
        line = json.dumps(row, default=written_cell, **self._style)
        try:
            line.encode()
        except UnicodeEncodeError:  # half a surrogate pair can only be written escaped
            return json.dumps(row, default=written_cell)
        return line

    def _as_cell(self, cell: Any, like: str = "") -> str:
        text = written_cell(cell)
        special = any(mark in text for mark in (self.delimiter, '"', "\n", "\r"))
        quoted = special or (like.startswith('"') and text != "") or text != text.strip()
        return '"' + text.replace('"', '""') + '"' if quoted else text

    def _found_style(self) -> dict[str, Any]:
        """The way of writing JSON that gives the first rows again."""

        def fits(style: dict[str, Any]) -> int:
            lines = (_parted(row)[1] for row in self.rows[:20])
            return sum(json.dumps(json.loads(line), **style) == line for line in lines)

        return max(STYLES, key=fits)


def _decoded(place: Path) -> tuple[str, str]:
    content = place.read_bytes()
    codecs = ["utf-8", "gb18030"]
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        codecs = ["utf-16-le" if content[:1] == b"\xff" else "utf-16-be"]
    for codec in codecs:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if text.encode(codec) == content:
            return text, codec
    raise TableError(f"{str(place)!r} is neither in UTF-8 nor in UTF-16 nor in GB18030.")


def _delimiter(text: str) -> str:
    line = re.split(r"[\r\n]", text.removeprefix(MARK).lstrip("\r\n"), maxsplit=1)[0]
    counts = {mark: line.count(mark) for mark in (",", ";", "\t", "|")}
    return "," if counts[","] else max(counts, key=lambda mark: counts[mark])


def _cell_pattern(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf'("(?:[^"]|"")*"[^{mark}\r\n]*|[^{mark}\r\n]*)({mark}|\r\n|\n|\r|\Z)')


def _csv_rows(text: str, delimiter: str) -> list[str]:
    """The text cut after each line end that is not between quotes."""
    if '"' not in text:
        return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+\Z", text)
    rows, start = [], 0
    for found in _cell_pattern(delimiter).finditer(text, 1 if text.startswith(MARK) else 0):
        if found[2] != delimiter and found.end() > start:
            rows.append(text[start : found.end()])
            start = found.end()
    return rows


def _with_empty_lines(rows: list[str]) -> list[str]:
    """Empty lines belong to the row before them; those at the start are a row of their own."""
    joined: list[str] = []
    for row in rows:
        if joined and not row.strip("\r\n"):
            joined[-1] += row
        else:
            joined.append(row)
    return joined


def _parted(row: str) -> tuple[str, str, str]:
    """What comes before a row (a byte order mark, empty lines), what it says, and its line ends."""
    start = row.lstrip(MARK + "\r\n")
    line = start.rstrip("\r\n")
    return row[: len(row) - len(start)], line, start[len(line) :]


def _read(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if cell.startswith('"') and cell.endswith('"') else cell


def written_cell(cell: Any) -> str:
    """A cell as a csv has it; nothing where it is missing."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, list | dict):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)
