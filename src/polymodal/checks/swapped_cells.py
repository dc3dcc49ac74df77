"""Cells of two columns exchanged: each looks like one of the other column."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from polymodal.checks.out_of_fold import drawn, folds, linear_model
from polymodal.checks.subject import Subject
from polymodal.data.findings import Finding

ALIKE = ("number", "category", "text", "image", "audio")
MOST_PAIRS = 15
FEWEST_ROWS = 50
SURE = 0.9  # that a cell is of the other column
TELLS = 0.95  # of cells whose column must be told rightly
MOST_SHARE = 0.2
POOLED = 8


def find_swapped_cells(subject: Subject) -> list[Finding]:
    """Rows in which the cells of two columns of one modality stand in each other's place.

    What a cell's column is can be told from the cell where columns differ (two languages, photos
    and drawings, years and prices). Rows of which both cells are told to be the other column's, by
    what was learned from other rows, are exchanged.
    """
    found: list[Finding] = []
    for modality in ALIKE:
        names = subject.inputs(modality)
        for one, other in list(combinations(names, 2))[:MOST_PAIRS]:
            found += _exchanged(subject, one, other, modality)
    return found


def _exchanged(subject: Subject, one: str, other: str, modality: str) -> list[Finding]:
    present = (subject.store(one).index >= 0) & (subject.store(other).index >= 0)
    rows = drawn(np.flatnonzero(present), subject.seed)
    if len(rows) < FEWEST_ROWS:
        return []
    shares = _belongs(subject, one, other, rows, modality)  # (2, rows): share of `other`
    right = np.mean([shares[0] < 0.5, shares[1] > 0.5])
    swapped = rows[(shares[0] > SURE) & (shares[1] < 1 - SURE)]
    if right < TELLS - 2 * len(swapped) / len(rows) or not len(swapped):
        return []
    if len(swapped) > MOST_SHARE * len(rows):
        return []
    sampled = f" (of {len(rows):,} rows looked at)" if len(rows) < present.sum() else ""
    return [
        Finding(
            "swapped_cells",
            "warning",
            column=one,
            what=f"exchanged with the cell of {other!r}: each looks like one of the other "
            f"column{sampled}",
            rows=swapped,
            why="both columns teach something wrong in these rows",
            remedy="used as they are; put each cell into its own column",
            values={one: other},
        )
    ]


def _belongs(subject: Subject, one: str, other: str, rows: np.ndarray, modality: str) -> np.ndarray:
    """How likely each cell ``(2, rows)`` of either column is one of ``other``, out of fold."""
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.tree import DecisionTreeClassifier

    truth = np.repeat([0, 1], len(rows))
    model = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    if modality == "number":
        features = np.concatenate([subject.numbers(n)[rows] for n in (one, other)])[:, None]
    elif modality in ("text", "category"):
        whole = [subject.texts(n) for n in (one, other)]
        texts = [column[row] or "" for column in whole for row in rows]
        features = HashingVectorizer(
            analyzer="char_wb", ngram_range=(1, 3), n_features=1 << 14, alternate_sign=False
        ).transform(texts)
        model = MultinomialNB(alpha=0.01)
    else:
        features = np.concatenate([_look(subject, n, rows) for n in (one, other)])
        model = linear_model(features.shape[1])
    fold = np.tile(folds(len(rows), subject.seed), 2)
    shares = np.zeros(2 * len(rows))
    for held in range(fold.max() + 1):
        model.fit(features[fold != held], truth[fold != held])
        shares[fold == held] = model.predict_proba(features[fold == held])[:, 1]
    return shares.reshape(2, -1)


def _look(subject: Subject, name: str, rows: np.ndarray) -> np.ndarray:
    """What cells of any picture or sound column have in common to be compared by ``(rows, F)``."""
    import torch

    store, codes = subject.store(name), subject.codes(name)
    made: dict[int, np.ndarray] = {}
    for unit in np.unique(store.index[rows]).tolist():
        cell = torch.from_numpy(store.cell(unit).astype(np.float32))
        grey = cell.mean(-1) if cell.ndim == 3 else cell  # frames of sounds have two axes
        grey = grey if grey.ndim == 2 else grey.abs()[:, None]
        small = torch.nn.functional.adaptive_avg_pool2d(grey[None], POOLED)
        made[unit] = np.append(small.numpy().ravel(), float(grey.std(correction=0)))
    files = {int(codes[row]): file for row, file in subject.files(name).items()}
    looks = []
    for row in rows.tolist():
        file = files.get(int(codes[row]))
        facts = [0.0] * 3 if file is None else [file.size, file.width, file.seconds]
        looks.append(np.concatenate([made[int(store.index[row])], np.log1p(facts)]))
    return np.stack(looks)
