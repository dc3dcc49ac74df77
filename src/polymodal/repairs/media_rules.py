"""Repairs of media cells: what cannot be read, what shows nothing, names of another format."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from polymodal.checks.media_files import FORMATS, read_facts
from polymodal.data.findings import Finding
from polymodal.data.media import as_list
from polymodal.files import write_file
from polymodal.repairs.draft import Draft

UNREADABLE = ("missing_file", "empty_file", "truncated", "undecodable", "wrong_modality")
EMPTY = ("silent", "single_colour", "absurd_size", "absurd_duration")
MEDIA_FOLDER = "media"
NO_FOLDER = "new files need a place: name an output with -o"


def repair_media(draft: Draft, findings: Sequence[Finding]) -> None:
    """Empty the cells that cannot be used, and give files the ending of what they hold."""
    for finding in findings:
        if finding.kind in UNREADABLE:
            _empty_unreadable(draft, finding)
        elif finding.kind in EMPTY and draft.options.empty_media != "keep":
            action = draft.options.empty_media
            draft.empty(finding.column, finding.rows, action, why=finding.kind)
        elif finding.kind == "wrong_extension" and draft.options.extensions == "fix":
            _rename(draft, finding)


def _empty_unreadable(draft: Draft, finding: Finding) -> None:
    if draft.options.unreadable == "keep":
        return
    column = finding.column
    if finding.severity != "error":
        reason = "what is there can be read, and is used"
    elif draft.schema[column].source:
        reason = f"the column is made of {draft.schema[column].source!r}: there is no cell to empty"
    else:
        draft.empty(column, finding.rows, draft.options.unreadable, why=finding.kind)
        return
    draft.leave(finding.kind, column, finding.count, reason)


def _rename(draft: Draft, finding: Finding) -> None:
    """Copies whose names have the ending of what the files hold."""
    column, bytes_ = finding.column, 0
    for row in map(int, finding.rows):
        cell = draft.cells(column)[row]
        place = draft.table.media(cell)
        if not isinstance(place, Path):
            bytes_ += 1
            continue
        ends = FORMATS.get(read_facts(place).format, ("",))
        rule, copied = f"copied as {ends[0]}", partial(shutil.copyfile, place)
        new_media(draft, row, column, ending=ends[0], write=copied, why=finding.kind, rule=rule)
    draft.leave(finding.kind, column, bytes_, "cells of bytes have no name")


def new_media(
    draft: Draft,
    row: int,
    column: str,
    *,
    ending: str,
    write: Callable[[Path], object],
    why: str,
    rule: str,
) -> bool:
    """Write a new file for a media cell and point the cell to it; says whether it did.

    Its name is that of the old file with a digest of its path and content, so that the same cell
    always gives the same name, and two files of one name in different folders do not meet. A file
    that is there already was written whole by an earlier run, and stays.
    """
    cell = draft.cells(column)[row]
    if draft.folder is None:
        draft.leave(why, column, 1, NO_FOLDER)
        return False
    if not isinstance(cell, str) or as_list(cell) is not None:
        draft.leave(why, column, 1, "only cells that name one file get a new one")
        return False
    source = Path(draft.table.media(cell))
    digest = hashlib.blake2b(f"{cell}|{rule}|".encode() + source.read_bytes(), digest_size=4)
    folder = draft.folder / MEDIA_FOLDER / column.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{Path(cell).stem}-{digest.hexdigest()}{ending}"
    if not place.exists():
        write_file(place, write)
    after = place.relative_to(draft.folder).as_posix()
    done = draft.change(row, column, after, why=why, rule=rule)
    draft.new_media.setdefault(column, set()).add(row)
    return done
