"""Train, validation and test: which row belongs to which part."""

from __future__ import annotations

import numpy as np

from polymodal.data.modalities import MODALITIES
from polymodal.data.modalities.number import to_numbers
from polymodal.data.schema import PARTS, Schema
from polymodal.data.table import Table
from polymodal.errors import SchemaError

FEWEST = 4
FEWEST_ALIKE = 10
LARGEST_GROUP = 0.34


def split_rows(
    table: Table,
    schema: Schema,
    *,
    validation: float = 0.1,
    test: float = 0.2,
    group_by: str | None = None,
    stratify: bool = True,
    seed: int = 0,
) -> np.ndarray:
    """The part of every row: ``(rows,)`` of "train", "validation", "test".

    A split column is followed; parts it lacks are taken from its training part. Rows that share a
    picture or a recording, a value of the group column, or of ``group_by`` stay together.

    Args:
        table: the table.
        schema: with a split column, or without.
        validation: share of rows for validation, where no column says.
        test: share of rows for the test, where no column says.
        group_by: a column whose equal values must not be torn apart.
        stratify: keep the shares of the first target's values (or of its quintiles) alike.
        seed: of the shuffling.

    Raises:
        SchemaError: a value of the split column is no part's name, or a part would be empty.
    """
    if group_by is not None:
        table.column(group_by)
    if len(table) < FEWEST:
        raise SchemaError(f"{len(table)} rows are too few to train, validate and test.")
    column = schema.named("split")
    parts = np.full(len(table), "train", dtype="<U10")
    if column:
        parts = _read_parts(table, column[0])
    wanted = {"validation": validation, "test": test}
    wanted = {part: share for part, share in wanted.items() if not (parts == part).any()}
    open_rows = np.flatnonzero(parts == "train")
    groups = together(table, schema, parts, group_by)[open_rows]
    alike = np.zeros(len(open_rows), int)
    strata = _strata(table, schema)[open_rows] if stratify else alike
    parts[open_rows] = _deal(groups, strata, wanted, np.random.default_rng(seed))
    needed = ("train", *(name for name, share in wanted.items() if share > 0))
    if stratify and not set(needed) <= set(parts):
        # Groups are too few for each stratum to have some in every part: six speakers of ten words.
        parts[open_rows] = _deal(groups, alike, wanted, np.random.default_rng(seed))
    for part in needed:
        if not (parts == part).any():
            raise SchemaError(
                f"The {part} part is empty: {len(table)} rows in {len(set(groups))} groups that "
                "must stay together are too few. Change split.validation, split.test or "
                "split.group_by."
            )
    return parts


def together(
    table: Table, schema: Schema, parts: np.ndarray, group_by: str | None = None
) -> np.ndarray:
    """A number for each row ``(rows,)``, equal for rows that must be in the same part.

    A group column or a shared picture is not followed where a given split does not follow it
    either, nor where it would tie most rows into one lump, or most classes into one lump each, so
    that a part would lack whole classes; ``group_by`` always is.
    """
    groups, strata = np.arange(len(table)), _strata(table, schema)
    training = parts == "train"
    if group_by is not None:
        groups = joined(groups, table.codes(group_by))
    for name in [*schema.named("group"), *_media(schema)]:
        codes = table.codes(name)
        if len(np.unique(codes[codes >= 0])) == (codes >= 0).sum():
            continue  # nothing is shared
        torn = set(codes[training]) & set(codes[~training]) - {-1}
        tied = joined(groups, codes)
        largest = np.bincount(tied[training]).max(initial=0)
        lumped = _lumped(tied[training], strata[training])
        if not torn and max(largest, lumped) <= LARGEST_GROUP * training.sum():
            groups = tied
    return groups


def _lumped(groups: np.ndarray, strata: np.ndarray) -> int:
    """Rows in a group that holds more than half of their class (or quintile)."""
    _, stratum = np.unique(strata, return_inverse=True)
    size = np.bincount(stratum)[stratum]
    pairs = groups * (stratum.max(initial=0) + 1) + stratum
    _, pair, count = np.unique(pairs, return_inverse=True, return_counts=True)
    return int(((count[pair] > size / 2) & (size >= FEWEST_ALIKE)).sum())


def _media(schema: Schema) -> list[str]:
    return [name for name in schema.inputs if MODALITIES[schema[name].modality].media]


def joined(groups: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Groups merged wherever two of their rows have the same code."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    # Groups and codes are the two sides of a graph; what is connected stays together.
    count = groups.max() + 1
    known = codes >= 0
    edges = (groups[known], codes[known] + count)
    nodes = count + codes.max(initial=-1) + 1
    graph = coo_array((np.ones(known.sum(), bool), edges), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1][groups]


def _read_parts(table: Table, column: str) -> np.ndarray:
    names = []
    for row, cell in enumerate(table.cells(column)):
        part = PARTS.get(str(cell).strip().lower())
        if part is None:
            raise SchemaError(
                f"Column {column!r}, row {row}: {cell!r} names no part; use train, validation "
                f"or test, or set columns.{column}.role=ignored."
            )
        names.append(part)
    parts = np.array(names, dtype="<U10")
    if not (parts == "train").any():
        raise SchemaError(f"Column {column!r} leaves no row for training.")
    return parts


def _strata(table: Table, schema: Schema) -> np.ndarray:
    if not schema.targets:
        return np.zeros(len(table), int)
    target = schema.targets[0]
    if schema[target].modality != "number":
        codes = table.codes(target) + 1
        if schema[target].modality in ("tags", "text", "passages"):
            # Most sets of tags, and most texts, are rare: those count as one kind, or none could
            # leave training.
            codes[np.bincount(codes)[codes] < FEWEST_ALIKE] = 0
        return codes
    numbers = to_numbers(table.cells(target))
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return np.zeros(len(table), int)
    return np.digitize(np.nan_to_num(numbers), np.quantile(known, [0.2, 0.4, 0.6, 0.8]))


def _deal(
    groups: np.ndarray, strata: np.ndarray, wanted: dict[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Deal groups out so that each stratum's rows reach the wanted shares."""
    _, group = np.unique(groups, return_inverse=True)
    count = group.max() + 1
    size = np.bincount(group, minlength=count)
    # A group belongs to the stratum of one of its rows, drawn at random.
    shuffled = rng.permutation(len(group))
    stratum = np.empty(count, strata.dtype)
    stratum[group[shuffled]] = strata[shuffled]
    part_of = np.full(count, "train", dtype="<U10")
    debt = dict.fromkeys(wanted, 0.0)
    for value in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum == value))
        left = len(members)
        for name, share in wanted.items():
            # What rounding left over in one stratum is made up for in the next.
            debt[name] += share * size[members].sum()
            for member in members:
                # One group of every stratum stays in the training part, whatever is owed.
                if left < 2 or debt[name] < 0.5:
                    break
                if part_of[member] == "train" and debt[name] >= size[member] / 2:
                    part_of[member] = name
                    debt[name] -= size[member]
                    left -= 1
    return part_of[group]
