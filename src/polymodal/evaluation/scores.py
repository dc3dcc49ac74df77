"""Scores with their intervals: what a user gets from evaluating a model."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from polymodal.errors import nearest
from polymodal.evaluation.intervals import bootstrap, bootstrap_headline, interval
from polymodal.evaluation.language import Language, number, say
from polymodal.evaluation.metrics import HEADLINE, LABELS, headline, measure, measure_labels
from polymodal.evaluation.outcome import Outcome, Task

if TYPE_CHECKING:
    from rich.table import Table


class Score(NamedTuple):
    """A metric's value and the 95% bootstrap interval around it; NaN where not defined.

    Args:
        value: on the rows evaluated.
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    @classmethod
    def around(cls, value: float, resampled: np.ndarray | None) -> Score:
        """A value with the interval of its resampled values, widened to hold the value itself.

        Args:
            value: on the rows evaluated.
            resampled: ``(R,)``, NaN where a resample does not define it; None for no interval.
        """
        if resampled is None or math.isnan(value):
            return cls(value)
        low, high = interval(resampled)
        return cls(value, min(low, value), max(high, value))

    @classmethod
    def from_dict(cls, content: Mapping[str, float | None]) -> Score:
        """The score that :meth:`to_dict` told of."""
        return cls(*(math.nan if part is None else part for part in map(content.get, cls._fields)))

    def to_dict(self) -> dict[str, float | None]:
        """``{"value", "low", "high"}``, None where not defined: valid JSON."""
        return {name: finite(part) for name, part in self._asdict().items()}

    @property
    def parts(self) -> tuple[str, str, str]:
        """Value and ends for people, with as many decimals as the largest of them needs."""
        scale = max((abs(part) for part in self if math.isfinite(part)), default=0)
        value, low, high = (number(part, scale=scale) for part in self)
        return value, low, high

    @property
    def words(self) -> str:
        """The value for people: ``0.912``, or ``–`` where not defined."""
        return self.parts[0]

    @property
    def span(self) -> str:
        """The interval for people: ``0.905 – 0.918``, or ``–`` where not defined."""
        _, low, high = self.parts
        return number(None) if math.isnan(self.low) else f"{low} – {high}"


@dataclass(frozen=True)
class TargetScores:
    """All metrics of one target.

    Args:
        target: the target column's name.
        task: what kind of answer the target wants.
        scores: metric -> its score.
        per_class: class or tag -> its ``precision``, ``recall``, ``f1`` and ``support`` (rows).
    """

    target: str
    task: Task
    scores: dict[str, Score]
    per_class: dict[str, dict[str, float]]

    def __getitem__(self, metric: str) -> Score:
        """The score of a metric."""
        if metric not in self.scores:
            raise KeyError(
                f"Target {self.target!r} has no {metric!r}. {nearest(metric, self.scores)}"
            )
        return self.scores[metric]

    @property
    def metric(self) -> str:
        """The name of the one metric this target is judged by; of texts, that which comes first."""
        if self.task == "text":
            return next(iter(self.scores))
        return "r2_log" if "r2_log" in self.scores else HEADLINE[self.task]

    @property
    def headline(self) -> Score:
        """The score of the one metric this target is judged by."""
        return self.scores[self.metric]


@dataclass(frozen=True)
class Evaluation:
    """All metrics of all targets on some rows.

    Args:
        targets: target column -> its scores.
        rows: how many rows were evaluated.

    Example:
        >>> scores = TargetScores("kind", "classification", {"accuracy": Score(0.9)}, {})
        >>> Evaluation({"kind": scores}, rows=10)["kind"]["accuracy"].value
        0.9
    """

    targets: dict[str, TargetScores]
    rows: int

    def __getitem__(self, target: str) -> TargetScores:
        """The scores of a target column."""
        if target not in self.targets:
            raise KeyError(f"There is no target {target!r}. {nearest(target, self.targets)}")
        return self.targets[target]

    def to_dict(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """``{target: {metric: {"value", "low", "high"}}}``, None where not defined: valid JSON."""
        return {
            name: {metric: score.to_dict() for metric, score in target.scores.items()}
            for name, target in self.targets.items()
        }

    def table(self, language: Language = "en") -> Table:
        """The scores as a table of the rich package.

        Args:
            language: ``en`` or ``zh``.
        """
        from rich.markup import escape
        from rich.table import Table

        table = Table(title=say("scores_title", language, rows=f"{self.rows:,}"))
        table.add_column(say("target", language))
        table.add_column(say("metric", language))
        table.add_column(say("value", language), justify="right")
        table.add_column(say("interval", language), justify="right")
        for name, target in self.targets.items():
            for i, (metric, score) in enumerate(target.scores.items()):
                style = "bold" if metric == target.metric else None
                cells = (LABELS[metric][language], score.words, score.span)
                table.add_row("" if i else escape(name), *cells, style=style)
            table.add_section()
        return table

    def __rich__(self) -> Table:
        return self.table()

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(file=(text := io.StringIO()), width=100, color_system=None)
        console.print(self.table())
        return text.getvalue()


def evaluate(outcome: Outcome, *, resamples: int = 1000, seed: int = 0) -> TargetScores:
    """Every metric of an outcome with its 95% interval.

    Intervals are percentiles of a bootstrap over rows (Efron 1979), widened where need be to
    hold the value itself: the bootstrap of a calibration error is biased upward.

    Args:
        outcome: what a model said and what is true.
        resamples: how many times the rows are drawn anew; metrics of the order of rows (AUROC,
            average precision) use at most 200.
        seed: the same seed gives the same intervals.

    Example:
        >>> truth, answer = np.array([0, 0, 1, 1] * 25), np.array([0, 0, 1, 0] * 25)
        >>> labels, rows = ("cat", "dog"), np.arange(100)
        >>> outcome = Outcome("kind", "classification", truth, answer, None, labels, rows)
        >>> evaluate(outcome)["accuracy"].words
        '0.750'
    """
    resampled = bootstrap(outcome, resamples=resamples, seed=seed)
    scores = {
        metric: Score.around(value, resampled.get(metric))
        for metric, value in measure(outcome).items()
    }
    return TargetScores(outcome.target, outcome.task, scores, measure_labels(outcome))


def difference(first: Outcome, second: Outcome, *, resamples: int = 1000, seed: int = 0) -> Score:
    """How much better the first model's headline metric is, by a bootstrap over the same rows.

    Args:
        first: what one model said.
        second: what another model said on the same rows.
        resamples: how many times the rows are drawn anew (at most 200 for tagging).
        seed: the same seed gives the same interval.

    Raises:
        ValueError: the outcomes are of different rows, targets or truths.
    """
    if (
        first.target != second.target
        or not np.array_equal(first.rows, second.rows)
        or not np.array_equal(first.truth, second.truth)
    ):
        raise ValueError(
            f"Outcomes of {first.target!r} and {second.target!r} are not of the same rows and "
            "truth: evaluate both models on the same part of the same table."
        )
    metric = headline(first)
    value = measure(first)[metric] - measure(second)[metric]
    one, two = (bootstrap_headline(o, resamples=resamples, seed=seed) for o in (first, second))
    return Score.around(value, one - two)


def finite(value: float) -> float | None:
    """The number as JSON can hold it: None if it is not finite."""
    return value if math.isfinite(value) else None
