"""What rows are compared by: a model's vectors, or hand-made features where there is no model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from polymodal.data.modalities import Modality
from polymodal.data.modalities.text import IDEOGRAPHS
from polymodal.data.pack import pack
from polymodal.data.schema import ColumnSchema
from polymodal.data.table import Table
from polymodal.errors import SchemaError, nearest
from polymodal.evaluation.features import table_features
from polymodal.predictor import Predictor
from polymodal.preparation import dataset_of, learned
from polymodal.recipe import Recipe

WIDTH = 64
"""Numbers that are kept of one column's hand-made features."""
TERMS = 20_000
TOKEN = rf"(?u)[^\W\d_{IDEOGRAPHS}][^\W_{IDEOGRAPHS}]+|[{IDEOGRAPHS}]"
HAND_MADE = {
    "image": "a miniature and its colours",
    "gallery": "miniatures and colours",
    "audio": "means and spreads of its log-mel bands",
    "video": "miniatures of frames",
    "text": "the words it uses (TF-IDF)",
    "category": "its value",
    "number": "its value",
}


@dataclass(frozen=True)
class RowVectors:
    """Rows as vectors. Letters: N rows · D numbers of a vector.

    Args:
        table: the rows, with the columns that modalities read.
        modalities: column -> fitted modality, which shows its cells.
        columns: column -> its vectors ``(N, D)``; zero where the cell is absent.
        whole: ``(N, D)`` of whole rows.
        made_by: what made them, in words.
        by_model: whether that was a trained model.
    """

    table: Table
    modalities: Mapping[str, Modality]
    columns: Mapping[str, np.ndarray]
    whole: np.ndarray
    made_by: str
    by_model: bool


def vectors_by_model(
    predictor: Predictor, data: Any, columns: Sequence[str] | None = None
) -> RowVectors:
    """What a trained model makes of rows.

    Args:
        predictor: the model.
        data: a table as :meth:`Table.read` takes it.
        columns: only these columns, side by side; None for whole rows.

    Raises:
        PolymodalError: the model makes no vectors of a column, or the table lacks one.
    """
    table = Table.read(data)
    _check_columns(columns, predictor.embeds)
    named = list(predictor.embeds if columns is None else columns)
    made = {name: predictor.embed(table, name).astype(np.float64) for name in named}
    whole = predictor.embed(table).astype(np.float64) if columns is None else beside(made)
    sources = {n: s for n, s in predictor.run.schema.sources.items() if n not in table.names}
    return RowVectors(
        table.with_views(sources),
        predictor.run.modalities,
        made,
        whole,
        "vectors of the model" + ("" if columns is None else f" for {', '.join(columns)}"),
        by_model=True,
    )


def vectors_by_hand(
    data: Any,
    columns: Sequence[str] | None = None,
    *,
    without: Sequence[str] = (),
    recipe: Recipe | None = None,
    seed: int = 0,
) -> RowVectors:
    """Hand-made features of rows, for tables without a trained model.

    Pictures by their colours, sounds by their bands, texts by their words: what looks or reads
    alike on the surface is alike, not what means the same. Each column counts alike.

    Args:
        data: a table as :meth:`Table.read` takes it.
        columns: only these; None for all that are inputs.
        without: columns that must not count, such as labels to compare with.
        recipe: what columns are, where that is not to be guessed.
        seed: of the projections.

    Raises:
        PolymodalError: the table cannot be read, or has no such column.
    """
    chosen = recipe or Recipe.load(None)
    dataset = dataset_of(chosen, Table.read(data), [])
    modalities = learned(chosen, dataset)
    inputs = [n for n in dataset.schema.inputs if n not in without]
    _check_columns(columns, inputs)
    named = inputs if columns is None else list(columns)
    used = {name: modalities[name] for name in named}
    rows = np.arange(len(dataset.table))
    texts = [name for name in named if used[name].name == "text"]
    others = {name: modality for name, modality in used.items() if name not in texts}
    packed = pack(dataset.table, others, workers=os.cpu_count() or 1)
    features = table_features(packed, others, rows)
    made = {}
    for name in named:
        if name in texts:
            made[name] = text_features(dataset.table.cells(name), seed=seed)
        elif used[name].name == "category":
            made[name] = _one_hot(dataset.table.codes(name))
        else:
            made[name] = reduced(features[name], seed=seed)
    return RowVectors(
        dataset.table,
        modalities,
        made,
        beside(made),
        "no model, but hand-made features: " + _told(dataset.schema.columns, named),
        by_model=False,
    )


def reduced(features: np.ndarray, *, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Features ``(N, F)`` as at most ``width`` numbers that keep most of their spread.

    Standardised, then their principal components; zero where the cell is absent (NaN).
    """
    from sklearn.decomposition import PCA

    there = ~np.isnan(features).all(axis=1)
    known = np.nan_to_num(features[there].astype(np.float64))
    spread = known.std(0)
    known = (known - known.mean(0))[:, spread > 1e-9] / spread[spread > 1e-9]
    if not known.size:
        return np.zeros((len(features), 1))
    most = min(width, *known.shape)
    if most < known.shape[1]:
        known = PCA(most, random_state=seed).fit_transform(known)
    found = np.zeros((len(features), known.shape[1]))
    found[there] = known
    return found


def text_features(cells: Sequence[Any], *, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Texts ``(N,)`` by the words they use: TF-IDF, then its main directions ``(N, D)``.

    Each ideograph, and each pair of them that stand side by side, is a word.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    there = np.array([cell is not None for cell in cells])
    said = [_written(cell) for cell in cells if cell is not None]
    learn = TfidfVectorizer(
        token_pattern=TOKEN, ngram_range=(1, 2), max_features=TERMS, sublinear_tf=True,
        min_df=min(2, max(len(said) // 50, 1)),
    )  # fmt: skip
    try:
        counts = learn.fit_transform(said)
    except ValueError:  # no word occurs twice
        return np.zeros((len(cells), 1))
    most = min(width, min(counts.shape) - 1)
    if most < 1:
        return np.zeros((len(cells), 1))
    directions = TruncatedSVD(most, random_state=seed).fit_transform(counts)
    found = np.zeros((len(cells), most))
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    found[there] = directions / np.maximum(lengths, 1e-12)
    found[there] -= found[there].mean(0)
    return found


def beside(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Vectors of several columns side by side, each column with the same spread in all.

    A vector of zeros is that of an absent cell, and becomes the column's mean.

    >>> beside({"a": np.array([[1.0], [-1.0]]), "b": np.array([[10.0], [30.0]])}).round(2).tolist()
    [[1.0, -1.0], [-1.0, 1.0]]
    """
    blocks = []
    for vectors in columns.values():
        there = np.asarray(vectors.any(axis=1))
        centred = np.where(there[:, None], vectors - vectors[there].mean(0), 0.0)
        spread = np.sqrt((centred**2).sum(1).mean()) if there.any() else 0.0
        blocks.append(centred / spread if spread > 1e-12 else centred)
    return np.concatenate(blocks, axis=1)


def _one_hot(codes: np.ndarray) -> np.ndarray:
    values = np.unique(codes[codes >= 0])[:TERMS]
    found = np.asarray(codes[:, None] == values[None], np.float64)
    found[codes < 0] = np.nan
    return reduced(found)


def _check_columns(columns: Sequence[str] | None, known: Sequence[str]) -> None:
    for name in columns or ():
        if name not in known:
            raise SchemaError(f"Rows cannot be compared by {name!r}. {nearest(name, known)}")
    if not known:
        raise SchemaError("No column is left that rows could be compared by.")


def _told(columns: Sequence[ColumnSchema], named: Sequence[str]) -> str:
    kinds = {column.name: column.modality for column in columns}
    return "; ".join(f"{n} by {HAND_MADE.get(kinds[n], 'simple statistics')}" for n in named)


def _written(cell: Any) -> str:
    return " ".join(map(str, cell)) if isinstance(cell, list | tuple) else str(cell)
