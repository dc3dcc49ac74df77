"""Missing numbers and categories filled, by what the training part says.

Letters: N rows · F other columns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from polymodal.clean_options import Fill
from polymodal.data.modalities.number import to_numbers
from polymodal.data.table import Table
from polymodal.errors import RecipeError, nearest
from polymodal.repairs.draft import Draft

FEWEST_FOR_A_MODEL = 30
MOST_CLASSES = 100
SIGNIFICANT = 6


def fill_missing(draft: Draft) -> None:
    """Fill the gaps of input columns as asked for, and note beside them where they were.

    Targets are never filled, and never read: a filled input must not know the answer.

    Raises:
        RecipeError: a column that is named is no input of numbers or categories, or the constant
            is no number where one is needed.
    """
    wanted = _wanted(draft)
    holders = {name: draft.cells(name)[:] for name in _columns(draft)}  # as they are before filling
    fitted = False
    for column, way in wanted.items():
        rows = [int(row) for row in draft.kept() if draft.cells(column)[row] is None]
        if way == "off" or not rows:
            continue
        filler = _filler(draft, column, way, rows, holders)
        if filler is None:
            draft.leave("missing_values", column, len(rows), "the training part holds no value")
            continue
        values, rule = filler
        for row, value in zip(rows, values, strict=True):
            draft.change(row, column, value, why="missing_values", rule=rule)
        fitted |= way != "constant"
        if draft.options.indicator:
            gaps = [int(cell is None) for cell in holders[column]]
            draft.add(f"{column}_missing", gaps, why="missing_values", rule="indicator")
    if fitted and not draft.given and len(set(draft.parts.tolist())) > 1:
        # What was learned here knows these training rows: no other split may be drawn.
        draft.add("split", draft.parts.tolist(), why="missing_values", rule="parts kept")


def _columns(draft: Draft) -> list[str]:
    named = draft.columns("number", "category")
    return [name for name in named if draft.schema[name].role == "input"]


def _wanted(draft: Draft) -> dict[str, Fill]:
    asked, columns = draft.options.fill, _columns(draft)
    if not isinstance(asked, dict):
        return dict.fromkeys(columns, asked)
    for name in asked:
        if name not in columns:
            raise RecipeError(
                f"clean.fill.{name}: {name!r} is no input of numbers or categories. "
                f"{nearest(name, columns)}"
            )
    return asked


def _filler(
    draft: Draft, column: str, way: Fill, rows: list[int], cells: dict[str, list[Any]]
) -> tuple[list[Any], str] | None:
    """What to write into these rows, and how it was found."""
    numeric = draft.schema[column].modality == "number"
    if way == "constant":
        value = draft.options.constant
        if numeric and isinstance(value, str):
            raise RecipeError(f"clean.constant = {value!r} is no number; column {column!r} is.")
        whole = isinstance(value, float) and value.is_integer()
        filled = int(value) if whole else value
        return [filled if numeric else str(filled)] * len(rows), "constant"
    training = [row for row in draft.kept() if draft.parts[row] == "train"]
    known = [int(row) for row in training if cells[column][row] is not None]
    if numeric:
        numbers = to_numbers([cells[column][row] for row in known])
        known = [row for row, number in zip(known, numbers, strict=True) if np.isfinite(number)]
    if not known:
        return None
    if way == "model":
        found = _modelled(draft, column, known, rows, cells, numeric=numeric)
        if found is not None:
            return found, "model of the other columns"
    held = [cells[column][row] for row in known]
    if way in ("median", "model") and numeric:
        value = _like(float(np.median(to_numbers(held))), held)
        return [value] * len(rows), "median of the training part"
    counts: dict[Any, int] = {}
    for cell in held:
        counts[cell] = counts.get(cell, 0) + 1
    value = max(counts, key=lambda cell: counts[cell])
    return [value] * len(rows), "most frequent of the training part"


def _like(value: float, held: list[Any]) -> float | int:
    """A number as the column writes its own: whole where they are, else short."""
    if all(isinstance(cell, int) for cell in held):
        return round(value)
    return float(f"{value:.{SIGNIFICANT}g}")


def _modelled(
    draft: Draft,
    column: str,
    known: list[int],
    rows: list[int],
    cells: dict[str, list[Any]],
    *,
    numeric: bool,
) -> list[Any] | None:
    """What gradient-boosted trees make of the other inputs; None where there is too little."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    others = [name for name in cells if name != column]
    held = [cells[column][row] for row in known]
    labels = [] if numeric else list(dict.fromkeys(held))
    if not others or len(known) < FEWEST_FOR_A_MODEL or len(labels) == 1:
        return None
    if len(labels) > MOST_CLASSES:
        return None
    features = np.stack([_as_numbers(draft, name, cells[name]) for name in others], 1)  # (N, F)
    is_code = [draft.schema[name].modality == "category" for name in others]
    options: dict[str, Any] = {
        "random_state": 0,
        "early_stopping": False,
        "max_iter": 100,
        "categorical_features": [i for i, code in enumerate(is_code) if code] or None,
    }
    if numeric:
        model = HistGradientBoostingRegressor(**options)
        guesses = model.fit(features[known], to_numbers(held)).predict(features[rows])
        return [_like(float(guess), held) for guess in guesses]
    model = HistGradientBoostingClassifier(**options)
    codes = np.array([labels.index(cell) for cell in held])
    return [labels[int(code)] for code in model.fit(features[known], codes).predict(features[rows])]


def _as_numbers(draft: Draft, column: str, cells: list[Any]) -> np.ndarray:
    """A column ``(N,)`` for trees: numbers, or codes of 254 categories; NaN where missing."""
    if draft.schema[column].modality == "number":
        return to_numbers(cells)
    codes = Table({column: list(map(_written, cells))}).codes(column).astype(np.float64)
    codes[(codes < 0) | (codes > 253)] = np.nan
    return codes


def _written(cell: Any) -> str | None:
    return None if cell is None else str(cell)
