"""The words of a text, and how many of them an answer shares with a reference."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

# Han, kana and hangul: scripts in which single characters are compared, as words are elsewhere.
_IDEOGRAPH = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}])\w)+(?:['’](?:(?![{_IDEOGRAPH}])\w)+)*")
_HUMANS = 3  # people who must agree on an answer for it to be wholly right


@lru_cache(maxsize=1 << 16)
def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case, without punctuation; of Chinese, the characters.

    >>> words("It's a Dog."), words("两只狗, 2 dogs")
    (("it's", 'a', 'dog'), ('两', '只', '狗', '2', 'dogs'))
    """
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).lower()))


def letters(text: str) -> str:
    """The words with a space between them, but for characters that are written without.

    >>> letters("Two dogs!"), letters("两只 狗。")
    ('two dogs', '两只狗')
    """
    joined = " ".join(words(text))
    return re.sub(rf"(?<=[{_IDEOGRAPH}]) (?=[{_IDEOGRAPH}])", "", joined)


def exact_match(answer: str, references: Sequence[str]) -> float:
    """1 where the answer has the words of a reference, else 0.

    >>> exact_match("A dog", ["the dog", "a dog."]), exact_match("?", ["!"])
    (1.0, 0.0)
    """

    def said(text: str) -> tuple[str, ...]:
        return words(text) or (text.strip(),)

    return float(any(said(answer) == said(reference) for reference in references))


def vqa_accuracy(answer: str, references: Sequence[str]) -> float:
    """How many of several people gave the answer: three are enough, each left out in turn.

    Of one or two people, whether one of them did. After Antol et al. 2015
    (https://arxiv.org/abs/1505.00468).

    >>> round(vqa_accuracy("red", ["red", "blue", "green", "Red.", "a red"]), 2)
    0.53
    """
    agree = [exact_match(answer, [reference]) for reference in references]
    needed = min(_HUMANS, len(agree) - 1)
    if needed < 2:
        return max(agree, default=0.0)
    others = [sum(agree) - one for one in agree]
    return sum(min(count / needed, 1.0) for count in others) / len(others)


def token_f1(answer: str, references: Sequence[str]) -> float:
    """Harmonic mean of precision and recall of the words, whatever their order; best reference.

    >>> token_f1("a red bus", ["the red bus"])
    0.6666666666666666
    """
    return max((_f1(words(answer), words(reference)) for reference in references), default=0.0)


def _f1(said: tuple[str, ...], true: tuple[str, ...]) -> float:
    if not said or not true:
        return float(said == true)
    shared = sum((Counter(said) & Counter(true)).values())
    return 2 * shared / (len(said) + len(true))
