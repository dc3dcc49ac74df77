"""What each metric would have been on other test rows: the bootstrap of Efron (1979).

The R resamples are never made as tables. A resample is how often each row was drawn, ``(N,)``
counts, and each metric is computed from counts for all resamples at once:

* functions of the confusion matrix: its cells are drawn from a multinomial, which is what
  drawing rows and counting cells amounts to, at a cost that does not grow with N;
* means of something per row: one matrix product of counts and rows;
* AUROC and average precision: the rows are sorted once, then counts are added up along the
  order. This costs N x C for each resample, so it is done for at most 200 of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from polymodal.evaluation.metrics import BINS, confidence_bins, headline, varies
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.text_scores import columns_of, item_scores, of_means

RANK_RESAMPLES = 200
"""Resamples at most of metrics that depend on the order of rows; fewer, but 50, if N x C is big."""
_CHUNK = 2**22  # counts held at a time
_DRAWS = 2 * 10**8  # rows drawn at most: 1000 resamples of 200,000 rows
_RANKED = 6 * 10**7  # counts added along an order at most, before resamples are spared


def bootstrap(outcome: Outcome, *, resamples: int = 1000, seed: int = 0) -> dict[str, np.ndarray]:
    """Each metric of :func:`~polymodal.evaluation.metrics.measure` on resampled rows.

    Args:
        outcome: what a model said and what is true.
        resamples: how many times N rows are drawn, with repetition.
        seed: the same seed draws the same rows.

    Returns:
        metric -> ``(R,)`` values, NaN where a resample does not define the metric.
    """
    if len(outcome) < 2:
        return {}
    values = _from_rows(outcome, resamples, seed)
    if outcome.task == "classification":
        values |= _from_cells(outcome, resamples, seed)
    if outcome.task in ("classification", "tagging") and outcome.probabilities is not None:
        values |= _from_order(outcome, resamples, seed)
    return values


def bootstrap_headline(outcome: Outcome, *, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """The headline metric on resampled rows, ``(R,)``.

    Outcomes of as many rows see the same rows drawn, so the difference of two models' values is
    a paired one: what both find hard cancels out.

    Args:
        outcome: what a model said and what is true.
        resamples: how many times N rows are drawn, with repetition.
        seed: the same seed draws the same rows.
    """
    return bootstrap_headlines([outcome], resamples=resamples, seed=seed)[0]


def bootstrap_headlines(
    outcomes: Sequence[Outcome], *, resamples: int = 1000, seed: int = 0
) -> np.ndarray:
    """:func:`bootstrap_headline` of many outcomes of the same rows, which are drawn only once.

    Args:
        outcomes: K outcomes of one target, all on the same rows.
        resamples: how many times N rows are drawn, with repetition.
        seed: the same seed draws the same rows.

    Returns:
        ``(K, R)``, NaN where a resample does not define the metric.
    """
    first = outcomes[0]
    if len(first) < 2:
        return np.full((len(outcomes), resamples), np.nan)
    if first.task == "tagging":
        ranked = (o.probabilities is not None for o in outcomes)
        most = min(resamples, _most_ranked(first))
        return np.stack(
            [
                _from_order(o, resamples, seed)["map"] if known else np.full(most, np.nan)
                for o, known in zip(outcomes, ranked, strict=True)
            ]
        )
    if first.task == "classification":  # accuracy needs no probabilities: far fewer columns
        outcomes = [replace(outcome, probabilities=None) for outcome in outcomes]
    if first.task == "text":  # a mean over rows: no need of all the others
        columns = [item_scores(outcome, headline(first))[:, None] for outcome in outcomes]
        return _means(np.concatenate(columns, axis=1), resamples, seed).T
    columns = [_row_values(outcome) for outcome in outcomes]
    ends = np.cumsum([part.shape[1] for part in columns])
    means = _means(np.concatenate(columns, axis=1), resamples, seed)  # (R, K x columns of one)
    parts = np.split(means, ends[:-1], axis=1)
    return np.stack(
        [_of_means(o, part)[headline(o)] for o, part in zip(outcomes, parts, strict=True)]
    )


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of what is not NaN; NaN if all is."""
    values = values[~np.isnan(values)]
    if not len(values):
        return np.nan, np.nan
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def weighted_auroc(positive: np.ndarray, score: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The area under the ROC curve in each resample.

    Args:
        positive: ``(N,)`` bool.
        score: ``(N,)`` higher where a row is more likely positive.
        counts: ``(N, R)`` how often each row was drawn.

    Returns:
        ``(R,)``, NaN where only one kind of row was drawn.

    Example:
        >>> positive, score = np.array([True, False, False]), np.array([0.5, 0.5, 0.1])
        >>> weighted_auroc(positive, score, np.ones((3, 1)))
        array([0.75])
    """
    order = np.argsort(score, kind="stable")
    score, positive, counts = score[order], positive[order], counts[order]
    tied = np.flatnonzero(np.r_[True, score[1:] != score[:-1]])  # starts of equal scores
    positives = np.add.reduceat(positive.astype(np.int64), tied)
    sizes = np.diff(np.r_[tied, len(score)])
    kind = np.where(positives == 0, 0, np.where(positives == sizes, 1, 2))
    # Neighbours that are all negative (all positive) act as one: a rare class needs few sums.
    starts = tied[np.r_[True, (kind[1:] != kind[:-1]) | (kind[1:] == 2)]]
    drawn = np.add.reduceat(counts, starts, axis=0, dtype=np.float64)  # (groups, R)
    hits = np.add.reduceat(counts * positive[:, None], starts, axis=0, dtype=np.float64)
    misses = drawn - hits
    below = np.cumsum(misses, axis=0) - misses / 2
    with np.errstate(invalid="ignore"):
        return (hits * below).sum(axis=0) / (hits.sum(axis=0) * misses.sum(axis=0))


def weighted_average_precision(
    positive: np.ndarray, score: np.ndarray, counts: np.ndarray
) -> np.ndarray:
    """The average precision in each resample, with the arguments of :func:`weighted_auroc`.

    Returns:
        ``(R,)``, NaN where no positive row was drawn.

    Example:
        >>> positive, score = np.array([True, False, True]), np.array([0.9, 0.5, 0.1])
        >>> weighted_average_precision(positive, score, np.ones((3, 1))).round(3)
        array([0.833])
    """
    order = np.argsort(-score, kind="stable")
    score, positive, counts = score[order], positive[order], counts[order]
    tied = np.flatnonzero(np.r_[True, score[1:] != score[:-1]])
    # Precision is read where positives are: a group goes from one of those to the next.
    ends = np.r_[tied[1:], len(score)][np.add.reduceat(positive.astype(np.int64), tied) > 0]
    if not len(ends):
        return np.full(counts.shape[1], np.nan)
    starts, counts, positive = np.r_[0, ends[:-1]], counts[: ends[-1]], positive[: ends[-1]]
    drawn = np.add.reduceat(counts, starts, axis=0, dtype=np.float64)  # (groups, R)
    hits = np.add.reduceat(counts * positive[:, None], starts, axis=0, dtype=np.float64)
    precision = np.cumsum(hits, axis=0) / np.maximum(np.cumsum(drawn, axis=0), 1)
    with np.errstate(invalid="ignore"):
        return (hits * precision).sum(axis=0) / hits.sum(axis=0)


def draws(rows: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each row is drawn, ``(r, N)`` for some resamples at a time."""
    generator = np.random.default_rng(seed)
    step = max(1, _CHUNK // rows)
    for start in range(0, resamples, step):
        counts = np.empty((min(step, resamples - start), rows))
        for one in counts:
            one[:] = np.bincount(generator.integers(rows, size=rows), minlength=rows)
        yield counts


def _from_rows(outcome: Outcome, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Metrics that are functions of means over rows."""
    return _of_means(outcome, _means(_row_values(outcome), resamples, seed))


def _means(columns: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """The means of columns on resampled rows: ``(N, K)`` → ``(R, K)``."""
    n = len(columns)
    resamples = max(min(resamples, _DRAWS // n), min(resamples, 200))
    return np.concatenate([counts @ columns / n for counts in draws(n, resamples, seed)])


def _of_means(outcome: Outcome, means: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics from the means of what :func:`_row_values` gives, ``(R, K)``."""
    if outcome.task == "classification":
        values = {"accuracy": means[:, 0]}
        if outcome.probabilities is not None:
            if len(outcome.labels) > 1:
                values["log_loss"] = means[:, 1]
            values["calibration_error"] = np.abs(means[:, 2:]).sum(axis=1)
        return values
    if outcome.task == "text":
        return of_means(outcome, means)
    if outcome.task == "tagging":
        hits, both = np.split(means[:, 1:], 2, axis=1)  # (R, L) each
        with np.errstate(invalid="ignore"):
            return {
                "exact_match": means[:, 0],
                "f1_micro": 2 * hits.sum(axis=1) / both.sum(axis=1),
                "f1_macro": _share(2 * hits, both).sum(axis=1) / (both > 0).sum(axis=1),
            }
    values = {"mae": means[:, 0], "rmse": np.sqrt(means[:, 1])}
    values["r2"] = _r2(outcome.truth, means[:, 1:4])
    if (outcome.truth != 0).all():
        values["mape"] = means[:, 4]
    if (logarithms := outcome.logarithms) is not None:
        values["mae_log"] = means[:, 5]
        values["r2_log"] = _r2(logarithms[0], means[:, 6:9])
    elif outcome.log:
        values["r2_log"] = np.full(len(means), np.nan)
    return values


def _row_values(outcome: Outcome) -> np.ndarray:
    """``(N, K)`` whose means over rows hold all that the metrics need."""
    if outcome.task == "text":
        return columns_of(outcome)
    shares, right = outcome.shares, outcome.right.astype(np.float64)
    if outcome.task == "tagging":
        truth, answer = outcome.truth, outcome.answer
        return np.column_stack([right, truth & answer, truth.astype(np.int8) + answer])
    if outcome.task == "classification":
        if shares is None:
            return right[:, None]
        rows, eps = np.arange(len(outcome)), np.finfo(np.float64).eps
        confidence = shares.max(axis=1)
        gaps = np.zeros((len(outcome), BINS))
        gaps[rows, confidence_bins(confidence)] = right - confidence
        surprise = -np.log(np.clip(shares[rows, outcome.truth], eps, 1 - eps))
        return np.column_stack([right, surprise, gaps])
    columns = []
    for truth, answer in filter(None, [(outcome.truth, outcome.answer), outcome.logarithms]):
        truth, error = truth.astype(np.float64), truth.astype(np.float64) - answer
        centred = truth - truth.mean()  # else the variance drowns in a large mean
        size = np.where(truth == 0, 1, np.abs(truth))
        columns += [np.abs(error), error**2, centred, centred**2, np.abs(error) / size]
    return np.column_stack(columns)


def _r2(truth: np.ndarray, means: np.ndarray) -> np.ndarray:
    """R² from means of squared error, centred truth and its square: ``(R, 3)`` → ``(R,)``."""
    if not varies(truth):
        return np.full(len(means), np.nan)
    variance = means[:, 2] - means[:, 1] ** 2
    # What is left of a constant resample's variance is rounding.
    known = variance > 1e-12 * truth.astype(np.float64).var()
    return np.where(known, 1 - means[:, 0] / np.where(known, variance, 1), np.nan)


def _from_cells(outcome: Outcome, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Metrics that are functions of the confusion matrix."""
    n, classes = len(outcome), len(outcome.labels)
    cells, counts = np.unique(outcome.truth * classes + outcome.answer, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=resamples)  # (R, cells)
    truth, answer = np.divmod(cells, classes)
    used = np.union1d(truth, answer)
    is_truth, is_answer = truth[:, None] == used, answer[:, None] == used  # (cells, used)
    drawn = drawn.astype(np.float64)
    support, answered = drawn @ is_truth, drawn @ is_answer  # (R, used)
    hits = drawn @ (is_truth & is_answer)
    recall = _share(hits, support)
    seen = ((support + answered) > 0).sum(axis=1)
    return {
        "balanced_accuracy": recall.sum(axis=1) / (support > 0).sum(axis=1),
        "precision_macro": _share(hits, answered).sum(axis=1) / seen,
        "recall_macro": recall.sum(axis=1) / seen,
        "f1_macro": _share(2 * hits, support + answered).sum(axis=1) / seen,
    }


def _from_order(outcome: Outcome, resamples: int, seed: int) -> dict[str, np.ndarray]:
    """Metrics that depend on the order of the probabilities, averaged over classes or tags."""
    shares = outcome.shares
    assert shares is not None
    n, labels = shares.shape
    tagging = outcome.task == "tagging"
    weighted = weighted_average_precision if tagging else weighted_auroc
    positives = outcome.truth if tagging else outcome.truth[:, None] == np.arange(labels)
    present = np.flatnonzero(positives.any(axis=0))
    if not tagging and len(present) < 2:
        present = present[:0]
    means = []
    for counts in draws(n, min(resamples, _most_ranked(outcome)), seed):
        by_row = np.ascontiguousarray(counts.T, dtype=np.float32)  # (N, r): a row is one gather
        total, defined = np.zeros(len(counts)), np.zeros(len(counts))
        for label in present:
            values = weighted(positives[:, label], shares[:, label], by_row)
            total += np.nan_to_num(values)
            defined += ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            means.append(total / defined)
    return {"map" if tagging else "auroc": np.concatenate(means)}


def _most_ranked(outcome: Outcome) -> int:
    """The resamples that metrics of the order of rows are worth."""
    return max(50, min(RANK_RESAMPLES, _RANKED // max(1, len(outcome) * len(outcome.labels))))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part / whole``, 0 where there is nothing to share."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
