"""The report: one self-contained page that tells how good a model is, and why."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup

from polymodal.evaluation import charts
from polymodal.evaluation.hearing import Hearing, outline, strips, ticks
from polymodal.evaluation.imbalance import ALONE, imbalance, mean_score
from polymodal.evaluation.language import Language, duration, rival, say, translate
from polymodal.evaluation.metrics import METRICS
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.page import render_page
from polymodal.evaluation.scores import Evaluation, Score, TargetScores
from polymodal.evaluation.shown_cells import show_cell
from polymodal.evaluation.verdict import Verdict
from polymodal.files import write_file

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.findings import Finding
    from polymodal.data.modalities.modality import Shown

MOST_CELLS = 30
"""Classes up to which a confusion matrix is drawn; above, the most confused pairs are listed."""
MOST_STRIPS = 24
"""Words of one text for which it is shown when they were heard."""
GUESSES = ("most_frequent", "mean")
_PAIRS = 20
_POINTS = 800


class SchemaRow(NamedTuple):
    """One column of the table, as the report lists it."""

    column: str
    modality: str
    role: str
    encoder: str = ""
    present: int = 0
    missing: int = 0
    distinct: int = 0
    note: str = ""


class Example(NamedTuple):
    """One row with its answer, and its cells as a person wants to see them; None if absent.

    Of a text that was written, ``truth`` has a line for each reference, ``looks`` holds for each
    word the picture, dark where the model did not look, and ``hearing`` when in the sound each
    word was heard.
    """

    row: int
    truth: str
    answer: str
    probability: float | None
    cells: Sequence[tuple[str, Shown | None]]
    looks: Sequence[tuple[str, Shown]] = ()
    hearing: Hearing | None = None


class Section(NamedTuple):
    """A part of the page that is made elsewhere.

    Args:
        anchor: its name in the page's address.
        title: its heading.
        body: its HTML, in which all words are escaped.
    """

    anchor: str
    title: str
    body: Markup


@dataclass(frozen=True)
class Report:
    """All that a report tells. What is empty is left out of the page.

    Args:
        title: the page's heading.
        created: when, as it is to be printed.
        evaluation: the fused model's scores on the test part.
        outcomes: what the fused model said, one per target, in the order of the page.
        rows: part (``train``, ``validation``, ``test``) -> how many rows it has.
        seconds: stage -> how long it took.
        command: how the run is repeated.
        baselines: target -> name -> scores of another way of answering on the same rows; a name
            that is not one of our baselines is an input column, learned from alone.
        verdicts: target -> how the fused model compares with the best of them.
        subsets: target -> sets of input columns left visible, with the headline score of each.
        history: one dict per epoch with the keys ``epoch``, ``step``, ``train_loss``,
            ``validation_loss``, ``validation_metric``, ``learning_rate``, ``seconds``, and
            ``alone/…`` for the score of each branch with the others hidden.
        balance: the remedy for unbalanced inputs with which the model was trained.
        schema: the table's columns.
        findings: what was found in the data.
        recipe: the effective recipe as YAML.
        environment: name -> version or value.
        model: the network's parts with their numbers of parameters and floating-point operations.
        examples: target -> ``worst``, ``surest_right`` or ``unsure`` -> rows.
        sections: parts of the page that are made elsewhere, before all others.
    """

    title: str
    created: str
    evaluation: Evaluation
    outcomes: Sequence[Outcome]
    rows: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    command: str = ""
    baselines: Mapping[str, Mapping[str, TargetScores]] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    subsets: Mapping[str, Sequence[tuple[Collection[str], Score]]] = field(default_factory=dict)
    history: Sequence[Mapping[str, float | None]] = ()
    balance: str = "off"
    schema: Sequence[SchemaRow] = ()
    findings: Sequence[Finding] = ()
    recipe: str = ""
    environment: Mapping[str, object] = field(default_factory=dict)
    model: Sequence[tuple[str, int, int]] = ()
    examples: Mapping[str, Mapping[str, Sequence[Example]]] = field(default_factory=dict)
    sections: Sequence[Section] = ()


def write_report(path: str | Path, report: Report, *, language: Language = "en") -> None:
    """Write the report as one HTML file that needs no other file and no network.

    The file appears whole or not at all.

    Args:
        path: the file to write, usually ``report.html`` in the run directory.
        report: what to tell.
        language: ``en`` or ``zh``.
    """
    write_file(Path(path), render(report, language=language))


def render(report: Report, *, language: Language = "en") -> str:
    """The report as HTML text.

    Args:
        report: what to tell.
        language: ``en`` or ``zh``.
    """
    pictures: dict[bytes, str] = {}  # rows often share a picture: each is made small once

    def show(shown: Shown) -> dict[str, str]:
        return show_cell(shown, language, pictures)

    return render_page(
        "report_template.html",
        language=language,
        title=report.title,
        created=report.created,
        by=say("report_by", language),
        report=report,
        meter=charts.meter,
        metrics=METRICS,
        show=show,
        hear=_hear,
        targets=[_target(report, outcome, language) for outcome in report.outcomes],
        learning=_learning(report, language),
        time=_time(report.seconds, language),
    )


def _hear(example: Example) -> dict[str, Any] | None:
    """What the page shows of when words were heard; None where there is no sound to show."""
    hearing = example.hearing
    shown = hearing and dict(example.cells).get(hearing.column)
    if hearing is None or shown is None or isinstance(shown.content, str):
        return None
    return {
        "seconds": hearing.seconds,
        "aligned": hearing.aligned,
        "wave": outline(shown.content, hearing.seconds),
        "strips": strips(hearing._replace(words=hearing.words[:MOST_STRIPS])),
        "more": max(0, len(hearing.words) - MOST_STRIPS),
        "ticks": ticks(hearing.seconds),
    }


def _target(report: Report, outcome: Outcome, language: Language) -> dict[str, Any]:
    """What the page shows of one target."""
    name = outcome.target
    scores = report.evaluation[name]
    metric = METRICS[scores.metric].label[language]
    verdict = report.verdicts.get(name)
    return {
        "name": name,
        "outcome": outcome,
        "scores": scores,
        "metric": metric,
        "verdict": verdict,
        "sentence": verdict.sentence(language) if verdict else "",
        "helps": [(h.kind, h.sentence(language)) for h in verdict.helps] if verdict else [],
        "against": _against(report, scores, metric, language),
        "subsets": _subsets(report.subsets.get(name, ()), metric, language),
        "answers": _answers(outcome, language) if len(outcome) else {},
        "per_class": sorted(scores.per_class.items(), key=lambda item: -item[1]["support"]),
        "examples": report.examples.get(name, {}),
        "notes": _notes(report.examples.get(name, {}), language),
    }


def _notes(examples: Mapping[str, Sequence[Example]], language: Language) -> list[str]:
    """How the strips and pictures of written words are to be read."""
    everyone = [example for several in examples.values() for example in several]
    keys = ["looks_note"] if any(example.looks for example in everyone) else []
    aligned = {example.hearing.aligned for example in everyone if example.hearing}
    keys += [{True: "heard_aligned", False: "heard_note"}[kind] for kind in sorted(aligned)]
    return [say(key, language) for key in keys]


def _against(report: Report, scores: TargetScores, metric: str, language: Language) -> str:
    """Bars of the fused model and of every other way of answering."""
    baselines = report.baselines.get(scores.target, {})
    others = [charts.Bar(rival(name, language), o.headline) for name, o in baselines.items()]
    for columns, score in report.subsets.get(scores.target, ()):
        if len(columns) == 1 and not set(columns) & set(baselines):
            label = say("name_only", language, columns=next(iter(columns)))
            others.append(charts.Bar(label, score))
    if not others:
        return ""
    others.sort(key=lambda bar: -math.inf if math.isnan(bar.score.value) else -bar.score.value)
    fused = charts.Bar(say("name_fused", language), scores.headline, strong=True)
    return charts.bars([fused, *others], title=metric, marker=scores.headline.value)


def _subsets(
    subsets: Sequence[tuple[Collection[str], Score]], metric: str, language: Language
) -> str:
    """Bars of the model with some inputs hidden, the most inputs first."""
    if len(subsets) < 2:
        return ""
    everything = frozenset[str]().union(*(columns for columns, _ in subsets))
    order = sorted(subsets, key=lambda subset: (-len(subset[0]), -subset[1].value))
    rows, marker = [], None
    for columns, score in order:
        whole = frozenset(columns) == everything
        label = say("all_inputs", language) if whole else " + ".join(sorted(columns))
        label = label or say("no_input", language)
        rows.append(charts.Bar(label, score, strong=whole))
        marker = score.value if whole else marker
    return charts.bars(rows, title=metric, marker=marker)


def _answers(outcome: Outcome, language: Language) -> dict[str, Any]:
    """Charts of how answers relate to the truth."""
    if outcome.task == "regression":
        return _scatter(outcome, language)
    found: dict[str, Any] = {}
    if outcome.task == "classification":
        matrix = np.zeros((len(outcome.labels),) * 2, int)
        np.add.at(matrix, (outcome.truth, outcome.answer), 1)
        if len(outcome.labels) <= MOST_CELLS:
            found["confusion"] = charts.confusion(
                matrix,
                outcome.labels,
                title=say("confusion", language),
                truth=say("truth", language),
                answer=say("answer", language),
            )
        else:
            found["confused"] = _confused(matrix, outcome.labels)
    if (shares := outcome.shares) is not None:
        tagging = outcome.task == "tagging"
        found["calibration"] = charts.reliability(
            shares.ravel() if tagging else shares.max(axis=1),
            outcome.truth.ravel() if tagging else outcome.right,
            title=say("calibration", language),
            x_label=say("probability" if tagging else "certainty", language),
            y_label=say("share_present" if tagging else "share_right", language),
        )
    return found


def _scatter(outcome: Outcome, language: Language) -> dict[str, Any]:
    kept = np.random.default_rng(0).permutation(len(outcome))[:_POINTS]
    chart = charts.scatter(
        outcome.truth[kept],
        outcome.answer[kept],
        outcome.rows[kept],
        title=say("scatter", language),
        log=outcome.logarithms is not None,
        x_label=say("truth", language),
        y_label=say("answer", language),
    )
    return {"scatter": chart, "shown": len(kept)}


def _confused(matrix: np.ndarray, labels: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """The most frequent mistakes: true class, answer, rows, share of the true class's rows."""
    wrong = matrix * ~np.eye(len(labels), dtype=bool)
    pairs = [divmod(int(i), len(labels)) for i in np.argsort(-wrong, axis=None)[:_PAIRS]]
    return [
        (labels[t], labels[a], int(wrong[t, a]), wrong[t, a] / matrix[t].sum())
        for t, a in pairs
        if wrong[t, a]
    ]


def _learning(report: Report, language: Language) -> dict[str, Any] | None:
    """Learning curves, and the columns of the table of epochs."""
    history = report.history
    if not history:
        return None

    def points(key: str) -> list[tuple[float, float]]:
        pairs = [(epoch.get("epoch"), epoch.get(key)) for epoch in history]
        return [(float(x), float(y)) for x, y in pairs if x is not None and y is not None]

    def curve(title: str, keys: Mapping[str, str]) -> str:
        series = {name: points(key) for key, name in keys.items() if points(key)}
        return charts.lines(series, title=title, x_label=say("epoch", language), marker=best)

    alone = {key: key.removeprefix(ALONE) for key in history[-1] if key.startswith(ALONE)}
    best = _best_epoch(history)
    keys = ("epoch", "step", "train_loss", "validation_loss", "validation_metric",
            "learning_rate", "seconds")  # fmt: skip
    return {
        "loss": curve(
            say("loss", language),
            {key: say(key, language) for key in ("train_loss", "validation_loss")},
        ),
        "metric": curve(
            say("validation_metric", language),
            {"validation_metric": say("all_inputs", language), **alone},
        ),
        "alone": bool(alone),
        "imbalance": _imbalance(report, best, language),
        "best": None if best is None else f"{best:g}",
        "columns": [key for key in keys if any(epoch.get(key) is not None for epoch in history)],
    }


def _imbalance(report: Report, best: float | None, language: Language) -> str:
    """A sentence on an input that fell behind in training; empty where none did."""
    epoch = next((row for row in report.history if row.get("epoch") == best), None)
    if epoch is None:
        return ""
    rivals = report.baselines.values()
    guesses = [own[name].headline.value for own in rivals for name in GUESSES if name in own]
    by_itself = {
        branch: mean_score([own[branch].headline.value for own in rivals])
        for branch in (key.removeprefix(ALONE) for key in epoch if key.startswith(ALONE))
        if rivals and all(branch in own for own in rivals)
    }
    found = imbalance(epoch, chance=mean_score(guesses), by_itself=by_itself)
    return found.sentence(language, balance=report.balance) if found else ""


def _best_epoch(history: Sequence[Mapping[str, float | None]]) -> float | None:
    """The epoch whose weights training keeps: the best metric, and of equal ones the lowest loss.

    The metric is a headline metric, higher is better; epochs without one are passed over.
    """

    def worth(epoch: Mapping[str, float | None]) -> tuple[float, float]:
        metric, loss = epoch.get("validation_metric"), epoch.get("validation_loss")
        return (math.nan if metric is None else metric), -(math.inf if loss is None else loss)

    scored = [epoch for epoch in history if not math.isnan(worth(epoch)[0])]
    return max(scored, key=worth).get("epoch") if scored else None


def _time(seconds: Mapping[str, float], language: Language) -> str:
    rows = []
    for stage, spent in seconds.items():
        label = translate("stage", stage, language)
        rows.append(charts.Bar(label, Score(spent), words=duration(spent)))
    return charts.bars(rows, title=say("time", language)) if rows else ""
