"""What the fused model has to beat: constant answers, trees, a linear probe, a neighbour."""

import math
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.wording import words

Answerer = Callable[[np.ndarray, Outcome], Outcome]
"""Answers rows by their features ``(M, F)``; of an outcome on them, the answers are replaced."""

MOST_CLASSES = 30
"""Classes that trees and probes tell apart; rarer ones keep their share of the training rows."""
MOST_TAGS = 20
"""Tags that trees and probes learn; rarer ones keep their share of the training rows."""


def most_frequent(train_truth: np.ndarray, like: Outcome) -> Outcome:
    """The most frequent class, or each tag by its share, whatever the row holds.

    Args:
        train_truth: ``(N,)`` class numbers or ``(N, L)`` bool tags of the training part.
        like: an outcome on the rows to answer; its answers are replaced.

    Example:
        >>> like = Outcome("kind", "classification", np.array([0]), np.array([0]), None,
        ...                ("cat", "dog"), np.array([9]))
        >>> most_frequent(np.array([1, 1, 0, 1]), like).probabilities
        array([[0.25, 0.75]])
    """
    assert like.task != "regression"
    return _answered(like, np.tile(_shares(train_truth, like), (len(like), 1)))


def most_frequent_text(train_texts: Sequence[Sequence[str]], like: Outcome) -> Outcome:
    """The same text for every row: the most frequent one.

    Of those that are equally frequent, the one whose words are most common.

    Args:
        train_texts: the references of each row of the training part.
        like: an outcome on the rows to answer; its answers are replaced.

    Example:
        >>> like = Outcome("said", "text", np.array([["two"]]), np.array([""]), None, (),
        ...                np.array([9]))
        >>> most_frequent_text([["one"], ["two", "one"]], like).answer.tolist()
        ['one']
    """
    texts = Counter(text for several in train_texts for text in several)
    counts = Counter(word for text in texts for word in words(text))

    def common(text: str) -> float:
        said = words(text)
        return sum(math.log(counts[word]) for word in said) / max(len(said), 1)

    best = max(texts, key=lambda text: (texts[text], common(text)))
    return _written(like, [best] * len(like))


def nearest_text(
    train_features: Sequence[np.ndarray],
    train_texts: Sequence[Sequence[str]],
    test_features: Sequence[np.ndarray],
    like: Outcome,
) -> Outcome:
    """The text of the training row whose inputs are most alike, by hand-made features.

    Choose it as the bar that a writing network must clear: it has learned nothing, but every one
    of its texts was written by a person.

    Args:
        train_features: of each input column ``(N, F)``, NaN where a value is absent.
        train_texts: the references of each row of the training part, of which the first is taken.
        test_features: of each input column ``(M, F)`` of the rows to answer.
        like: an outcome on the rows to answer; its answers are replaced.
    """
    from sklearn.neighbors import NearestNeighbors

    train, test = [], []
    for known, asked in zip(train_features, test_features, strict=True):
        here = _finite(known)
        middle = np.nan_to_num(np.nanmean(here, axis=0)) if len(here) else np.zeros(here.shape[1])
        spread = np.nan_to_num(np.nanstd(here, axis=0))
        # Every column counts alike, however many features it has.
        scale = np.where(spread > 0, spread, 1) * here.shape[1] ** 0.5
        train.append(np.nan_to_num((here - middle) / scale))
        test.append(np.nan_to_num((_finite(asked) - middle) / scale))
    finder = NearestNeighbors(n_neighbors=1).fit(np.concatenate(train, axis=1))
    nearest = finder.kneighbors(np.concatenate(test, axis=1), return_distance=False)[:, 0]
    return _written(like, [train_texts[row][0] for row in nearest.tolist()])


def mean(train_truth: np.ndarray, like: Outcome) -> Outcome:
    """The training part's mean value; its geometric mean where the target is on a log scale.

    Args:
        train_truth: ``(N,)`` values of the training part.
        like: an outcome on the rows to answer; its answers are replaced.
    """
    assert like.task == "regression"
    middle = _from_scale(_to_scale(train_truth, like).mean(), like)
    return _valued(like, np.full(len(like), middle))


def boosted_trees(
    train_features: np.ndarray,
    train_truth: np.ndarray,
    test_features: np.ndarray,
    like: Outcome,
    *,
    max_rows: int = 10_000,
    seed: int = 0,
) -> Outcome:
    """Histogram-based boosted trees on hand-made features: the classical answer to tables.

    Choose it as the bar that a network must clear: on numbers and categories it often wins.

    Args:
        train_features: ``(N, F)`` of the training part; NaN where a value is absent.
        train_truth: ``(N,)`` class numbers or values, or ``(N, L)`` bool tags.
        test_features: ``(M, F)`` of the rows to answer.
        like: an outcome on the rows to answer; its answers are replaced.
        max_rows: training rows used at most, drawn at random.
        seed: the same seed gives the same answers.
    """
    learned = learn_trees(train_features, train_truth, like, max_rows=max_rows, seed=seed)
    return learned(test_features, like)


def learn_trees(
    train_features: np.ndarray,
    train_truth: np.ndarray,
    like: Outcome,
    *,
    max_rows: int = 10_000,
    seed: int = 0,
) -> Answerer:
    """:func:`boosted_trees` that answer later, and any rows.

    Args:
        train_features: ``(N, F)`` of the training part; NaN where a value is absent.
        train_truth: ``(N,)`` class numbers or values, or ``(N, L)`` bool tags.
        like: any outcome of the target.
        max_rows: training rows used at most, drawn at random.
        seed: the same seed gives the same answers.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    def make(truth: np.ndarray, features: np.ndarray) -> Any:
        numeric = like.task == "regression"
        classes = 1 if numeric else np.unique(truth).size
        trees = 1 if classes <= 2 else classes
        parts = min(MOST_TAGS, len(like.labels)) if like.task == "tagging" else 1
        # Time grows with rows x features x trees: fewer rounds where a round is dear.
        rounds = int(3e8 / (features.size * trees * parts))
        smallest = len(truth) if numeric else np.bincount(truth).min()
        options: dict[str, Any] = {
            "max_iter": min(max(rounds, 15), 200),
            "learning_rate": 0.1 if rounds >= 100 else 0.2,
            "early_stopping": bool(smallest >= 20),  # else the part it holds out may lack a class
            "n_iter_no_change": 5,
            # Without it the leaves of a class of few rows grow until all answers are wrong.
            "l2_regularization": 1.0,
            "random_state": seed,
        }
        make = HistGradientBoostingRegressor if numeric else HistGradientBoostingClassifier
        with warnings.catch_warnings():  # many classes of few rows are what they are
            warnings.filterwarnings("ignore", message="The number of unique classes")
            return make(**options).fit(features, truth)

    return _learn(make, train_features, train_truth, like, max_rows, seed)


def probe(
    train_features: np.ndarray,
    train_truth: np.ndarray,
    test_features: np.ndarray,
    like: Outcome,
    *,
    max_rows: int = 10_000,
    seed: int = 0,
) -> Outcome:
    """A logistic or ridge regression on standardised features, absent values at the mean.

    Choose it to see what features of a pretrained encoder hold before anything is trained
    (Alain & Bengio, *Understanding intermediate layers using linear classifier probes*, 2016).

    Args:
        train_features: ``(N, F)`` of the training part; NaN where a value is absent.
        train_truth: ``(N,)`` class numbers or values, or ``(N, L)`` bool tags.
        test_features: ``(M, F)`` of the rows to answer.
        like: an outcome on the rows to answer; its answers are replaced.
        max_rows: training rows used at most, drawn at random.
        seed: the same seed gives the same answers.
    """
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def make(truth: np.ndarray, features: np.ndarray) -> Any:
        numeric = like.task == "regression"
        model = RidgeCV(np.logspace(-2, 4, 13)) if numeric else LogisticRegression(max_iter=100)
        with warnings.catch_warnings():
            # Its best so far after 100 steps is a fair baseline, and stays fast.
            warnings.filterwarnings("ignore", message="lbfgs failed to converge")
            return make_pipeline(SimpleImputer(), StandardScaler(), model).fit(features, truth)

    return _learn(make, train_features, train_truth, like, max_rows, seed)(test_features, like)


def _learn(
    make: Any,
    train_features: np.ndarray,
    train_truth: np.ndarray,
    like: Outcome,
    max_rows: int,
    seed: int,
) -> Answerer:
    """Fit what ``make`` builds (once, or for each tag)."""
    if len(train_features) != len(train_truth):
        raise ValueError(
            f"{len(train_features)} rows of features for {len(train_truth)} training rows: they "
            "must be as many."
        )
    if not len(train_truth):
        raise ValueError("There is no training row for a baseline to learn from.")
    whole = train_truth
    if len(train_truth) > max_rows:
        kept = np.random.default_rng(seed).choice(len(train_truth), max_rows, replace=False)
        train_features, train_truth = train_features[kept], train_truth[kept]
    train = _finite(train_features)
    varies = _varying(train)
    train = train[:, varies]

    def usable(features: np.ndarray, like: Outcome) -> np.ndarray:
        if len(features) != len(like):
            raise ValueError(
                f"{len(features)} rows of features for {len(like)} rows to answer: they must be "
                "as many."
            )
        return _finite(features)[:, varies]

    if like.task == "regression":
        if not train.shape[1]:
            return lambda features, like: mean(train_truth, like)
        model = make(_to_scale(train_truth, like), train)

        def valued(features: np.ndarray, like: Outcome) -> Outcome:
            test = usable(features, like)
            answer = model.predict(test) if len(test) else np.zeros(0)
            return _valued(like, _from_scale(answer, like))

        return valued
    shares = _shares(whole, like)
    parts = _fitted(make, train, train_truth, shares) if train.shape[1] else []

    def answered(features: np.ndarray, like: Outcome) -> Outcome:
        test = usable(features, like)
        probabilities = np.tile(shares, (len(like), 1))
        for columns, model in parts if len(test) else []:
            found = model.predict_proba(test)
            one = like.task == "tagging"
            probabilities[:, columns] = found[:, 1:] if one else found * shares[columns].sum()
        if like.task != "tagging":
            probabilities /= probabilities.sum(axis=1, keepdims=True)
        return _answered(like, probabilities)

    return answered


def _fitted(
    make: Any, train: np.ndarray, truth: np.ndarray, shares: np.ndarray
) -> list[tuple[np.ndarray, Any]]:
    """A model for all classes, or for each tag, with the classes or the tag that it answers."""
    if truth.ndim > 1:
        tags = np.argsort(-shares, kind="stable")[:MOST_TAGS]
        mixed = [tag for tag in tags if 0 < truth[:, tag].sum() < len(truth)]
        return [(np.array([tag]), make(truth[:, tag].astype(int), train)) for tag in mixed]
    counts = np.bincount(truth, minlength=len(shares))
    known = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    known = np.sort(known[counts[known] > 0])
    if len(known) < 2:
        return []
    rows = np.isin(truth, known)
    return [(known, make(np.searchsorted(known, truth[rows]), train[rows]))]


def _finite(features: np.ndarray) -> np.ndarray:
    """As float64, with NaN for what is not finite."""
    return np.where(np.isfinite(features), features, np.nan).astype(np.float64)


def _varying(train: np.ndarray) -> np.ndarray:
    """Which features vary in training, ``(F,)`` bool."""
    low = np.where(np.isnan(train), np.inf, train).min(axis=0, initial=np.inf)
    high = np.where(np.isnan(train), -np.inf, train).max(axis=0, initial=-np.inf)
    absent = np.isnan(train).any(axis=0) & np.isfinite(low)
    return (low < high) | absent


def _shares(train_truth: np.ndarray, like: Outcome) -> np.ndarray:
    """The share of training rows of each class or tag."""
    if not len(train_truth):
        raise ValueError("There is no training row for a baseline to learn from.")
    if like.task == "tagging":
        return train_truth.mean(axis=0)
    return np.bincount(train_truth, minlength=len(like.labels)) / len(train_truth)


def _answered(like: Outcome, probabilities: np.ndarray) -> Outcome:
    tagging = like.task == "tagging"
    answer = probabilities >= 0.5 if tagging else probabilities.argmax(axis=1)
    return Outcome(
        like.target, like.task, like.truth, answer, probabilities, like.labels, like.rows
    )


def _written(like: Outcome, answers: Sequence[str]) -> Outcome:
    answer = np.array(answers, np.str_)
    return Outcome(like.target, like.task, like.truth, answer, None, (), like.rows)


def _valued(like: Outcome, answer: np.ndarray) -> Outcome:
    return Outcome(like.target, like.task, like.truth, answer, None, (), like.rows, like.log)


def _to_scale(values: np.ndarray, like: Outcome) -> np.ndarray:
    if like.log and values.min() <= 0:
        raise ValueError(
            f"Target {like.target!r} is on a log scale, but {(values <= 0).sum()} training values "
            "are not above 0."
        )
    return np.log(values) if like.log else values


def _from_scale(values: np.ndarray, like: Outcome) -> np.ndarray:
    return np.exp(values) if like.log else values
