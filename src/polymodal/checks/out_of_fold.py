"""Answers for rows from what was learned on others: how well columns foretell columns."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from polymodal.checks.subject import Subject

FOLDS = 5
MOST_ROWS = 4000
FEWEST_ROWS = 50


def folds(count: int, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """The fold ``(count,)`` of each row, at random; rows of a group share one."""
    rng = np.random.default_rng(seed)
    if groups is None:
        return rng.permutation(count) % FOLDS
    _, inverse = np.unique(groups, return_inverse=True)
    return (rng.permutation(inverse.max(initial=0) + 1) % FOLDS)[inverse]


def foretold(subject: Subject, column: str, target: str) -> float:
    """How much one column tells of a target, on rows not learned from.

    For a category, the share of rows answered rightly, of those that the most frequent class does
    not answer; for a number, the share of variance, of ranks between two numbers. 0 where it
    tells nothing.
    """
    from scipy.stats import spearmanr
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kind = subject.schema[target].modality
    numeric = kind == "number"
    truth = subject.numbers(target) if numeric else subject.codes(target).astype(np.float64)
    if kind not in ("number", "category"):
        return 0.0
    known = np.isfinite(truth) if numeric else truth >= 0
    rows = drawn(np.flatnonzero(known & (subject.store(column).index >= 0)), subject.seed)
    if len(rows) < FEWEST_ROWS:
        return 0.0
    features, truth = subject.row_features(column, rows), truth[rows]
    if numeric and subject.schema[column].modality == "number":
        return float(spearmanr(features[:, 0], truth).statistic ** 2)
    fold = folds(len(rows), subject.seed)
    make = DecisionTreeRegressor if numeric else DecisionTreeClassifier
    answers = np.zeros(len(rows))
    for held in range(FOLDS):
        learned = make(min_samples_leaf=3, random_state=0).fit(
            features[fold != held], truth[fold != held]
        )
        answers[fold == held] = learned.predict(features[fold == held])
    if numeric:
        return max(0.0, 1 - float(np.mean((answers - truth) ** 2) / max(truth.var(), 1e-12)))
    usual = np.unique(truth, return_counts=True)[1].max() / len(truth)
    return max(0.0, float(np.mean(answers == truth) - usual) / max(1 - usual, 1e-9))


def shares_out_of_fold(
    features: np.ndarray, truth: np.ndarray, fold: np.ndarray, classes: int
) -> np.ndarray:
    """Probabilities ``(N, classes)`` of each row's class by what was learned without its fold.

    Args:
        features: ``(N, F)``, NaN where absent.
        truth: ``(N,)`` class numbers.
        fold: ``(N,)`` of each row.
        classes: how many classes there are.
    """
    shares = np.full((len(truth), classes), 1e-6)
    for held in np.unique(fold):
        learn, answer = fold != held, fold == held
        present = np.unique(truth[learn])
        if len(present) < 2:
            shares[np.ix_(answer, present)] = 1.0
            continue
        model = linear_model(features.shape[1])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="lbfgs failed to converge")
            model.fit(features[learn], truth[learn])
        shares[np.ix_(answer, present)] += model.predict_proba(features[answer])
    return shares / shares.sum(1, keepdims=True)


def linear_model(width: int) -> Any:
    """A logistic regression on standardised features, absent ones at the middle.

    Args:
        width: how many features there are: the more, the stronger it is held back.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=min(1.0, 20 / max(width, 1)), max_iter=60),
    )


def drawn(rows: np.ndarray, seed: int, most: int = MOST_ROWS) -> np.ndarray:
    """At most so many of the rows, drawn at random, in order."""
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
