"""Answers of the web page: one card for each target, and what each input added to it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from polymodal.serving.page_words import Language, word
from polymodal.serving.problem import Problem
from polymodal.serving.served_model import UNUSABLE

MOST_BARS = 8


def quiet_card(language: Language) -> str:
    """Where the answer will be."""
    return f"<div class='card quiet'>{word('nothing_yet', language)}</div>"


def card(title: str, body: str, kind: str = "", *, html: bool = False) -> str:
    """A card.

    Args:
        title: its heading.
        body: a sentence, or HTML.
        kind: a class of :data:`~polymodal.serving.page_style.CSS` ("problem", "quiet").
        html: whether the body is HTML already.
    """
    inner = body if html else f"<p>{escape(body)}</p>"
    role = " role='alert'" if kind == "problem" else ""
    return f"<div class='card {kind}'{role}><h3>{escape(title)}</h3>{inner}</div>"


def problem_card(problem: Problem, language: Language, *, title: str = "wrong") -> str:
    """Why there is no answer.

    Args:
        problem: what came up.
        language: to say it in.
        title: of :data:`~polymodal.serving.page_words.WORDS`.
    """
    known = {"too-busy": "busy", "took-too-long": "busy", "too-large": "too_large"}
    body = problem.detail
    if problem.kind in known:
        body = word(known[problem.kind], language)
    elif problem.kind in ("cannot-search", "unreadable-filter"):
        body = word("cannot_search", language, reason=problem.detail)
    elif problem.mistakes:
        body = " ".join(
            word("unusable", language, field=m.field.removeprefix("inputs."), came=_reason(m.came))
            for m in problem.mistakes
        )
    return card(word(title, language), body, "problem")


def _reason(came: str) -> str:
    """What is wrong with a cell, without the frame that programs get it in."""
    return came.removeprefix(f"{UNUSABLE} (").removesuffix(")") if UNUSABLE in came else came


def answer_cards(found: Mapping[str, Any], language: Language) -> str:
    """The answer of each target, and what each input added to it.

    Args:
        found: as :meth:`~polymodal.serving.served_model.ServedModel.explain` gives it.
        language: of the words around it.
    """
    cards = []
    for target, said in found["answers"].items():
        shares = said.get("probabilities")
        shown = _shown(said["value"])
        body = f"<p style='font-size:1.35rem;opacity:1;font-weight:600'>{escape(shown)}</p>"
        if shares:
            body += "".join(_bar(k, s, f"{s:.1%}") for k, s in [*shares.items()][:MOST_BARS])
        if "score" in said:
            body += _bar(word("sure", language), said["score"], f"{said['score']:.1%}")
        cards.append(card(f"{word('answer', language)} · {target}", body, html=True))
        changes = found["influence"][target]
        if "score" in said:
            cards.append(_rewordings(changes, said["value"], language))
        else:
            cards.append(_influence(changes, shown, bool(shares), language))
    if found["missing"]:
        cards.append(_note(word("left_out", language, names=", ".join(found["missing"]))))
    cards += [_note(note) for note in found["notes"]]
    return "<div style='display:grid;gap:12px'>" + "".join(cards) + "</div>"


def _influence(changes: Mapping[str, Any], answer: str, shares: bool, language: Language) -> str:
    title = word("mattered", language)
    if len(changes) < 2:
        return card(title, word("only_one", language))
    about = word("mattered_about" if shares else "mattered_number", language, answer=answer)
    most = 1.0 if shares else max(abs(c["change"] or 0.0) for c in changes.values()) or 1.0
    bars = []
    for column, found in sorted(changes.items(), key=lambda item: -abs(item[1]["change"] or 0.0)):
        change = found["change"] or 0.0
        written = word("by_points", language, change=-100 * change) if shares else f"{-change:+.3g}"
        without = word("instead", language, answer=_shown(found["without"]))
        bars.append(_bar(column, abs(change) / most, written, without, against=change < 0))
    return card(title, f"<p>{escape(about)}</p>" + "".join(bars), html=True)


def _rewordings(changes: Mapping[str, Any], answer: str, language: Language) -> str:
    """What a text becomes without each input: there is no one number for how it changes."""
    title = word("mattered", language)
    if len(changes) < 2:
        return card(title, word("only_one", language))
    lines = []
    for column, found in changes.items():
        other = found["without"] != answer
        without = word("instead", language, answer=found["without"] or "—") if other else ""
        written = word("changed" if other else "unchanged", language)
        lines.append(_bar(column, float(other), written, without))
    about = escape(word("mattered_text", language))
    return card(title, f"<p>{about}</p>" + "".join(lines), html=True)


def _bar(name: str, share: float, written: str, aside: str = "", *, against: bool = False) -> str:
    width = f"{100 * min(max(share, 0.0), 1.0):.1f}%"
    kind = "fill against" if against else "fill"
    below = f"<div class=aside>{escape(aside)}</div>" if aside else ""
    return (
        f"<div class=bar><div class=line><span>{escape(name)}</span><span>{written}</span></div>"
        f"<div class=track><div class='{kind}' style='width:{width}'></div></div>{below}</div>"
    )


def _note(text: str) -> str:
    return f"<div class='card quiet' style='text-align:left'>{escape(text)}</div>"


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "—"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
