"""Rows, and single columns of them, as vectors.

Letters: N rows · D width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch
from polymodal.errors import PolymodalError
from polymodal.model import MultimodalModel

Kind = Literal["float32", "float16", "int8", "binary"]
"""How a vector's numbers are kept."""


def branch_of(model: MultimodalModel, column: str) -> str:
    """The branch of the network that reads an input column."""
    return next(branch for branch, columns in model.columns.items() if column in columns)


def embed_batches(
    model: MultimodalModel,
    batches: Iterable[Batch],
    column: str | None = None,
    *,
    device: torch.device | str = "cpu",
) -> tuple[np.ndarray, np.ndarray]:
    """The vector of each row: of all its columns together, or of one of them.

    Of a network whose columns live in one space, the vector of a column is that of the row with
    all other columns hidden; of any other network, what the column's encoder makes of the cell.

    Args:
        model: the network; it is put into evaluation mode.
        batches: with the columns of ``column``'s branch, or with all.
        column: an input column; None for the whole row.
        device: where to compute.

    Returns:
        the rows' numbers ``(N,)`` and their vectors ``(N, D)`` float32, zero where the row has no
        such cell (for the whole row: no cell at all).
    """
    model.eval()
    rows, vectors = [np.zeros(0, np.int64)], []
    with torch.inference_mode():
        for batch in batches:
            vectors.append(_vectors(model, batch.to(device), column).float().cpu().numpy())
            rows.append(batch.rows.cpu().numpy())
    return np.concatenate(rows), np.concatenate(vectors)


def _vectors(model: MultimodalModel, batch: Batch, column: str | None) -> Tensor:
    """``(B, D)``."""
    branch = None
    if column is not None:
        branch = branch_of(model, column)
        batch = batch.without(set(batch.inputs) - {column})
    tokens, present = model.encode(batch, only=branch)
    here = torch.stack(list(present.values())).any(0)
    if branch is not None and not model.aligned:
        vectors = tokens[branch].pooled
    else:
        vectors = model.vector(tokens, present)
    return torch.where(here[:, None], vectors, 0.0)


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Vectors ``(N, D)`` of length 1; a vector of zeros stays one.

    >>> normalised(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)


def mean_of_each(vectors: np.ndarray, whose: np.ndarray) -> np.ndarray:
    """The mean direction of the vectors of each thing.

    Args:
        vectors: ``(N, D)``; those of zeros do not count.
        whose: ``(N,)`` numbers of things, from 0 on, each at least once.

    Example:
        >>> mean_of_each(np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), np.array([0, 0, 1]))
        array([[0.5, 0.5],
               [0. , 0. ]])
    """
    total = np.zeros((int(whose.max()) + 1, vectors.shape[1]), vectors.dtype)
    np.add.at(total, whose, normalised(vectors))
    count = np.bincount(whose, weights=(vectors != 0).any(1))
    return (total / np.maximum(count, 1)[:, None]).astype(vectors.dtype)


def kept_as(vectors: np.ndarray, kind: Kind) -> np.ndarray:
    """Vectors with smaller numbers: what an index keeps of them.

    Args:
        vectors: ``(N, D)`` float32.
        kind: ``float32``; ``float16``; ``int8``: each row scaled so that its largest number is
            ±127 (compare by cosine); ``binary``: one bit for each number, 1 where it is above 0,
            eight of them in a byte ``(N, ceil(D / 8))`` uint8 (compare by Hamming distance).

    Raises:
        PolymodalError: there is no such kind.

    Example:
        >>> vectors = np.array([[0.6, -0.8], [0.0, 0.0]], np.float32)
        >>> kept_as(vectors, "int8").tolist(), kept_as(vectors, "binary").tolist()
        ([[95, -127], [0, 0]], [[128], [0]])
    """
    if kind not in get_args(Kind):
        raise PolymodalError(f"kind is {kind!r}; known are {', '.join(get_args(Kind))}.")
    if kind == "binary":
        return np.packbits(vectors > 0, axis=-1)
    if kind == "int8":
        largest = np.abs(vectors).max(axis=-1, keepdims=True, initial=0)
        return np.round(vectors * (127 / np.where(largest > 0, largest, 1))).astype(np.int8)
    return vectors.astype(kind)
