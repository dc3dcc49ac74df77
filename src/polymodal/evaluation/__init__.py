"""How good a model is: metrics, intervals, baselines, the verdict and the report."""

from polymodal.evaluation.baselines import (
    boosted_trees,
    mean,
    most_frequent,
    most_frequent_text,
    nearest_text,
    probe,
)
from polymodal.evaluation.language import Language
from polymodal.evaluation.metrics import HEADLINE, HIGHER_IS_BETTER, LABELS, METRICS, measure
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.report import Example, Report, SchemaRow, write_report
from polymodal.evaluation.scores import Evaluation, Score, TargetScores, difference, evaluate
from polymodal.evaluation.verdict import Help, Verdict, verdict

__all__ = [
    "HEADLINE",
    "HIGHER_IS_BETTER",
    "LABELS",
    "METRICS",
    "Evaluation",
    "Example",
    "Help",
    "Language",
    "Outcome",
    "Report",
    "SchemaRow",
    "Score",
    "TargetScores",
    "Verdict",
    "boosted_trees",
    "difference",
    "evaluate",
    "mean",
    "measure",
    "most_frequent",
    "most_frequent_text",
    "nearest_text",
    "probe",
    "verdict",
    "write_report",
]
