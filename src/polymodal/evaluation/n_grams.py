"""BLEU, chrF and ROUGE-L, as sacrebleu and rouge-score compute them.

Letters: N rows · R references · K counts of a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from polymodal.errors import MissingExtra
from polymodal.evaluation.wording import words

ORDERS = (1, 2, 3, 4)
_HAN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")


class Bleu:
    """BLEU of sequences of up to 1, 2, 3 and 4 words (Papineni et al. 2002), from counts of rows.

    Punctuation is a word, upper and lower case are the same; Chinese is cut into characters.

    Args:
        references: ``(N, R)`` texts, by which the language is known.

    Raises:
        MissingExtra: `sacrebleu` is not installed.
    """

    def __init__(self, references: Sequence[Sequence[str]]) -> None:
        metrics = _sacrebleu()
        han = sum(any(map(_HAN.search, texts)) for texts in references)
        tokenize = "zh" if 2 * han > len(references) else "13a"
        self._metric = metrics.BLEU(lowercase=True, tokenize=tokenize)
        longest = max((len(words(text)) for texts in references for text in texts), default=0)
        # Of single words there are no sequences of two to be right or wrong.
        self._orders = [order for order in ORDERS if order <= max(longest, 1)]

    def counts(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
        """``(N, 10)``: lengths of answer and reference, right and all n-grams of each order."""
        return _counts(self._metric, answers, references)

    def of_sums(self, sums: np.ndarray) -> dict[str, float]:
        """The scores, 0 to 1, from the counts of all rows ``(10,)``.

        Those of sequences longer than every reference are left out.
        """
        whole_numbers = sums.round().astype(int).tolist()
        (said, true), right, whole = whole_numbers[:2], whole_numbers[2:6], whole_numbers[6:]
        found = {}
        for order in self._orders:
            score = self._metric.compute_bleu(
                right[:order],
                whole[:order],
                sys_len=said,
                ref_len=true,
                smooth_method="exp",
                max_ngram_order=order,
            )
            found[f"bleu_{order}"] = score.score / 100
        return found


class Chrf:
    """chrF: the F2 of sequences of one to six characters (Popović 2015), from counts of rows.

    Raises:
        MissingExtra: `sacrebleu` is not installed.
    """

    def __init__(self) -> None:
        self._metric = _sacrebleu().CHRF(lowercase=True)

    def counts(self, answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
        """``(N, 18)``: n-grams of answer, reference and both, for each order."""
        return _counts(self._metric, answers, references)

    def of_sums(self, sums: np.ndarray) -> dict[str, float]:
        """The score, 0 to 1, from the counts of all rows ``(18,)``."""
        return {"chrf": self._metric._compute_score_from_stats(sums.round().tolist()).score / 100}


def rouge_l(answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """F1 of the longest common subsequence of words, best reference, ``(N,)`` (Lin 2004).

    Raises:
        MissingExtra: `rouge-score` is not installed.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise MissingExtra("rouge-score", "generate") from error
    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    return np.array(
        [
            scorer.score_multi(list(texts), answer)["rougeL"].fmeasure
            for answer, texts in zip(answers, references, strict=True)
        ]
    )


class _Words:
    """Our words, in the form of a tokenizer of rouge-score, whose own knows English only."""

    def tokenize(self, text: str) -> list[str]:
        return list(words(text))


def _sacrebleu() -> Any:
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise MissingExtra("sacrebleu", "generate") from error
    return metrics


def _counts(metric: Any, answers: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    # The statistics that sacrebleu's own bootstrap adds up; it has no public name for them.
    columns = [list(column) for column in zip_longest(*references)]
    return np.array(metric._extract_corpus_statistics(list(answers), columns), np.float64)
