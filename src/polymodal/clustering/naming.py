"""What groups are about: the words and values that are typical of each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from polymodal.data.modalities.text import IDEOGRAPHS

WORDS_OF_NAME = 3
FEWEST = 2
SHARE = 0.3
"""A value names a group that holds it in this share of its rows, and twice as often as others."""
EMPTY_WORDS = frozenset((
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has",
    "have", "he", "her", "his", "i", "in", "into", "is", "it", "its", "no", "not", "of", "on",
    "one", "or", "out", "over", "she", "some", "than", "that", "the", "their", "them", "then",
    "there", "they", "this", "to", "two", "up", "was", "were", "what", "which", "who", "will",
    "with", "you",
))  # fmt: skip
EMPTY_SIGNS = frozenset("的了在是和有我他她它们这那个一不与及或就也都而着被把从到为对于上下中里")


def words_of(text: str) -> list[str]:
    """The words of a text that can name something; of Chinese, pairs of characters.

    Chinese is not cut by a dictionary: a pair of characters that is typical is a word, mostly.

    >>> words_of("The red hearts of 红心 2"), words_of("狗")
    (['red', 'hearts', '红心'], ['狗'])
    """
    found: list[str] = []
    for part in re.findall(rf"[{IDEOGRAPHS}]+|[^\W\d_{IDEOGRAPHS}]+", text.lower()):
        if not re.match(f"[{IDEOGRAPHS}]", part):
            found += [part] if len(part) > 1 and part not in EMPTY_WORDS else []
            continue
        for run in re.split(f"[{''.join(EMPTY_SIGNS)}]+", part):
            found += [a + b for a, b in pairwise(run)] or ([run] if run else [])
    return found


def typical_words(
    texts: Sequence[str | None], groups: np.ndarray, most: int = WORDS_OF_NAME
) -> list[list[str]]:
    """The words that are frequent in a group and rare in the others, for each group.

    Class-based TF-IDF (Grootendorst, *BERTopic*, 2022): the group's texts are one, and a word
    counts in it by its share times log(1 + mean words of a group / how often it occurs in all). A
    word counts once for each row.

    Args:
        texts: ``(N,)``, None where absent.
        groups: ``(N,)``, -1 for none.
        most: words of each.

    Example:
        >>> typical_words(["red bus", "red car", "blue sky", "blue sea"], np.array([0, 0, 1, 1]))
        [['red'], ['blue']]
    """
    counts = [Counter[str]() for _ in range(groups.max(initial=-1) + 1)]
    for text, number in zip(texts, groups, strict=True):
        if text is not None and number >= 0:
            counts[number].update(dict.fromkeys(words_of(text), 1))
    everywhere: Counter[str] = Counter()
    for count in counts:
        everywhere.update(count)
    mean = sum(everywhere.values()) / max(len(counts), 1)
    names = []
    for count in counts:
        total = max(sum(count.values()), 1)
        scores = {
            word: n / total * float(np.log1p(mean / everywhere[word]))
            for word, n in count.items()
            if n >= FEWEST
        }
        best = sorted(scores, key=lambda word: (-scores[word], word))
        names.append(_without_parts(best, most))
    return names


def typical_values(values: Sequence[Any], groups: np.ndarray, most: int = 2) -> list[list[str]]:
    """The values that many rows of a group have, and few others, for each group.

    Args:
        values: ``(N,)`` of a column of categories, None where absent.
        groups: ``(N,)``, -1 for none.
        most: values of each.
    """
    everywhere = Counter(str(v) for v in values if v is not None)
    total = max(sum(everywhere.values()), 1)
    names = []
    for number in range(groups.max(initial=-1) + 1):
        rows = np.flatnonzero(groups == number).tolist()
        count = Counter(str(values[row]) for row in rows if values[row] is not None)
        known = max(sum(count.values()), 1)
        names.append(
            [
                value
                for value, n in count.most_common(most)
                if n / known >= SHARE and n / known >= 2 * everywhere[value] / total
            ]
        )
    return names


def name_groups(
    groups: np.ndarray,
    texts: Mapping[str, Sequence[str | None]],
    values: Mapping[str, Sequence[Any]],
) -> list[str]:
    """A name for each group: typical values, else typical words, else its number.

    Args:
        groups: ``(N,)``, -1 for none.
        texts: column -> its texts.
        values: column -> its categories.
    """
    found: list[list[str]] = [[] for _ in range(groups.max(initial=-1) + 1)]
    for column in values.values():
        for name, more in zip(found, typical_values(column, groups), strict=True):
            name += [word for word in more if word not in name]
    for column in texts.values():
        for name, more in zip(found, typical_words(column, groups), strict=True):
            name += [word for word in more if word not in name]
    names = [", ".join(words[: 2 * WORDS_OF_NAME]) for words in found]
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [
        f"{name} ({number + 1})" if name in twice and name else name or f"group {number + 1}"
        for number, name in enumerate(names)
    ]


def _without_parts(words: Sequence[str], most: int) -> list[str]:
    """The first words but those that overlap with one before: 自行 and 行车 are one word."""
    chosen: list[str] = []
    for word in words:
        chinese = bool(re.match(f"[{IDEOGRAPHS}]", word))
        if chinese and any(set(word) & set(other) for other in chosen):
            continue
        chosen.append(word)
        if len(chosen) == most:
            break
    return chosen
