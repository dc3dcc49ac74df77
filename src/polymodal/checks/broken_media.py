"""Media that is missing, broken, empty of content, or not what its column holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from polymodal.checks.media_files import MediaFile
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding
from polymodal.data.media import unwrapped

KINDS_OF_MEDIA = {"image": "an image", "audio": "a sound", "video": "a video"}
SMALLEST_PIXELS = 12
MOST_TIMES = 8.0  # the middle of the column, for sizes
MOST_TIMES_LONG = 10.0


def diagnosed(findings: Iterable[Finding], subject: Subject) -> list[Finding]:
    """Findings of decoding, with why a file could not be decoded: cut off, or another media."""
    told: list[Finding] = []
    for finding in findings:
        name = finding.column
        known = name in subject.schema.inputs and subject.schema[name].modality in KINDS_OF_MEDIA
        told += _split(finding, subject) if known and finding.kind == "undecodable" else [finding]
    return told


def find_wrong_files(subject: Subject) -> list[Finding]:
    """Files cut off that were read all the same, and names with another format's ending."""
    found: list[Finding] = []
    for name in subject.media():
        decoded = subject.store(name).index >= 0
        cut, misnamed = [], {}
        for row, file in subject.files(name).items():
            if file.whole is False and decoded[row]:
                cut.append(row)
            if file.misnamed and decoded[row]:
                misnamed[row] = f"{file.ending} holds {file.format}"
        if cut:
            found.append(
                Finding(
                    "truncated",
                    "warning",
                    column=name,
                    what="the file ends before its content does",
                    rows=_all_rows(subject, name, cut),
                    why="a part of it is missing; what is there is used",
                    remedy="fetch these files again",
                )
            )
        if misnamed:
            found.append(
                Finding(
                    "wrong_extension",
                    "note",
                    column=name,
                    what="the name says another format than the file holds",
                    rows=_all_rows(subject, name, list(misnamed)),
                    why="other programs may refuse it, or it was converted by mistake",
                    remedy="read by its content all the same; rename it",
                    remarks=misnamed,
                )
            )
    return found


def find_absurd_sizes(subject: Subject) -> list[Finding]:
    """Pictures and recordings far larger, smaller, longer or shorter than their column's others."""
    found: list[Finding] = []
    for name in subject.media():
        files = {row: f for row, f in subject.files(name).items() if f.size > 0}
        pictures = {row: f for row, f in files.items() if f.width}
        if pictures:
            found += _sizes(subject, name, pictures)
        lasting = {row: f.seconds for row, f in files.items() if f.seconds}
        if len(lasting) >= 10:
            found += _durations(subject, name, lasting)
    return found


def find_empty_media(subject: Subject) -> list[Finding]:
    """Pictures of one colour, recordings without sound."""
    found: list[Finding] = []
    kinds = {
        "image": ("single_colour", "one colour all over", "see"),
        "video": ("single_colour", "one colour all over", "see"),
        "audio": ("silent", "a recording without sound", "hear"),
    }
    for name in subject.inputs(*kinds):
        kind, what, sense = kinds[subject.schema[name].modality]
        blank = subject.blank_units(name)
        if len(blank):
            found.append(
                Finding(
                    kind,
                    "warning",
                    column=name,
                    what=what,
                    rows=np.flatnonzero(np.isin(subject.store(name).index, blank)),
                    why=f"there is nothing to {sense}",
                    remedy="used as it is; treat such cells as missing"
                    + (f": columns.{name}.modality.silence" if kind == "silent" else ""),
                )
            )
    return found


def find_clipped(subject: Subject) -> list[Finding]:
    """Recordings whose peaks are cut off flat."""
    found: list[Finding] = []
    for name in subject.inputs("audio"):
        clipped = [row for row, file in subject.files(name).items() if file.clipped]
        if clipped:
            found.append(
                Finding(
                    "clipped",
                    "warning",
                    column=name,
                    what="peaks cut off flat",
                    rows=_all_rows(subject, name, clipped),
                    why="it was recorded too loud; what was cut off cannot be brought back",
                    remedy="record again, or keep it if all recordings are alike",
                )
            )
    return found


def _split(finding: Finding, subject: Subject) -> Iterator[Finding]:
    """One finding for each reason why files could not be decoded."""
    name = finding.column
    modality, files = subject.schema[name].modality, subject.files(name)
    codes = subject.codes(name)
    by_code = {int(codes[row]): file for row, file in files.items()}
    reasons: dict[str, list[int]] = {}
    for row in finding.rows.tolist():
        file = by_code.get(int(codes[row]))
        reasons.setdefault(_reason(file, modality), []).append(row)
    defect = finding.what.split(" (first")[0]
    said = {
        "truncated": "the file is cut off, and nothing of it can be read",
        "wrong_modality": f"the file holds something else than {KINDS_OF_MEDIA[modality]}",
    }
    for kind, rows in reasons.items():
        first = subject.table.cells(name, rows[:1])[0]
        shown = repr(unwrapped(first))[:80]
        what = f"{defect}: {said[kind]} (first: {shown})" if kind in said else finding.what
        yield Finding(
            kind, finding.severity, column=name, what=what, rows=np.array(rows),
            why=finding.why, remedy=finding.remedy,
        )  # fmt: skip


def _reason(file: MediaFile | None, modality: str) -> str:
    if file is None or file.size < 0 or (file.format == "MP3" and not file.seconds):
        return "undecodable"  # two bytes make an MP3's start, and come by chance
    holds = {file.kind} | ({"a sound"} if file.format in ("MP4", "Ogg", "Matroska") else set())
    if file.kind == "a video" and modality == "video":
        holds.add("a video")
    if file.kind != "unknown data" and KINDS_OF_MEDIA[modality] not in holds:
        return "wrong_modality"
    return "truncated" if file.whole is False else "undecodable"


def _sizes(subject: Subject, name: str, pictures: dict[int, MediaFile]) -> list[Finding]:
    found = []
    sides = {row: max(f.width, f.height) for row, f in pictures.items()}
    middle = float(np.median(list(sides.values())))
    tiny = {
        row: f"{pictures[row].width} × {pictures[row].height}"
        for row, side in sides.items()
        if side < SMALLEST_PIXELS or side < min(middle / MOST_TIMES, 64)
    }
    huge = {
        row: f"{pictures[row].width} × {pictures[row].height}"
        for row, side in sides.items()
        if side > MOST_TIMES * middle and side > 1000
    }
    usual = f"; the middle of the column is {middle:.0f} pixels wide or high"
    if tiny and len(tiny) <= len(pictures) / 2:
        found.append(
            Finding(
                "low_resolution",
                "warning",
                column=name,
                what=f"a picture of very few pixels{usual}",
                rows=_all_rows(subject, name, list(tiny)),
                why="there is hardly anything to see once it is enlarged to the others' size",
                remedy="used as it is; fetch the original, or treat such cells as missing",
                remarks=tiny,
            )
        )
    if huge:
        found.append(
            Finding(
                "absurd_size",
                "warning",
                column=name,
                what=f"a picture of far more pixels than the others{usual}",
                rows=_all_rows(subject, name, list(huge)),
                why="it may show something else, and it is slow to read",
                remedy="used as it is; look at these",
                remarks=huge,
            )
        )
    return found


def _durations(subject: Subject, name: str, seconds: dict[int, float]) -> list[Finding]:
    middle = float(np.median(list(seconds.values())))
    odd = {
        row: f"{length:.2f} s"
        for row, length in seconds.items()
        if length > MOST_TIMES_LONG * middle or length < min(middle / MOST_TIMES_LONG, 0.2)
    }
    if not odd or len(odd) > max(0.02 * len(seconds), 3):
        return []
    return [
        Finding(
            "absurd_duration",
            "warning",
            column=name,
            what=f"far longer or shorter than the others, whose middle is {middle:.2f} s",
            rows=_all_rows(subject, name, list(odd)),
            why="it may be cut off, or not have been cut out",
            remedy="used as it is; listen to these",
            remarks=odd,
        )
    ]


def _all_rows(subject: Subject, name: str, firsts: list[int]) -> np.ndarray:
    """All rows that hold the same cells as these."""
    codes = subject.codes(name)
    return np.flatnonzero(np.isin(codes, codes[firsts]))
