"""All scores of written texts, each from numbers of single rows that can be drawn anew.

Letters: N rows · K numbers of a row · R resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from polymodal.errors import MissingExtra
from polymodal.evaluation.cider import cider
from polymodal.evaluation.meteor import meteor
from polymodal.evaluation.n_grams import Bleu, Chrf, rouge_l
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.word_errors import character_errors, word_errors
from polymodal.evaluation.wording import exact_match, token_f1, vqa_accuracy, words

SHORT = 3
"""Words up to which a usual answer is right or wrong as a whole."""
SEVERAL = 1.5
"""References of a row, on average, from which texts are judged by what they share with them."""


@dataclass(frozen=True)
class Part:
    """One score, or some that are made of the same numbers.

    Args:
        columns: ``(N, K)`` numbers of each row.
        read: the scores from the means of these ``(K,)``.
    """

    columns: np.ndarray
    read: Callable[[np.ndarray], dict[str, float]]


def headline_of(outcome: Outcome) -> str:
    """The score by which texts are judged: all are means over rows, and better when higher.

    Exact match of short answers, CIDEr-D of longer ones with several references, else the F1 of
    their words.
    """
    short = _usual_words(outcome) <= SHORT
    if short:
        return "exact_match"
    return "cider" if _several(outcome) and _installed(cider) else "token_f1"


def item_scores(outcome: Outcome, metric: str) -> np.ndarray:
    """A score of each row ``(N,)``, for those that are means over rows."""
    answers, references = _texts(outcome)
    if metric == "cider":
        return cider(answers, references)
    score = {"exact_match": exact_match, "token_f1": token_f1}[metric]
    pairs = zip(answers, references, strict=True)
    return np.array([score(answer, texts) for answer, texts in pairs], np.float64)


@lru_cache(maxsize=32)
def text_parts(outcome: Outcome) -> tuple[Part, ...]:
    """What every score is made of; those whose package is not installed are left out."""
    answers, references = _texts(outcome)
    parts = [_mean("exact_match", answers, references, exact_match)]
    if _several(outcome) and _usual_words(outcome) <= SHORT:
        parts.append(_mean("vqa_accuracy", answers, references, vqa_accuracy))
    parts.append(_mean("token_f1", answers, references, token_f1))
    for make in (_bleu, _chrf, _rouge, _meteor, _cider, _wer, _cer):
        try:
            parts.append(make(answers, references))
        except MissingExtra:
            continue  # said once, where the data's findings are
    if outcome.surprise is not None:
        parts.append(Part(outcome.surprise, lambda m: {"perplexity": _perplexity(m)}))
    first = headline_of(outcome)
    return tuple(sorted(parts, key=lambda part: first not in part.read(part.columns.mean(0))))


def missing_packages() -> list[str]:
    """The packages without which scores of texts are left out."""
    wanted: dict[str, Callable[..., object]] = {
        "sacrebleu": Chrf,
        "rouge-score": rouge_l,
        "pycocoevalcap": cider,
        "jiwer": word_errors,
    }
    return [name for name, score in wanted.items() if not _installed(score)]


def _installed(score: Callable[..., object]) -> bool:
    try:
        score() if score is Chrf else score([], [])
    except MissingExtra:
        return False
    return True


def columns_of(outcome: Outcome) -> np.ndarray:
    """The numbers of each row ``(N, K)`` of which all scores are made."""
    return np.concatenate([part.columns for part in text_parts(outcome)], axis=1)


def of_means(outcome: Outcome, means: np.ndarray) -> dict[str, np.ndarray]:
    """Every score ``(R,)`` from means of :func:`columns_of` ``(R, K)``; the headline first."""
    found: dict[str, list[float]] = {}
    start = 0
    for part in text_parts(outcome):
        end = start + part.columns.shape[1]
        for row in means[:, start:end]:
            for name, value in part.read(row).items():
                found.setdefault(name, []).append(value)
        start = end
    return {name: np.array(values) for name, values in found.items()}


def _texts(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    references = [[text for text in row if text] for row in outcome.truth.tolist()]
    return outcome.answer.tolist(), references


def _several(outcome: Outcome) -> bool:
    return len(outcome) > 0 and float((outcome.truth != "").sum(1).mean()) >= SEVERAL


@lru_cache(maxsize=32)
def _usual_words(outcome: Outcome) -> float:
    counts = [len(words(text)) for row in outcome.truth.tolist() for text in row if text]
    return float(np.median(counts)) if counts else 0.0


def _mean(
    name: str,
    answers: Sequence[str],
    references: Sequence[Sequence[str]],
    score: Callable[[str, Sequence[str]], float],
) -> Part:
    found = [score(answer, texts) for answer, texts in zip(answers, references, strict=True)]
    return _plain(name, np.array(found, np.float64))


def _plain(name: str, scores: np.ndarray) -> Part:
    return Part(scores[:, None], lambda means: {name: float(means[0])})


def _bleu(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    bleu = Bleu(references)
    counts, rows = bleu.counts(answers, references), len(answers)
    return Part(counts, lambda means: bleu.of_sums(means * rows))


def _chrf(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    chrf = Chrf()
    counts, rows = chrf.counts(answers, references), len(answers)
    return Part(counts, lambda means: chrf.of_sums(means * rows))


def _rouge(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    return _plain("rouge_l", rouge_l(answers, references))


def _meteor(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    return _mean("meteor", answers, references, meteor)


def _cider(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    return _plain("cider", cider(answers, references))


def _wer(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    return Part(word_errors(answers, references), lambda means: {"wer": _ratio(means)})


def _cer(answers: Sequence[str], references: Sequence[Sequence[str]]) -> Part:
    return Part(character_errors(answers, references), lambda means: {"cer": _ratio(means)})


def _ratio(means: np.ndarray) -> float:
    return float(means[0] / means[1]) if means[1] else float("nan")


def _perplexity(means: np.ndarray) -> float:
    return float(np.exp(min(_ratio(means), 700.0)))
