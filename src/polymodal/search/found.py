"""What a search found."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One row that was found.

    Args:
        key: of the row.
        score: the higher, the better: a cosine; a fused rank where words and vectors were joined;
            BM25 where only words were asked.
        row: the row's own columns.
        thumbnail: a small WebP picture, where the row has one.
        places: where the ways that were joined put it, from 1.
    """

    key: str
    score: float
    row: Mapping[str, Any]
    thumbnail: bytes | None = None
    places: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON, the thumbnail as a data URI."""
        return {
            "key": self.key,
            "score": self.score,
            "row": {name: plain(cell) for name, cell in self.row.items()},
            "thumbnail": self.thumbnail_uri,
            "places": dict(self.places),
        }

    @property
    def thumbnail_uri(self) -> str | None:
        """The thumbnail as a page shows it."""
        if self.thumbnail is None:
            return None
        return f"data:image/webp;base64,{base64.b64encode(self.thumbnail).decode('ascii')}"


@dataclass(frozen=True)
class Found:
    """The answer to a question.

    Args:
        hits: the rows, the best first.
        asked: column -> cell; ``words`` for words.
        within: whose vectors answered; "" for whole rows.
        where: the filter.
        seconds: it took.
        seconds_encoding: of which the model's part.
    """

    hits: Sequence[Hit]
    asked: Mapping[str, Any]
    within: Sequence[str]
    where: str | None
    seconds: float
    seconds_encoding: float

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "hits": [hit.to_dict() for hit in self.hits],
            "within": list(self.within),
            "where": self.where,
            "seconds": self.seconds,
            "seconds_encoding": self.seconds_encoding,
        }


def plain(cell: Any) -> Any:
    """A cell as JSON can hold it.

    >>> plain([1, b"ab", date(2026, 1, 2)])
    [1, '2 bytes', '2026-01-02']
    """
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    if cell is None or isinstance(cell, str | int | float | bool):
        return cell
    if isinstance(cell, bytes):
        return f"{len(cell)} bytes"
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, Mapping):
        return {str(name): plain(part) for name, part in cell.items()}
    if isinstance(cell, list | tuple):
        return [plain(part) for part in cell]
    return str(cell)
