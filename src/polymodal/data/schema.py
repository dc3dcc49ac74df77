"""The schema: each column's modality and role, inferred and open to correction."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from polymodal.data.modalities import MODALITIES
from polymodal.data.summary import MOST_COUNTED, ColumnSummary, name_parts
from polymodal.data.table import Table, columns_named
from polymodal.errors import SchemaError, nearest

Role = Literal["input", "target", "group", "split", "ignored"]
ROLES: tuple[Role, ...] = ("input", "target", "group", "split", "ignored")

PARTS = {
    "train": "train", "training": "train", "tr": "train",
    "validation": "validation", "valid": "validation", "val": "validation",
    "dev": "validation", "development": "validation",
    "test": "test", "testing": "test", "holdout": "test", "eval": "test",
}  # fmt: skip
SPLIT_NAMES = {"split", "subset", "part", "partition", "fold", "set", "usage", "phase"}
GROUP_NAMES = {
    "patient", "subject", "speaker", "person", "user", "customer", "participant", "household",
}  # fmt: skip
# These name a kind as often as a single one (a phone or a tablet; treated or control).
LOOSE_GROUP_NAMES = {"session", "group", "author", "device"}
FEWEST_LOOSE_GROUPS = 10
KEY_NAMES = {"id", "uid", "uuid", "guid", "key", "idx", "index", "row", "rownum", "filename"}
ADDRESS = re.compile(r"^\s*(https?://|www\.|10\.\d{4,}/)", re.IGNORECASE)
A_WORD = re.compile(r"[^\W\d_]{2,}")
MOST_CLASSES = 100


@dataclass(frozen=True)
class ColumnSchema:
    """What one column is.

    Args:
        name: the column's name.
        modality: one of the modalities; "" where it has none that is known.
        role: what the column is for.
        reason: why it is ignored, or is a group or split; "" where nothing needs saying.
        present: rows with a value.
        missing: rows without one.
        distinct: distinct values.
        example: the first of the sampled values, shortened.
        source: what a column that is not in the file is made of, as :meth:`Table.with_views`
            takes it: another column, or a text with columns in braces; "" for a column's own cells.
    """

    name: str
    modality: str
    role: Role
    reason: str
    present: int
    missing: int
    distinct: int
    example: str
    source: str = ""


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in its order."""

    columns: tuple[ColumnSchema, ...]

    def __getitem__(self, name: str) -> ColumnSchema:
        """The column of a name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"No column {name!r}. {nearest(name, [c.name for c in self.columns])}")

    def named(self, role: Role) -> list[str]:
        """The columns that have a role."""
        return [column.name for column in self.columns if column.role == role]

    @property
    def inputs(self) -> list[str]:
        """The input columns."""
        return self.named("input")

    @property
    def targets(self) -> list[str]:
        """The target columns."""
        return self.named("target")

    @property
    def sources(self) -> dict[str, str]:
        """Column -> what it is made of, for those that are not in the file."""
        return {column.name: column.source for column in self.columns if column.source}

    def with_column(self, column: ColumnSchema) -> Schema:
        """The same schema with one column replaced."""
        return Schema(tuple(column if c.name == column.name else c for c in self.columns))

    def ignore(self, name: str, reason: str) -> Schema:
        """The same schema with a column left out, and why."""
        return self.with_column(replace(self[name], role="ignored", reason=reason))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"columns": [asdict(column) for column in self.columns]}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Schema:
        """From what ``to_dict`` gave."""
        return cls(tuple(ColumnSchema(**column) for column in content["columns"]))


def infer_schema(
    table: Table,
    targets: Iterable[str] = (),
    *,
    inputs: Sequence[str] | None = None,
    roles: Mapping[str, Role] | None = None,
    modalities: Mapping[str, str] | None = None,
    sources: Mapping[str, str] | None = None,
) -> Schema:
    """Infer modality and role of every column.

    A modality may hold further inputs (a video its sound): they are columns of the schema, too,
    named ``clip.sound``.

    Args:
        table: the table.
        targets: the columns to predict.
        inputs: the only input columns, when given.
        roles: column -> role, where the user knows better.
        modalities: column -> modality, where the user knows better.
        sources: column -> what it is made of, for columns to be added; see
            :meth:`Table.with_views`.

    Raises:
        SchemaError: an override names an unknown column, role or modality; a target is empty,
            constant, or of a kind that cannot be predicted yet.
        TableError: a target or an input is not in the table.
    """
    roles, modalities, sources = dict(roles or {}), dict(modalities or {}), dict(sources or {})
    for name in targets:
        roles[name] = "target"
        sources |= _numbered(table, name)
    table = table.with_views(sources)
    asked = {*roles, *modalities, *(inputs or ())}
    derived = _derived(table, roles, modalities, asked)
    table = table.with_views({name: parent for name, (parent, _) in derived.items()})
    for name in asked:
        table.column(name)
    for name, given in roles.items():
        if given not in ROLES:
            raise SchemaError(f"Column {name!r}: no role {given!r}. {nearest(given, ROLES)}")
    filled_in = _filled_in(sources, roles)
    sources |= {name: parent for name, (parent, _) in derived.items()}
    modalities = {name: kind for name, (_, kind) in derived.items()} | modalities
    columns = []
    for name in table.names:
        summary = table.summary(name)
        role: Role | None = roles.get(name)
        if inputs is not None and role is None:
            if name in inputs:
                role = "input"
            elif not (_is_split(summary) or _is_group(summary)):
                columns.append(_describe(summary, "", "ignored", "not among the inputs asked for"))
                continue
        column = _infer_column(summary, role, modalities.get(name))
        if role is None and column.role == "input" and name in filled_in:
            reason = f"filled into the source of {filled_in[name]!r}"
            column = replace(column, role="ignored", reason=reason)
        columns.append(column)
    schema = Schema(tuple(replace(c, source=sources.get(c.name, "")) for c in columns))
    splits = schema.named("split")
    chosen = next((name for name in splits if roles.get(name) == "split"), None)
    for extra in splits:
        if extra != (chosen or splits[0]):
            schema = schema.ignore(extra, f"{chosen or splits[0]!r} is the split already")
    return schema


def _numbered(table: Table, name: str) -> dict[str, str]:
    """The source of a target that the table holds in parts, as caption_1, caption_2 and so on."""
    parts = [part for part in table.names if re.fullmatch(rf"{re.escape(name)}[ _.]?\d+", part)]
    if name in table.names or len(parts) < 2:
        return {}
    return {name: "[" + ", ".join(f"{{{part}}}" for part in parts) + "]"}


def _filled_in(sources: Mapping[str, str], roles: Mapping[str, Role]) -> dict[str, str]:
    """Columns that are parts of a path: such a column -> the one that is made of it."""
    found = {}
    for name, source in sources.items():
        for part in columns_named(source):
            if roles.get(part) == "target":
                raise SchemaError(
                    f"Column {name!r} is made of {source!r}, and {part!r} is a target: the input "
                    "would tell the answer. Make it of another column."
                )
            if part not in (name, source):
                found[part] = name
    return found


def _derived(
    table: Table, roles: Mapping[str, Role], modalities: Mapping[str, str], asked: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Further inputs that columns hold: name -> the column, and the modality it is read as."""
    found = {}
    for name in table.names:
        for kind, modality in MODALITIES.items():
            for inner, other in modality.derived.items():
                child = f"{name}.{inner}"
                wanted = roles.get(name) in (None, "input") or child in asked
                if wanted and child not in table.names and _is(kind, table, name, modalities):
                    found[child] = (name, other)
    return found


def _is(kind: str, table: Table, name: str, modalities: Mapping[str, str]) -> bool:
    if name in modalities:
        return modalities[name] == kind
    summary = table.summary(name)
    return MODALITIES[kind].recognise(summary) > 0 and recognise(summary) == kind


def _infer_column(summary: ColumnSummary, role: Role | None, modality: str | None) -> ColumnSchema:
    if modality is not None and modality not in MODALITIES:
        raise SchemaError(
            f"Column {summary.name!r}: no modality {modality!r}. {nearest(modality, MODALITIES)}"
        )
    if role == "target":
        return _target(summary, modality)
    if role in ("split", "group", "ignored"):
        return _describe(summary, modality or "", role, "as asked")
    if role is None and modality is None:
        if _is_split(summary):
            return _describe(summary, "category", "split", "names the parts of the table")
        if _is_group(summary):
            reason = "names who or what a row belongs to; not an input"
            return _describe(summary, "category", "group", reason)
        reason = _why_ignored(summary)
        if reason:
            return _describe(summary, "", "ignored", reason)
    found = modality or recognise(summary)
    if not found:
        if role == "input":
            raise SchemaError(
                f"Column {summary.name!r} is asked for as input, but its modality is not clear. "
                f"Set columns.{summary.name}.modality to one of: {', '.join(MODALITIES)}."
            )
        return _describe(summary, "", "ignored", "of no modality known in this version")
    return _describe(summary, found, "input", "")


def recognise(summary: ColumnSummary) -> str:
    """The modality a column is most likely of; '' where none fits."""
    scores = {name: kind.recognise(summary) for name, kind in MODALITIES.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] >= 0.5 else ""


def _target(summary: ColumnSummary, modality: str | None) -> ColumnSchema:
    name = summary.name
    if not summary.present:
        raise SchemaError(f"Target {name!r} is empty in every row: there is nothing to learn.")
    if summary.distinct < 2:
        raise SchemaError(
            f"Target {name!r} holds the same value ({summary.sample[0]!r}) in every row: there "
            "is nothing to learn. Is it the right column?"
        )
    found = modality or recognise(summary)
    values = list(summary.counts or ())
    repeated = summary.present / summary.distinct
    if modality is None and found in ("number", "text", ""):
        whole = bool(values) and all(
            isinstance(v, int) or (isinstance(v, float) and v.is_integer()) for v in values
        )
        few = summary.distinct <= MOST_CLASSES and repeated >= 3
        codes = found == "number" and whole and few and _compact(values)
        # Answers that come again and again are classes; texts that hardly ever do are written.
        words = found != "number" and bool(values) and repeated >= 1.5
        found = "category" if codes or words else found
    if found not in ("category", "number", "tags", "text", "passages"):
        raise SchemaError(
            f"Target {name!r} looks like {found or 'nothing known'} with {summary.distinct} "
            "distinct values; this version predicts categories, tags, numbers and texts. If it is "
            f"one of these, set columns.{name}.modality."
        )
    return _describe(summary, found, "target", "")


def _compact(values: Sequence[Any]) -> bool:
    """Whether whole numbers look like codes of classes (1 to 7), not like amounts."""
    low, high = min(values), max(values)
    return bool(high - low < max(2 * len(values), 12))


def _is_split(summary: ColumnSummary) -> bool:
    if not summary.counts or summary.name.lower() not in SPLIT_NAMES:
        return False
    return all(str(value).strip().lower() in PARTS for value in summary.counts)


def _is_group(summary: ColumnSummary) -> bool:
    parts = [part for part in name_parts(summary.name) if part not in KEY_NAMES]
    if len(parts) != 1 or not summary.distinct < summary.present:
        return False
    loose = parts[0] in LOOSE_GROUP_NAMES and summary.distinct >= FEWEST_LOOSE_GROUPS
    return loose or (parts[0] in GROUP_NAMES and summary.distinct >= 2)


def _why_ignored(summary: ColumnSummary) -> str:
    """Why a column is of no use as input; '' where it may be one."""
    sample, parts = summary.sample, name_parts(summary.name)
    if not summary.present:
        return "empty in every row"
    if summary.distinct == 1 and summary.counts is not None and not summary.missing:
        return "the same value in every row"
    strings = [cell for cell in sample if isinstance(cell, str)]
    if strings and sum(bool(ADDRESS.match(cell)) for cell in strings) > len(strings) / 2:
        return "web addresses or document numbers"
    if _media(summary):
        return ""
    if _is_key(summary):
        return "a key or row number"
    if parts and parts[-1] in SPLIT_NAMES and summary.counts:
        known = sum(str(value).lower() in PARTS for value in summary.counts)
        if known > len(summary.counts) / 2:
            return "names the parts of another split"
    if strings and _all_differ(summary) and summary.present > 20:
        wordy = sum(bool(A_WORD.search(cell)) for cell in strings) / len(strings)
        ideographs = sum(
            len(cell) >= 2 and not cell.isascii() and cell.isalpha() for cell in strings
        )
        plain = recognise(summary) in ("", "text", "category")
        if wordy < 0.5 and ideographs < len(strings) / 2 and plain:
            return "a different code in every row"
    if all(isinstance(cell, list | tuple | dict) for cell in sample) and not recognise(summary):
        return "nested values of no modality known in this version"
    return ""


def _is_key(summary: ColumnSummary) -> bool:
    """Whether a column only tells rows apart: by its name, or because it counts them."""
    sample, parts = summary.sample, name_parts(summary.name)
    whole = all(isinstance(v, int) and not isinstance(v, bool) for v in sample)
    all_differ = _all_differ(summary)
    few = summary.distinct <= 20 and summary.present >= 5 * summary.distinct
    named = bool(parts) and parts[-1] in KEY_NAMES
    if named and (all_differ or (whole and not few)):
        return True
    # 0, 1, 2, … or 1, 2, 3, … in the order of the rows, as saving a data frame adds it.
    counting = whole and all_differ and len(sample) > 20 and sample[0] in (0, 1)
    rising = counting and all(a < b for a, b in pairwise(sample))
    return rising and sample[-1] - sample[0] == summary.present - 1


def _all_differ(summary: ColumnSummary) -> bool:
    comparable = summary.counts is not None or summary.distinct > MOST_COUNTED
    return comparable and summary.distinct == summary.present


def _media(summary: ColumnSummary) -> bool:
    found = recognise(summary)
    return bool(found) and MODALITIES[found].media


def _describe(summary: ColumnSummary, modality: str, role: Role, reason: str) -> ColumnSchema:
    example = ""
    if summary.sample:
        cell = summary.sample[0]
        plain = isinstance(cell, str | int | float | bool | list | Path)
        example = str(cell) if plain else f"<{type(cell).__name__}>"
    return ColumnSchema(
        summary.name,
        modality,
        role,
        reason,
        summary.present,
        summary.missing,
        summary.distinct,
        example if len(example) <= 60 else example[:57] + "…",
    )
