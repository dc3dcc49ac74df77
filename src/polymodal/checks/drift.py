"""Whether parts that were given differ: a classifier two-sample test for each column."""

from __future__ import annotations

import math
import warnings

import numpy as np

from polymodal.checks.out_of_fold import drawn, folds, linear_model
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

MOST_ROWS = 1000  # of each part
FEWEST_ROWS = 40
NOTICEABLE, STRONG = 0.6, 0.75
ERROR_RATE = 0.05  # that any column is told by chance
TABULAR = ("number", "category", "tags", "timestamp", "geo")


def find_drift(subject: Subject) -> list[Finding]:
    """Columns from which the part of a row can be told: the parts come from different places.

    Lopez-Paz & Oquab, *Revisiting classifier two-sample tests*, 2017. Parts drawn at random by us
    cannot drift, and are not looked at.
    """
    if not subject.given:
        return []
    train = subject.parts == "train"
    pairs = [(other, subject.parts == other) for other in ("test", "validation")]
    pairs = [(other, mask) for other, mask in pairs if min(mask.sum(), train.sum()) >= FEWEST_ROWS]
    names = [*subject.schema.inputs, *subject.schema.targets]
    tests, found = len(pairs) * len(names), []
    for other, mask in pairs:
        for name in names:
            area, error = told_apart(subject, name, train, mask)
            if area < NOTICEABLE or _chance(area, error) * tests > ERROR_RATE:
                continue
            low, high = max(area - 1.96 * error, 0), min(area + 1.96 * error, 1)
            found.append(
                Finding(
                    "drift",
                    "warning" if area >= STRONG else "note",
                    column=name,
                    what=f"of a training and a {other} row, the {other} row is told by this "
                    f"column alone in {area:.0%} of cases (95 % interval {low:.0%} to {high:.0%}; "
                    "50 % would be chance)",
                    rows=np.flatnonzero(mask & (subject.store(name).index >= 0)),
                    why=f"the {other} part shows other things than a model learns from",
                    remedy="left as it is; split anew if the parts should be alike, else expect "
                    "worse answers on new data, too",
                )
            )
    return found


def told_apart(
    subject: Subject, name: str, train: np.ndarray, other: np.ndarray
) -> tuple[float, float]:
    """Area under the ROC curve of telling two parts by one column, and its standard error.

    The error is that of Hanley & McNeil, 1982.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import roc_auc_score

    parts = [drawn(np.flatnonzero(mask), subject.seed, MOST_ROWS) for mask in (train, other)]
    rows, truth = np.concatenate(parts), np.repeat([0, 1], [len(part) for part in parts])
    features = subject.row_features(name, rows)
    if np.isnan(features).all():
        return 0.5, 1.0
    tabular = subject.schema[name].modality in TABULAR
    # Rows that share a cell are in one fold: else a picture would be known again.
    units = subject.store(name).index[rows]
    shared = None if tabular else np.where(units >= 0, units, -1 - np.arange(len(rows)))
    fold, said = folds(len(rows), subject.seed, shared), np.zeros(len(rows))
    for held in range(fold.max() + 1):
        learn, answer = fold != held, fold == held
        if len(np.unique(truth[learn])) < 2 or not answer.any():
            continue
        model = linear_model(features.shape[1])
        if tabular:
            model = HistGradientBoostingClassifier(
                max_iter=20, max_leaf_nodes=6, early_stopping=False, random_state=0
            )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="lbfgs failed to converge")
            model.fit(features[learn], truth[learn])
        said[answer] = model.predict_proba(features[answer])[:, 1]
    area = float(roc_auc_score(truth, said))
    return area, _standard_error(area, *(len(part) for part in parts))


def _standard_error(area: float, first: int, second: int) -> float:
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (first - 1) * (one - area**2) + (second - 1) * (two - area**2)
    return math.sqrt(max(spread, 1e-9) / (first * second))


def _chance(area: float, error: float) -> float:
    """How likely so large an area would be by chance."""
    return 0.5 * math.erfc((area - 0.5) / error / math.sqrt(2))
