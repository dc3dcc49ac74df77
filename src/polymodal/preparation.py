"""A table made ready as a recipe says: schema, parts, and modalities that have learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TypedDict

import numpy as np

from polymodal.build import build_modalities
from polymodal.data.dataset import Dataset, fit_modalities, prepare
from polymodal.data.items import ITEM_COLUMN, LISTS, identities_of, items_of, unfolded
from polymodal.data.leaks import find_leaks
from polymodal.data.modalities import Modality
from polymodal.data.schema import Role, Schema, infer_schema
from polymodal.data.table import Table
from polymodal.errors import RecipeError
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
    if recipe.objective.name == "align":
        return _to_align(recipe, table, given=given or {})
    if recipe.objective.name == "verify":
        return _to_verify(recipe, table, targets, given=given or {})
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


def _to_align(recipe: Recipe, table: Table, *, given: Mapping[str, Table]) -> Dataset:
    """A table of which no column is a target; rows of one thing are told, and stay together."""
    if targets := recipe.targets:
        raise RecipeError(
            f"objective = 'align' learns from inputs alone, but {targets[0]!r} is a target. "
            "Leave it out, or set objective=predict."
        )
    kinds = {n: c.modality.name for n, c in recipe.columns.items() if c.modality}
    kept = [name for name, kind in kinds.items() if kind in LISTS]
    unfold = partial(unfolded, inputs=recipe.inputs, kept=kept)
    named, split = _named(recipe), recipe.split.model_dump()
    starts = np.cumsum([len(table), *map(len, given.values())]).tolist()
    others = {p: unfold(t, first=n) for (p, t), n in zip(given.items(), starts, strict=False)}
    table = unfold(table)
    if ITEM_COLUMN in table.names:
        named["roles"] = {ITEM_COLUMN: "group", **named["roles"]}
        split["group_by"] = split["group_by"] or ITEM_COLUMN
    dataset = prepare(
        table,
        (),
        **named,
        split=split,
        seed=recipe.seed,
        given=others,
    )
    dataset.items = items_of(dataset.table, dataset.schema)
    return dataset


def _to_verify(
    recipe: Recipe, table: Table, targets: Sequence[str], *, given: Mapping[str, Table]
) -> Dataset:
    """A table split by identities."""
    if len(targets) != 1:
        raise RecipeError(
            "objective = 'verify' wants one target, the column that says whose a row is "
            f"(--identity NAME); there are {len(targets)}."
        )
    target, split = targets[0], recipe.split.model_dump()
    if split["group_by"] not in (None, target):
        raise RecipeError(
            f"split.group_by = {split['group_by']!r}: for objective = 'verify' the rows are split "
            f"by {target!r}, so that no identity is in two parts. Leave it empty."
        )
    named = _named(recipe)
    named["modalities"] = {**named["modalities"], target: "category"}
    dataset = prepare(
        table,
        targets,
        **named,
        drop_leaks=recipe.data.drop_leaks,
        split={**split, "group_by": target, "stratify": False},
        seed=recipe.seed,
        given=given,
    )
    dataset.items = identities_of(dataset.table, target, dataset.parts)
    return dataset


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
