"""Rows that were found, as cards of the web page: pictures, players, texts and scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from polymodal.evaluation.search_page import MOST_WORDS, ShownHit
from polymodal.evaluation.shown_cells import cell_shower
from polymodal.search.found import Found
from polymodal.serving.page_words import Language, word

LONGEST_KEY = 12


def hit_cards(found: Found, hits: Sequence[ShownHit], language: Language) -> str:
    """The rows, the best first.

    Args:
        found: what was found.
        hits: its rows as they are shown.
        language: of the words around them.
    """
    if not hits:
        return f"<div class='card quiet'>{word('none_found', language)}</div>"
    milliseconds = f"{1000 * found.seconds:.0f}"
    told = word("found", language, count=len(hits), milliseconds=milliseconds)
    about = word(_score(found), language)
    show = cell_shower(language)
    cards = []
    for number, hit in enumerate(hits, 1):
        cells = {
            name: cell
            for name, shown in hit.cells.items()
            if (cell := show(shown))["kind"] != "absent"
        }
        pictured = any(cell["kind"] == "image" for cell in cells.values())
        picture = "" if pictured or not hit.thumbnail else f"<img src='{hit.thumbnail}' alt=''>"
        parts = [picture, *(_cell(name, cell) for name, cell in cells.items())]
        cards.append(f"<li class=card>{''.join(parts)}{_values(hit, language)}"
                     f"{_told(number, hit)}</li>")  # fmt: skip
    return f"<p>{escape(told)} {escape(about)}</p><ol class=hits>{''.join(cards)}</ol>"


def _score(found: Found) -> str:
    if "words" not in found.asked:
        return "by_likeness"
    return "by_words" if len(found.asked) == 1 else "by_both"


def _cell(name: str, cell: Mapping[str, str]) -> str:
    content, title = escape(cell["content"], quote=True), escape(name, quote=True)
    if cell["kind"] == "image":
        return f"<img src='{content}' alt='{title}' title='{title}' loading=lazy>"
    if cell["kind"] in ("audio", "video"):
        kind = cell["kind"]
        return (
            f"<div><span class=name>{title}</span><{kind} controls preload=metadata "
            f"aria-label='{title}' src='{content}'></{kind}></div>"
        )
    said = "<br>".join(escape(line) for line in _lines(cell["content"]))
    return f"<div><span class=name>{title}</span><div class=said>{said}</div></div>"


def _lines(text: str) -> list[str]:
    """Several texts in one cell, which are kept as a list in JSON; or the one.

    >>> _lines('["a dog", "a cat"]'), _lines("a dog")
    (['a dog', 'a cat'], ['a dog'])
    """
    if text[:1] != "[":
        return [text]
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return [str(one) for one in found]


def _values(hit: ShownHit, language: Language) -> str:
    if not hit.values:
        return ""
    lines = "".join(
        f"<div><b>{escape(name)}</b> {escape(value[:MOST_WORDS])}</div>"
        for name, value in hit.values.items()
    )
    return f"<details><summary>{word('more_columns', language)}</summary>{lines}</details>"


def _told(number: int, hit: ShownHit) -> str:
    places = "".join(f" · {escape(name)} {place}" for name, place in hit.places.items())
    key = hit.key if len(hit.key) <= LONGEST_KEY else f"{hit.key[:LONGEST_KEY]}…"
    return (
        f"<div class=score><span><b>{number}</b> · {hit.score:.3f}{places}</span>"
        f"<span>{escape(key)}</span></div>"
    )
