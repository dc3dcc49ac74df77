"""Labels that are probably wrong: confident learning over answers out of fold."""

from __future__ import annotations

import numpy as np

from polymodal.checks.out_of_fold import drawn, folds, shares_out_of_fold
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding
from polymodal.errors import MissingExtra

FEWEST_ROWS = 100
FEWEST_OF_A_CLASS = 5
MOST_ROWS = 10_000
MOST_CLASSES = 100
MOST_FEATURES = 2000
SURE, UNLIKELY = 0.8, 0.1  # probabilities of the better label and of the given one
WEAK = 0.6  # of the rows that the most frequent class does not answer


def find_label_errors(subject: Subject) -> list[Finding]:
    """Rows whose label does not fit their inputs, the most suspect first.

    Northcutt, Jiang & Chuang, *Confident learning: estimating uncertainty in dataset labels*,
    2021. The answers are those of a linear model on hand-made features of all inputs, to rows
    that it has not learned from.
    """
    found: list[Finding] = []
    for target in subject.schema.targets:
        if subject.schema[target].modality != "category":
            continue
        try:
            found += _suspects(subject, target)
        except MissingExtra as error:
            found.append(
                Finding(
                    "not_checked",
                    "note",
                    column=target,
                    what="label errors were not looked for",
                    why=str(error),
                    remedy="install it, or leave it at that with --no-labels",
                )
            )
    return found


def label_quality(
    subject: Subject, target: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How well each row's label fits its inputs.

    Returns:
        the rows looked at ``(R,)``; their class numbers ``(R,)``, as the modality has them;
        probabilities of the classes out of fold ``(R, C)``; for each class number its label's
        place in the modality's labels ``(C,)``.
    """
    store = subject.store(target)
    rows = np.flatnonzero(store.index >= 0)
    known = np.asarray(store.values).reshape(store.distinct, -1)[:, 0][store.index[rows]]
    counts = np.bincount(known.astype(np.int64))
    classes = np.flatnonzero(counts >= FEWEST_OF_A_CLASS)
    rows = rows[np.isin(known, classes)]
    rows = drawn(rows, subject.seed, MOST_ROWS)
    truth = np.asarray(store.values).reshape(store.distinct, -1)[:, 0][store.index[rows]]
    truth = np.searchsorted(classes, truth)
    if len(classes) < 2 or len(classes) > MOST_CLASSES or len(rows) < FEWEST_ROWS:
        return rows[:0], truth[:0], np.zeros((0, len(classes))), classes
    made = [subject.row_features(name, rows) for name in subject.schema.inputs]
    features = np.concatenate(made, 1)[:, :MOST_FEATURES]
    shares = shares_out_of_fold(features, truth, folds(len(rows), subject.seed), len(classes))
    return rows, truth, shares, classes


def _suspects(subject: Subject, target: str) -> list[Finding]:
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise MissingExtra("cleanlab", "clean") from error

    rows, truth, shares, classes = label_quality(subject, target)
    if not len(rows):
        return []
    usual = np.bincount(truth).max() / len(truth)
    right = float(np.mean(shares.argmax(1) == truth))
    skill = (right - usual) / max(1 - usual, 1e-9)
    if skill < WEAK:
        return [
            Finding(
                "not_checked",
                "note",
                column=target,
                what=f"label errors were not looked for: quick models answer {right:.0%} of the "
                f"rows rightly, the most frequent class {usual:.0%}",
                why="what is hard to answer cannot be told from what is labelled wrongly",
                remedy="train a model, and look at its surest mistakes in the report",
            )
        ]
    wrong = find_label_issues(truth, shares, filter_by="both", n_jobs=1)
    wrong &= (shares.max(1) > SURE) & (shares[np.arange(len(truth)), truth] < UNLIKELY)
    scores = get_label_quality_scores(truth, shares, method="normalized_margin")
    order = np.flatnonzero(wrong)
    order = order[np.argsort(scores[order], kind="stable")]
    if not len(order):
        return []
    labels = subject.modalities[target].labels  # type: ignore[attr-defined]
    better = {int(rows[i]): str(labels[classes[shares[i].argmax()]]) for i in order}
    sure = {int(rows[i]): float(shares[i].max()) for i in order}
    given = subject.table.cells(target, rows[order])
    looked = f" of {len(rows):,} looked at" if len(rows) < len(subject) else ""
    return [
        Finding(
            "label_error",
            "warning",
            column=target,
            what=f"the label does not fit the inputs, in {len(order):,}{looked} "
            f"(quick models answer {right:.0%} rightly)",
            rows=rows[order],
            why="wrong labels teach mistakes, and make right answers look wrong in the test",
            remedy="used as they are; look at these, the most suspect first, and correct them",
            values={str(row): label for row, label in better.items()},
            remarks={
                int(row): f"says {cell!r}, looks like {better[int(row)]!r} "
                f"({sure[int(row)]:.0%} sure)"
                for row, cell in zip(rows[order], given, strict=True)
            },
        )
    ]
