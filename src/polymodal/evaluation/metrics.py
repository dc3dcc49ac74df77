"""The metrics: their names for people, their meaning, and their values on an outcome."""

from dataclasses import dataclass

import numpy as np

from polymodal.evaluation.language import Language
from polymodal.evaluation.outcome import Outcome, Task
from polymodal.evaluation.text_scores import columns_of, headline_of, item_scores, of_means

BINS = 15
"""Bins of the calibration error and of the calibration chart (Guo et al. 2017)."""


@dataclass(frozen=True)
class Metric:
    """How a metric is to be read.

    Args:
        higher_is_better: False for errors and losses.
        label: its name, per language.
        meaning: one line on what it says, per language.
    """

    higher_is_better: bool
    label: dict[Language, str]
    meaning: dict[Language, str]


def _metric(higher_is_better: bool, en: str, zh: str, meaning_en: str, meaning_zh: str) -> Metric:
    return Metric(higher_is_better, {"en": en, "zh": zh}, {"en": meaning_en, "zh": meaning_zh})


# fmt: off
METRICS: dict[str, Metric] = {
    "accuracy": _metric(True, "accuracy", "准确率",
        "share of rows answered right", "回答正确的行所占比例"),
    "balanced_accuracy": _metric(True, "balanced accuracy", "平衡准确率",
        "mean over the classes of the share answered right: rare classes count as much as common",
        "各类别正确率的平均：稀有类别与常见类别同等重要"),
    "precision_macro": _metric(True, "precision (macro)", "精确率（宏平均）",
        "of the rows given a class, the share that has it; mean over the classes",
        "被判为某类的行中确属该类的比例，各类平均"),
    "recall_macro": _metric(True, "recall (macro)", "召回率（宏平均）",
        "of the rows that have a class, the share found; mean over the classes seen or answered",
        "某类的行中被找出的比例，各类平均"),
    "f1_macro": _metric(True, "F1 (macro)", "F1（宏平均）",
        "harmonic mean of precision and recall; mean over the classes",
        "精确率与召回率的调和平均，各类平均"),
    "f1_micro": _metric(True, "F1 (micro)", "F1（微平均）",
        "harmonic mean of precision and recall over all tags of all rows taken together",
        "所有行的所有标签合在一起的精确率与召回率的调和平均"),
    "auroc": _metric(True, "AUROC", "AUROC",
        "chance that a row of a class gets a higher probability of it than another row; "
        "0.5 is guessing",
        "某类的行得到的该类概率高于其他行的几率；0.5 等于随机猜测"),
    "log_loss": _metric(False, "log loss", "对数损失",
        "mean negative logarithm of the probability given to the truth",
        "真实类别所得概率的负对数的平均"),
    "calibration_error": _metric(False, "calibration error", "校准误差",
        "mean gap between how sure the model is and how often it is right",
        "模型的把握与实际正确率之间的平均差距"),
    "map": _metric(True, "mean average precision", "平均精度均值",
        "how well the probabilities rank the rows that have a tag first; mean over the tags",
        "按概率排序时，带某标签的行排在前面的程度，各标签平均"),
    "exact_match": _metric(True, "exact match", "完全匹配率",
        "share of rows whose answer is wholly right: every tag, or every word of a text",
        "答案完全正确的行所占比例：所有标签，或文本的每个词"),
    "vqa_accuracy": _metric(True, "VQA accuracy", "VQA 准确率",
        "share of rows answered as people did; three who agree make an answer wholly right",
        "与人工答案一致的比例；三人一致即视为完全正确"),
    "token_f1": _metric(True, "word F1", "词 F1",
        "harmonic mean of precision and recall of a text's words, whatever their order; "
        "best reference",
        "文本用词的精确率与召回率的调和平均，不计顺序，取最佳参考"),
    "bleu_1": _metric(True, "BLEU-1", "BLEU-1",
        "share of the words that a reference has, too", "参考文本中也出现的词所占比例"),
    "bleu_2": _metric(True, "BLEU-2", "BLEU-2",
        "as BLEU-1, with sequences of two words", "同 BLEU-1，另计两词序列"),
    "bleu_3": _metric(True, "BLEU-3", "BLEU-3",
        "as BLEU-1, with sequences of up to three words", "同 BLEU-1，另计至多三词的序列"),
    "bleu_4": _metric(True, "BLEU-4", "BLEU-4",
        "as BLEU-1, with sequences of up to four words: the usual score of translations",
        "同 BLEU-1，另计至多四词的序列：翻译的常用得分"),
    "chrf": _metric(True, "chrF", "chrF",
        "share of the sequences of up to six characters that answer and reference have in common",
        "答案与参考共有的至多六字符序列所占比例"),
    "rouge_l": _metric(True, "ROUGE-L", "ROUGE-L",
        "F1 of the longest sequence of words in the same order", "最长同序词序列的 F1"),
    "meteor": _metric(True, "METEOR (exact, stem)", "METEOR（原词与词干）",
        "words and stems in common, recall before precision, less for words out of order; "
        "synonyms are not known",
        "共有的词与词干，重召回，词序错乱扣分；不识同义词"),
    "cider": _metric(True, "CIDEr-D", "CIDEr-D",
        "telling sequences of words in common with the references; 1 is about what people reach",
        "与参考共有的有信息量的词序列；人类约为 1"),
    "wer": _metric(False, "word error rate", "词错误率",
        "words to be changed, added or taken out, as a share of the reference's",
        "需替换、插入或删除的词占参考词数的比例"),
    "cer": _metric(False, "character error rate", "字错误率",
        "characters to be changed, added or taken out, as a share of the reference's",
        "需替换、插入或删除的字符占参考字符数的比例"),
    "perplexity": _metric(False, "perplexity", "困惑度",
        "among how many equally likely tokens the model hesitates at each step of the reference",
        "在参考文本的每一步，模型相当于在多少个等可能的词元间犹豫"),
    "mae": _metric(False, "mean absolute error", "平均绝对误差",
        "mean distance from the truth, in the target's unit", "与真实值的平均距离（目标单位）"),
    "rmse": _metric(False, "root mean squared error", "均方根误差",
        "as the mean absolute error, but large errors weigh more",
        "与平均绝对误差类似，但大误差权重更高"),
    "r2": _metric(True, "R²", "R²",
        "share of the variance explained: 1 is perfect, 0 is as good as the mean",
        "解释的方差比例：1 为完美，0 等同于预测均值"),
    "mape": _metric(False, "mean absolute percentage error", "平均绝对百分比误差",
        "mean error as a share of the truth", "误差占真实值比例的平均"),
    "r2_log": _metric(True, "R² (log scale)", "R²（对数尺度）",
        "share of the variance of the logarithm explained", "对数值方差中被解释的比例"),
    "mae_log": _metric(False, "mean absolute error (log scale)", "平均绝对误差（对数尺度）",
        "mean distance of the logarithms: 0.1 is about 10% off",
        "对数值的平均距离：0.1 约偏差 10%"),
}
# fmt: on

HIGHER_IS_BETTER = {name: metric.higher_is_better for name, metric in METRICS.items()}
LABELS = {name: metric.label for name, metric in METRICS.items()}
HEADLINE: dict[Task, str] = {
    "classification": "accuracy",
    "tagging": "map",
    "regression": "r2",
    "text": "token_f1",
}
"""The one number a target is judged by; ``r2_log`` where the target is on a log scale, and of
texts what :func:`headline` says."""


def headline(outcome: Outcome) -> str:
    """The name of the metric by which the outcome's target is judged."""
    if outcome.task == "text":
        return headline_of(outcome)
    return "r2_log" if outcome.log else HEADLINE[outcome.task]


def headline_value(outcome: Outcome) -> float:
    """The one number an outcome is judged by, NaN where not defined."""
    if outcome.task == "classification":  # judged after every epoch: the others take their time
        return float(outcome.right.mean()) if len(outcome) else float("nan")
    if outcome.task == "text" and len(outcome):
        return float(item_scores(outcome, headline(outcome)).mean())
    return measure(outcome)[headline(outcome)]


def measure(outcome: Outcome) -> dict[str, float]:
    """Every metric of an outcome; NaN where one is not defined.

    When to choose which: ``accuracy`` where all rows matter alike, ``balanced_accuracy`` or
    ``f1_macro`` where rare classes do; ``auroc`` and ``map`` where the order counts more than a
    threshold; ``log_loss`` and ``calibration_error`` (Guo et al., *On Calibration of Modern
    Neural Networks*, 2017) where the probabilities themselves are used; ``mae`` over ``rmse``
    where outliers should not rule; the log versions where values span orders of magnitude. Of
    texts: ``exact_match`` for short answers, ``cider`` for captions with several references,
    ``bleu_4`` and ``chrf`` for translations, ``wer`` and ``cer`` for what was spoken.

    Args:
        outcome: what a model said and what is true.

    Example:
        >>> truth, answer = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0])
        >>> scores = measure(Outcome("price", "regression", truth, answer, None, (), np.arange(3)))
        >>> round(scores["mae"], 3), scores["r2"]
        (0.333, 0.5)
    """
    return {
        "classification": _classification,
        "tagging": _tagging,
        "regression": _regression,
        "text": _text,
    }[outcome.task](outcome)


def measure_labels(outcome: Outcome) -> dict[str, dict[str, float]]:
    """Precision, recall, F1 and support of each class or tag; NaN where one is not defined."""
    if outcome.task in ("regression", "text"):
        return {}
    hits, answered, support = label_counts(outcome)
    with np.errstate(invalid="ignore"):
        precision, recall, f1 = hits / answered, hits / support, 2 * hits / (answered + support)
    return {
        label: {
            "precision": float(precision[i]),
            "recall": float(recall[i]),
            "f1": float(f1[i]),
            "support": float(support[i]),
        }
        for i, label in enumerate(outcome.labels)
    }


def label_counts(outcome: Outcome) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of each class or tag that were found, rows answered with it, rows that have it."""
    truth, answer, labels = outcome.truth, outcome.answer, len(outcome.labels)
    if outcome.task == "tagging":
        return (truth & answer).sum(axis=0), answer.sum(axis=0), truth.sum(axis=0)
    return (
        np.bincount(truth[outcome.right], minlength=labels),
        np.bincount(answer, minlength=labels),
        np.bincount(truth, minlength=labels),
    )


def confidence_bins(confidence: np.ndarray) -> np.ndarray:
    """The bin, 0 to ``BINS - 1``, of each confidence: bin k holds those in (k, k + 1] / BINS."""
    return np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _classification(outcome: Outcome) -> dict[str, float]:
    # scikit-learn takes 1.7 s to import: only evaluating pays for it, not starting up.
    from sklearn import metrics

    truth, answer, shares = outcome.truth, outcome.answer, outcome.shares
    names = [
        "accuracy", "balanced_accuracy", "precision_macro", "recall_macro", "f1_macro",
        "auroc", "log_loss", "calibration_error",
    ]  # fmt: skip
    values = dict.fromkeys(names, np.nan)
    if not len(outcome):
        return values
    present = np.unique(truth)
    values["accuracy"] = metrics.accuracy_score(truth, answer)
    values["balanced_accuracy"] = metrics.recall_score(
        truth, answer, labels=present, average="macro", zero_division=0
    )
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, answer, average="macro", zero_division=0
    )
    values |= {"precision_macro": precision, "recall_macro": recall, "f1_macro": f1}
    if shares is not None:
        if len(present) > 1:
            ranks = [metrics.roc_auc_score(truth == c, shares[:, c]) for c in present]
            values["auroc"] = np.mean(ranks)
        if len(outcome.labels) > 1:
            labels = np.arange(len(outcome.labels))
            values["log_loss"] = metrics.log_loss(truth, shares, labels=labels)
        confidence = shares.max(axis=1)
        gaps = np.bincount(confidence_bins(confidence), outcome.right - confidence)
        values["calibration_error"] = np.abs(gaps).sum() / len(outcome)
    return {name: float(value) for name, value in values.items()}


def _tagging(outcome: Outcome) -> dict[str, float]:
    from sklearn import metrics

    truth, answer, shares = outcome.truth, outcome.answer, outcome.shares
    values = dict.fromkeys(["map", "f1_micro", "f1_macro", "exact_match"], np.nan)
    if not truth.size:
        return values
    present = np.flatnonzero(truth.any(axis=0))
    if shares is not None and len(present):
        ranks = [metrics.average_precision_score(truth[:, t], shares[:, t]) for t in present]
        values["map"] = np.mean(ranks)
    if truth.any() or answer.any():
        # Not scikit-learn's: it takes a table of one tag for a binary classification.
        hits, answered, support = label_counts(outcome)
        used = (both := answered + support) > 0
        values["f1_micro"] = 2 * hits.sum() / both.sum()
        values["f1_macro"] = np.mean(2 * hits[used] / both[used])
    values["exact_match"] = outcome.right.mean()
    return {name: float(value) for name, value in values.items()}


def _regression(outcome: Outcome) -> dict[str, float]:
    from sklearn import metrics

    truth, answer = outcome.truth.astype(np.float64), outcome.answer.astype(np.float64)
    values = dict.fromkeys(["mae", "rmse", "r2", "mape"], np.nan)
    if outcome.log:
        values |= {"r2_log": np.nan, "mae_log": np.nan}
    if not len(outcome):
        return values
    values["mae"] = metrics.mean_absolute_error(truth, answer)
    values["rmse"] = metrics.root_mean_squared_error(truth, answer)
    if varies(truth):
        values["r2"] = metrics.r2_score(truth, answer)
    if (truth != 0).all():
        values["mape"] = metrics.mean_absolute_percentage_error(truth, answer)
    if (logarithms := outcome.logarithms) is not None:
        values["mae_log"] = metrics.mean_absolute_error(*logarithms)
        if varies(logarithms[0]):
            values["r2_log"] = metrics.r2_score(*logarithms)
    return {name: float(value) for name, value in values.items()}


def _text(outcome: Outcome) -> dict[str, float]:
    if not len(outcome):
        return {headline(outcome): np.nan}
    means = columns_of(outcome).mean(axis=0, keepdims=True)
    return {name: float(values[0]) for name, values in of_means(outcome, means).items()}


def varies(values: np.ndarray) -> bool:
    """Whether there are at least two values that differ."""
    return len(values) > 1 and bool(values.min() < values.max())
