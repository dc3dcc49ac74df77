"""Text that is not as it was meant: wrong encodings, one category written in several ways."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

MOST_SPELLINGS = 2000
SHORTEST_TYPO = 5
RARER = 20  # times than what it is a slip of
ODD = re.compile("[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]")
# What UTF-8 looks like where it is read as Windows-1252: a leading byte and its followers.
MOJIBAKE = re.compile(
    "[\u00c2-\u00f4][\u0080-\u00bf\u0152-\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)


def find_broken_encoding(subject: Subject) -> list[Finding]:
    """Texts that were read in the wrong encoding, or hold characters that nobody types."""
    found: list[Finding] = []
    for name in subject.columns("text", "category", "tags"):
        rows, remarks = [], {}
        for row, text in enumerate(subject.texts(name)):
            if text is None or text.isascii():
                continue
            meant = unscrambled(text)
            if meant != text or ODD.search(text):
                rows.append(row)
                remarks[row] = _excerpt(text, meant)
        if rows:
            found.append(
                Finding(
                    "broken_encoding",
                    "warning",
                    column=name,
                    what=f"text read in the wrong encoding (first: {remarks[rows[0]]})",
                    rows=np.array(rows),
                    why="the words are lost to the model: it sees other letters",
                    remedy="read the source again in its own encoding, or repair it",
                    remarks=remarks,
                )
            )
    return found


def find_spelling_variants(subject: Subject) -> list[Finding]:
    """Values of a category that differ in case, blanks, width of letters, or by a slip."""
    found: list[Finding] = []
    for name in subject.columns("category", "tags"):
        modality = subject.modalities[name]
        cells = subject.table.cells(name)
        separator = getattr(modality, "separator", None)
        tags = [_parts(cell, separator) for cell in cells]
        counts = Counter(value for parts in tags for value in parts)
        if not 2 <= len(counts) <= MOST_SPELLINGS:
            continue
        values = variants(counts, slips=not separator)
        if not values:
            continue
        rows = [row for row, parts in enumerate(tags) if any(part in values for part in parts)]
        listed = ", ".join(f"{a!r} for {b!r}" for a, b in list(values.items())[:2])
        more = f" and {len(values) - 2} more" if len(values) > 2 else ""
        found.append(
            Finding(
                "spelling_variants",
                "warning",
                column=name,
                what=f"one value written in several ways: {listed}{more}",
                rows=np.array(rows),
                why="each way of writing counts as a class of its own",
                remedy="left as they are; write each value in one way",
                values=values,
            )
        )
    return found


def variants(counts: Mapping[str, int], *, slips: bool = True) -> dict[str, str]:
    """Spellings that stand for another, more frequent one.

    Args:
        counts: spelling -> how often it occurs.
        slips: whether to look for slips of the hand, too.

    >>> variants({"left": 40, "Left ": 3, "right": 50, "rihgt": 1})
    {'Left ': 'left', 'rihgt': 'right'}
    """
    groups: dict[str, list[str]] = {}
    for spelling in sorted(counts, key=lambda s: (-counts[s], s)):
        groups.setdefault(plain(spelling), []).append(spelling)
    # The most frequent spelling, without blanks around and between.
    best = {key: " ".join(same[0].split()) for key, same in groups.items()}
    found = {s: best[key] for key, same in groups.items() for s in same if s != best[key]}
    totals = {key: sum(counts[s] for s in same) for key, same in groups.items()}
    for key, same in groups.items() if slips else ():
        meant = _slip_of(key, totals)
        if meant is not None:
            found |= dict.fromkeys(same, best[meant])
    return {spelling: found[spelling] for spelling in counts if spelling in found}


def plain(value: str) -> str:
    """A value without what people write now so, now so: case, blanks, hyphens, width, full stop.

    >>> plain(" Type\u3000A."), plain("type-a")
    ('type a', 'type a')
    """
    text = unicodedata.normalize("NFKC", value).casefold()
    return re.sub(r"[\s_\-‐-–]+", " ", text).strip(" .,;:") or text


def unscrambled(text: str) -> str:
    r"""What a text was before it was read in the wrong encoding; itself where it reads well.

    >>> unscrambled("cafÃ©"), unscrambled("café"), unscrambled("ä½\xa0å¥½")
    ('café', 'café', '你好')
    """
    if not MOJIBAKE.search(text):
        return text
    for encoding in ("cp1252", "latin-1"):
        try:
            meant = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if meant != text:
            return meant
    # Bytes that Windows-1252 leaves undefined pass through as they are.
    try:
        raw = b"".join(_byte(letter) for letter in text)
        return raw.decode("utf-8")
    except (UnicodeError, ValueError):
        return text


def _excerpt(text: str, meant: str) -> str:
    """The place where a text is broken, and what it was before."""
    place = next((i for i, (a, b) in enumerate(zip(text, meant, strict=False)) if a != b), 0)
    if meant == text and (found := ODD.search(text)):
        place = found.start()
    start = max(place - 20, 0)
    broken = f"…{text[start : place + 20]}…"
    return broken if meant == text else f"{broken}, probably …{meant[start : place + 20]}…"


def _byte(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return bytes([ord(letter)])


def _parts(cell: Any, separator: str | None) -> list[str]:
    if cell is None:
        return []
    if isinstance(cell, list):
        return [part for part in cell if isinstance(part, str)]
    if not isinstance(cell, str):
        return []
    return cell.split(separator) if separator else [cell]


def _slip_of(key: str, totals: Mapping[str, int]) -> str | None:
    """The far more frequent value from which one differs by a single slip of the hand."""
    if len(key) < SHORTEST_TYPO or re.search(r"\d", key):
        return None
    for other, count in totals.items():
        if count >= RARER * totals[key] and key != other and _one_slip(key, other):
            return other
    return None


def _one_slip(first: str, second: str) -> bool:
    """Whether one letter was left out, added, changed, or swapped with the next."""
    if abs(len(first) - len(second)) > 1 or len(second) < SHORTEST_TYPO:
        return False
    start = 0
    while start < min(len(first), len(second)) and first[start] == second[start]:
        start += 1
    a, b = first[start:], second[start:]
    swapped = len(a) == len(b) >= 2 and a[0] == b[1] and a[1] == b[0] and a[2:] == b[2:]
    return swapped or a[1:] == b[1:] or a[1:] == b or a == b[1:]
