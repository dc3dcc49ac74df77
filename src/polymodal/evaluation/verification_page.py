"""What the report and the terminal tell of verification."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from polymodal.evaluation.axes import HEIGHT, WIDTH, Axes, svg, tooltip
from polymodal.evaluation.identity_pairs import ErrorRates, VerificationScores
from polymodal.evaluation.language import Language, number, say
from polymodal.evaluation.page import render_page
from polymodal.evaluation.report import Section

_POINTS = 300


def verification_section(found: VerificationScores, *, language: Language) -> Section:
    """The scores and the DET curve.

    Args:
        found: the scores.
        language: ``en`` or ``zh``.
    """
    same = int(found.pairs.same.sum())
    body = render_page(
        "verification_section.html",
        language=language,
        note={
            "same": f"{same:,}",
            "different": f"{len(found.pairs) - same:,}",
            "threshold": number(found.threshold),
        },
        scores=[(_name(metric, language), score) for metric, score in found.scores.items()],
        curve=det_curve(found.rates, threshold=found.threshold, language=language),
    )
    return Section("verification", say("verification", language), Markup(body))


def verification_words(found: VerificationScores) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table for the terminal."""
    rows = [[_name(m, "en"), score.words, score.span] for m, score in found.scores.items()]
    return [f"{len(found.pairs):,} pairs", "value", "95 %"], rows


def det_curve(rates: ErrorRates, *, threshold: float, language: Language = "en") -> Markup:
    """False rejects over false accepts, both on logarithmic axes (detection error tradeoff).

    Args:
        rates: what is wrong at every threshold.
        threshold: the chosen one, marked by a dot.
        language: ``en`` or ``zh``.
    """
    x_label, y_label = say("verification_far", language), say("verification_frr", language)
    least = 10.0 ** -min(4, max(1, int(np.ceil(np.log10(max(len(rates.thresholds), 10))))))
    ticks = tuple(least * 10.0**k for k in range(round(-np.log10(least)) + 1))
    frame = Axes(ticks, ticks, log_x=True, log_y=True)
    x, y = np.maximum(rates.false_accepts, least), np.maximum(rates.false_rejects, least)
    chosen = np.unique(np.linspace(0, len(x) - 1, _POINTS).astype(int))
    path = " ".join(f"{frame.x(float(x[i]))},{frame.y(float(y[i]))}" for i in chosen)
    marks = frame.draw(x_label, y_label)
    marks += Markup('<line class="marker" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        frame.x(least), frame.y(least), frame.x(1), frame.y(1)
    )
    marks += Markup('<polyline class="line s0" points="{}"/>').format(path)
    far, frr = rates.at(threshold)
    marks += Markup('<circle class="dot s3" cx="{}" cy="{}" r="5">{}</circle>').format(
        frame.x(max(far, least)),
        frame.y(max(frr, least)),
        tooltip(f"{x_label} {number(far)} · {y_label} {number(frr)}"),
    )
    return svg(say("verification_det", language), marks, WIDTH, HEIGHT)


def _name(metric: str, language: Language) -> str:
    kind, _, far = metric.partition("@far=")
    return say(f"verify_{kind}", language, **({"far": f"{float(far):.1%}"} if far else {}))
