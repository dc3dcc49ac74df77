"""What a model said about one target, beside what is true.

Letters used for shapes, here and in the other files of this room:
    N rows · C classes · L tags · R resamples (or references of one row) · F features
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from polymodal.evaluation.wording import exact_match, token_f1

Task = Literal["classification", "tagging", "regression", "text"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a model said about one target on N rows, all of which have that target.

    Args:
        target: the target column's name.
        task: what kind of answer the target wants.
        truth: ``(N,)`` class numbers, ``(N, L)`` bool tags, ``(N,)`` values in their own unit, or
            ``(N, R)`` texts that would be right, "" where a row has fewer of them.
        answer: what the model said, shaped as ``truth``; of texts ``(N,)``.
        probabilities: ``(N, C)`` of each class, rows sum to 1, or ``(N, L)`` of each tag; None
            where the model gives none. Classes that the model does not know have probability 0.
        labels: the names of the classes or tags in the order of their numbers; empty for values.
        rows: ``(N,)`` the rows' numbers in their table.
        log: whether a value is modelled on a logarithmic scale, so that ratios matter, not sums.
        scores: of texts, how likely the model holds each answer to be ``(N,)``, 0 to 1: the
            geometric mean over its tokens; None where it does not say.
        surprise: of texts, the negative log-likelihood of the references and their tokens
            ``(N, 2)``; None where the model does not say.

    Raises:
        ValueError: the arrays do not fit together or hold values that are not finite.

    Example:
        >>> outcome = Outcome(
        ...     "kind", "classification", truth=np.array([0, 1]), answer=np.array([0, 0]),
        ...     probabilities=np.array([[0.9, 0.1], [0.6, 0.4]]), labels=("cat", "dog"),
        ...     rows=np.array([4, 7]),
        ... )
        >>> len(outcome), outcome.right.tolist()
        (2, [True, False])
    """

    target: str
    task: Task
    truth: np.ndarray
    answer: np.ndarray
    probabilities: np.ndarray | None
    labels: tuple[str, ...]
    rows: np.ndarray
    log: bool = False
    scores: np.ndarray | None = None
    surprise: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise self._error(f"has the unknown task {self.task!r}; known: {get_args(Task)}")
        shape = (len(self.rows), len(self.labels)) if self.task == "tagging" else self.rows.shape
        for name, array in (("truth", self.truth), ("answer", self.answer)):
            if self.task == "text":
                if array.dtype.kind != "U" or array.shape[:1] != shape:
                    raise self._error(f"has a {name} that is not a text for each of its rows")
                continue
            if array.shape != shape:
                raise self._error(f"has a {name} of shape {array.shape}, expected {shape}")
            if self.task == "classification" and not _within(array, len(self.labels)):
                raise self._error(
                    f"has a {name} that is not a class number below {len(self.labels)}, "
                    "the number of its labels"
                )
            if self.task == "tagging" and array.dtype != bool:
                raise self._error(f"has a {name} of type {array.dtype}, expected bool")
            if self.task == "regression" and not np.isfinite(array).all():
                bad = self.rows[~np.isfinite(array)]
                raise self._error(f"has a {name} that is not finite in {len(bad)} rows ({bad[:5]})")
        if self.probabilities is not None:
            self._check_probabilities(self.probabilities)

    def _check_probabilities(self, probabilities: np.ndarray) -> None:
        if self.task in ("regression", "text"):
            raise self._error(f"is a {self.task}, which has no probabilities")
        if probabilities.shape != (shape := (len(self.rows), len(self.labels))):
            raise self._error(f"has probabilities of shape {probabilities.shape}, expected {shape}")
        if not ((probabilities >= 0) & (probabilities <= 1.001)).all():  # NaN fails it too
            raise self._error("has probabilities that are not numbers from 0 to 1")
        if self.task == "classification":
            sums = probabilities.sum(axis=1, dtype=np.float64)
            if not np.allclose(sums, 1, atol=0.01):
                raise self._error(
                    "has probabilities whose rows do not sum to 1: turn scores into probabilities "
                    "by a softmax first"
                )

    def _error(self, problem: str) -> ValueError:
        return ValueError(f"The outcome of target {self.target!r} {problem}.")

    def __len__(self) -> int:
        """The number of rows N."""
        return len(self.rows)

    @property
    def right(self) -> np.ndarray:
        """``(N,)`` bool, where the answer is exactly the truth; of texts, word by word."""
        if self.task == "text":
            return self._of_texts(exact_match) > 0
        same = self.truth == self.answer
        return same.all(axis=1) if self.task == "tagging" else same

    @property
    def shares(self) -> np.ndarray | None:
        """The probabilities as float64, those of classes summing to 1 to the last digit."""
        if self.probabilities is None:
            return None
        shares = np.clip(self.probabilities.astype(np.float64), 0, 1)
        return shares / shares.sum(axis=1, keepdims=True) if self.task != "tagging" else shares

    @property
    def errors(self) -> np.ndarray:
        """``(N,)`` how far off each row is, 0 at best.

        One minus the probability of the true class; the mean distance of the tags'
        probabilities from the truth; the absolute error of a value (of its logarithm if ``log``);
        one minus the F1 of a text's words.
        """
        if self.task == "text":
            return 1 - self._of_texts(token_f1)
        shares = self.shares
        if self.task == "regression":
            truth, answer = self.logarithms or (self.truth, self.answer)
            return np.abs(truth - answer)
        if shares is None:
            return (~self.right).astype(np.float64)
        if self.task == "classification":
            return 1 - shares[np.arange(len(self)), self.truth]
        return np.abs(shares - self.truth).mean(axis=1)

    def _of_texts(self, score: Callable[[str, Sequence[str]], float]) -> np.ndarray:
        pairs = zip(self.answer.tolist(), self.truth.tolist(), strict=True)
        return np.array([score(said, [t for t in true if t]) for said, true in pairs], np.float64)

    @property
    def logarithms(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Natural logarithms of truth and answer; None without a log scale or above 0 only."""
        if not self.log or min(self.truth.min(initial=1), self.answer.min(initial=1)) <= 0:
            return None
        return np.log(self.truth), np.log(self.answer)

    def worst(self, count: int) -> np.ndarray:
        """The places (0 to N-1) of the rows that are most wrong, the worst first."""
        order = np.argsort(-self.errors, kind="stable")
        graded = self.task in ("regression", "text")
        wrong = order if graded else order[~self.right[order]]
        return wrong[:count]

    def surest_right(self, count: int) -> np.ndarray:
        """The places (0 to N-1) of the rows that are right with most certainty, surest first."""
        order = np.argsort(self.errors, kind="stable")
        graded = self.task in ("regression", "text")
        right = order if graded else order[self.right[order]]
        return right[:count]


def _within(numbers: np.ndarray, classes: int) -> bool:
    """Whether all are whole numbers from 0 to ``classes - 1``."""
    whole = np.issubdtype(numbers.dtype, np.integer)
    return bool(whole and ((numbers >= 0) & (numbers < classes)).all())
