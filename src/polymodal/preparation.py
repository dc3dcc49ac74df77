"""A table made ready as a recipe says: schema, parts, and modalities that have learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from polymodal.build import build_modalities
from polymodal.data.dataset import Dataset, fit_modalities, prepare
from polymodal.data.leaks import find_leaks
from polymodal.data.modalities import Modality
from polymodal.data.schema import Role, Schema, infer_schema
from polymodal.data.table import Table
from polymodal.recipe import Recipe


class _Named(TypedDict):
    inputs: Sequence[str] | None
    roles: dict[str, Role]
    modalities: dict[str, str]
    sources: dict[str, str]


def chosen_targets(recipe: Recipe, target: str | Sequence[str] | None) -> list[str]:
    """The column or columns to predict: those named beside a recipe, else the recipe's own."""
    if target is None:
        return list(recipe.targets)
    return [target] if isinstance(target, str) else list(target)


def schema_of(recipe: Recipe, table: Table, targets: Sequence[str] = ()) -> Schema:
    """The schema of a table, with what the recipe says of its columns."""
    return infer_schema(table, targets, **_named(recipe))


def dataset_of(
    recipe: Recipe,
    table: Table,
    targets: Sequence[str],
    *,
    given: Mapping[str, Table] | None = None,
) -> Dataset:
    """The table with its parts; all of it is for training where there is nothing to predict.

    Args:
        recipe: says what columns are, and how rows are split.
        table: the table.
        targets: the columns to predict.
        given: part -> a table of its own.

    Raises:
        PolymodalError: table, schema or split do not allow it.
    """
    if targets:
        return prepare(
            table,
            targets,
            **_named(recipe),
            drop_leaks=recipe.data.drop_leaks,
            split=recipe.split.model_dump(),
            seed=recipe.seed,
            given=dict(given or {}),
        )
    schema = schema_of(recipe, table)
    table = table.with_views(schema.sources)
    parts = np.full(len(table), "train", dtype="<U10")
    return Dataset(table, schema, parts, find_leaks(table, schema))


def learned(recipe: Recipe, dataset: Dataset) -> dict[str, Modality]:
    """Input and target columns -> their modalities, which have learned from the training part.

    Raises:
        SchemaError: see :func:`polymodal.data.dataset.fit_modalities`.
    """
    modalities = build_modalities(recipe, dataset.schema)
    fit_modalities(dataset, modalities)
    return modalities


def _named(recipe: Recipe) -> _Named:
    columns = recipe.columns.items()
    return {
        "inputs": recipe.inputs,
        "roles": {name: column.role for name, column in columns if column.role},
        "modalities": {name: c.modality.name for name, c in columns if c.modality},
        "sources": {name: column.source for name, column in columns if column.source},
    }
