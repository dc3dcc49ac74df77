"""The page of a search: what was asked, and the rows that were found, to be seen and heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from polymodal.evaluation.page import render_page
from polymodal.evaluation.shown_cells import cell_shower

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.modalities.modality import Shown

MOST_WORDS = 160  # of a value that is no text column


@dataclass(frozen=True)
class ShownHit:
    """A row that was found.

    Args:
        key: of the row.
        score: the higher, the better.
        cells: column -> the cell to show; None where it is absent.
        values: further columns -> their values.
        places: ways that were joined -> the place they gave the row.
        thumbnail: a data URI, shown where no cell is a picture.
    """

    key: str
    score: float
    cells: Mapping[str, Shown | None]
    values: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    thumbnail: str | None = None


@dataclass(frozen=True)
class SearchPage:
    """All that the page of a search tells.

    Args:
        title: the page's heading.
        created: when, as it is to be printed.
        rows: how many rows were searched.
        asked: column -> the cell that was asked with.
        facts: further facts of the question -> in words (filter, among what, …).
        hits: what was found, the best first.
        seconds: it took, and of these the model's part.
        score: what the score of a hit is, in words.
        best: the score that fills a hit's bar.
        how: the ways of searching that were measured, each a line of the table.
    """

    title: str
    created: str
    rows: int
    asked: Mapping[str, Shown | None]
    facts: Mapping[str, str]
    hits: Sequence[ShownHit]
    seconds: tuple[float, float]
    score: str
    best: float = 1.0
    how: Sequence[Mapping[str, Any]] = ()


def render_search(page: SearchPage, *, command: str = "") -> str:
    """The answers to a question as one HTML text that needs no other file and no network.

    Args:
        page: what to tell.
        command: how to ask again.
    """
    return render_page(
        "search_template.html",
        language="en",
        title=page.title,
        created=page.created,
        by="Search by polymodal",
        page=page,
        command=command,
        show=cell_shower("en"),
        most_words=MOST_WORDS,
    )
