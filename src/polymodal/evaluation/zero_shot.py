"""Naming cells by words that nobody trained a class for.

Letters: N cells · L labels · D width of a vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from polymodal.errors import PolymodalError


def prompts(labels: Sequence[str], templates: str | Sequence[str]) -> list[list[str]]:
    """Each label put into each template.

    Args:
        labels: two or more, all different.
        templates: texts with ``{}`` where the label goes.

    Raises:
        PolymodalError: there are too few labels, or a template has no place for one.

    Example:
        >>> prompts(["dog", "cat"], "a photo of a {}")
        [['a photo of a dog'], ['a photo of a cat']]
    """
    templates = [templates] if isinstance(templates, str) else list(templates)
    if len(set(labels)) < max(2, len(labels)):
        raise PolymodalError(f"Give two or more labels, all different; got {list(labels)}.")
    for template in templates or [""]:
        if "{}" not in template:
            raise PolymodalError(f"The template {template!r} has no {{}} where the label goes.")
    return [[template.replace("{}", label) for template in templates] for label in labels]


def label_shares(cells: np.ndarray, words: np.ndarray, *, scale: float) -> np.ndarray:
    """The probability of each label, as CLIP gives it: a softmax over scaled cosines.

    Args:
        cells: ``(N, D)`` of length 1; zero where there is no cell.
        words: ``(L, D)`` of length 1.
        scale: what cosines are multiplied by: one over the temperature that was learned.

    Returns:
        ``(N, L)``, NaN where there is no cell.

    Example:
        >>> shares = label_shares(np.array([[1.0, 0.0], [0.0, 0.0]]), np.eye(2), scale=1.0)
        >>> shares.round(4).tolist()  # e / (e + 1)
        [[0.7311, 0.2689], [nan, nan]]
    """
    logits = scale * (cells @ words.T)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    shares[~(cells != 0).any(1)] = np.nan
    return shares
