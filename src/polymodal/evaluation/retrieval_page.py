"""What the report and the terminal tell of retrieval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from polymodal.evaluation.language import Language, number, say
from polymodal.evaluation.page import render_page
from polymodal.evaluation.report import Section
from polymodal.evaluation.retrieval import RETRIEVAL_METRICS
from polymodal.evaluation.scores import Score
from polymodal.evaluation.shown_cells import show_cell

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.media import Shown


class Asked(NamedTuple):
    """One query with the first answers it got.

    Args:
        query: the column that asks.
        answer: the column that is searched.
        shown: the cell that asks; None if it cannot be shown.
        found: answers, the best first, and whether each is right.
        rank: of the first right answer.
    """

    query: str
    answer: str
    shown: Shown | None
    found: Sequence[tuple[Shown | None, bool]]
    rank: float


def retrieval_section(
    told: Sequence[Mapping[str, Any]], asked: Sequence[Asked], *, language: Language
) -> Section:
    """The table of all directions, beside chance, and a gallery of queries.

    Args:
        told: directions as ``metrics.json`` holds them.
        asked: queries with what they found.
        language: ``en`` or ``zh``.
    """
    pictures: dict[bytes, str] = {}

    def show(shown: Shown | None) -> dict[str, str]:
        nothing = {"kind": "absent", "content": "", "note": ""}
        return nothing if shown is None else show_cell(shown, language, pictures)

    galleries: dict[str, list[Asked]] = {}
    for one in asked:
        galleries.setdefault(f"{one.query} → {one.answer}", []).append(one)
    body = render_page(
        "retrieval_section.html",
        language=language,
        directions=told,
        metrics=RETRIEVAL_METRICS,
        score=lambda one, metric: Score.from_dict(one[metric]),
        galleries=galleries,
        show=show,
    )
    return Section("retrieval", say("retrieval", language), Markup(body))


def retrieval_words(told: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table for the terminal."""
    rows = [
        [
            f"{one['query']} → {one['answer']}",
            f"{one['answers']:,}",
            *(number(one[metric]["value"]) for metric in ("recall@1", "recall@5", "recall@10")),
            number(one["chance"]["recall@10"]),
            number(one["mrr"]["value"]),
            f"{one['median_rank']['value']:g}",
        ]
        for one in told
    ]
    return ["asks → finds", "among", "R@1", "R@5", "R@10", "by chance", "MRR", "rank"], rows
