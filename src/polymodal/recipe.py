"""The recipe: everything a user chooses, YAML ↔ typed object.

Every option has a default. What is not right is told all at once, each mistake with its path.
A class chosen by name (a modality, an encoder, a fusion, a head) has the options of its
constructor: see :mod:`polymodal.signature`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    Field,
    NonNegativeInt,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from polymodal import recipe_yaml
from polymodal.clean_options import CleanOptions
from polymodal.errors import RecipeError, nearest
from polymodal.files import write_file
from polymodal.mistake import Mistake, mistakes, report
from polymodal.named_part import (
    SLOTS,
    NamedPart,
    checked,
    comments_of,
    only_registry,
    registries,
)
from polymodal.recipe_options import (
    ColumnOptions,
    DataOptions,
    EvaluationOptions,
    Options,
    SplitOptions,
)
from polymodal.recipe_yaml import Comment
from polymodal.signature import to_json
from polymodal.train_options import TrainOptions


class Recipe(Options):
    """Everything a user chooses about a model, from the table to the report.

    ``Recipe.load`` is the way in: it raises a :class:`RecipeError` that lists all mistakes.

    Example:
        >>> recipe = Recipe.load({"table": "data.csv", "targets": ["answer"]})
        >>> recipe = recipe.override(["fusion=concat", "fusion.width=64", "train.epochs=5"])
        >>> print(recipe.to_yaml())
        table: data.csv
        targets: [answer]
        fusion:
          name: concat
          width: 64
        train:
          epochs: 5
        <BLANKLINE>
    """

    table: str | list[str] | None = None
    """path, list of paths, glob or folder; null = the data came from Python"""
    validation_table: str | None = None
    """a table of its own for validation; null = a part of the table"""
    test_table: str | None = None
    """a table of its own for the test; null = a part of the table"""
    targets: list[str] = Field(default_factory=list)
    """columns to predict"""
    inputs: list[str] | None = None
    """columns to predict from; null = every column the schema takes as input"""
    columns: dict[str, ColumnOptions] = Field(default_factory=dict)
    """column -> what differs from the inferred schema"""
    objective: NamedPart = NamedPart(name="predict")
    """what is learned: to predict targets, to align inputs, or to verify identities"""
    fusion: NamedPart = NamedPart(name="product")
    """how the inputs become one"""
    tabular: NamedPart = NamedPart(name="mlp")
    """the encoder that joins numbers, categories, tags, dates and places"""
    split: SplitOptions = SplitOptions()
    """how the rows are parted into training, validation and test"""
    data: DataOptions = DataOptions()
    """how cells are read"""
    train: TrainOptions = TrainOptions()
    """how the model is trained"""
    evaluation: EvaluationOptions = EvaluationOptions()
    """what is measured after training, and reported"""
    clean: CleanOptions = CleanOptions()
    """which repairs `polymodal clean` makes; a training reads the table as it is"""
    seed: NonNegativeInt = 0
    """of all random choices"""

    @field_validator("objective", "fusion", "tabular")
    @classmethod
    def _exists(cls, part: NamedPart, info: ValidationInfo) -> NamedPart | None:
        return checked(part, info)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Recipe:
        roles = {name: column.role for name, column in self.columns.items()}
        targets = {*self.targets, *(name for name, role in roles.items() if role == "target")}
        wrong = []
        for name in self.inputs or ():
            if name in targets:
                text = f": {name!r} is a target too; take it out of one."
                wrong.append(Mistake(("inputs",), text))
        for name in self.targets:
            if roles.get(name) not in (None, "target"):
                text = f" = {roles[name]!r}: the column is among the targets too."
                wrong.append(Mistake(("columns", name, "role"), text))
        for name, column in self.columns.items():
            if column.encoder and name in targets:
                text = ": a target has a head, not an encoder."
                wrong.append(Mistake(("columns", name, "encoder"), text))
            # Where the recipe names no target at all, the caller will.
            if column.head and targets and name not in targets:
                text = ": the column is no target, only targets have a head."
                wrong.append(Mistake(("columns", name, "head"), text))
        for name in self.train.loss_weights or ():
            if targets and name not in targets:
                text = f": it is no target. {nearest(name, targets)}"
                wrong.append(Mistake(("train", "loss_weights", name), text))
        report(wrong)
        return self

    @classmethod
    def load(cls, source: Recipe | Mapping[str, Any] | str | Path | None = None) -> Recipe:
        """A recipe, checked.

        Args:
            source: a recipe, a mapping of options, the path of a YAML file, or None for all
                defaults. Relative tables and pairs in a file start from its folder.

        Raises:
            RecipeError: the file cannot be read, or options are wrong: all mistakes, one a line.
        """
        if isinstance(source, Recipe):
            return source
        if source is None or isinstance(source, Mapping):
            return cls._validated(source or {}, "The recipe")
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"The recipe {path} cannot be read: {error}") from error
        recipe = cls._validated(recipe_yaml.read(text, str(path)), str(path))
        folder = path.absolute().parent

        def anchored(place: str) -> str:
            return place if "://" in place else str(folder / Path(place).expanduser())

        changes: dict[str, Any] = {}
        for name in ("table", "validation_table", "test_table"):
            given = getattr(recipe, name)
            if given is not None:
                one = isinstance(given, str)
                changes[name] = anchored(given) if one else [anchored(place) for place in given]
        if recipe.evaluation.pairs is not None:
            pairs = {"pairs": anchored(recipe.evaluation.pairs)}
            changes["evaluation"] = recipe.evaluation.model_copy(update=pairs)
        return recipe.model_copy(update=changes)

    @classmethod
    def from_yaml(cls, text: str) -> Recipe:
        """The recipe that a YAML text holds: the inverse of ``to_yaml``."""
        return cls._validated(recipe_yaml.read(text, "The recipe"), "The recipe")

    @classmethod
    def _validated(cls, given: Mapping[str, Any], source: str) -> Recipe:
        text = to_json(given)
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            wrong = [f"\n  {mistake}" for mistake in mistakes(error, json.loads(text), cls)]
            count = "a mistake" if len(wrong) == 1 else f"{len(wrong)} mistakes"
            raise RecipeError(f"{source} has {count}:{''.join(wrong)}") from error

    def column(self, name: str) -> ColumnOptions:
        """The options of a column; all open where the recipe does not name it."""
        return self.columns.get(name, ColumnOptions())

    def override(self, assignments: Iterable[str]) -> Recipe:
        """The recipe with some options set, as on a command line.

        Args:
            assignments: ``path=value`` each, the value in YAML: ``train.epochs=5``,
                ``fusion=gated`` (which drops the options of the fusion before), ``targets=[a, b]``.
                A name that holds an equals sign, or dots that mislead
                (``columns."a.role".role=input``), stands in quotes.

        Raises:
            RecipeError: an assignment cannot be read, or sets something wrong.
        """
        options = self.to_dict(defaults=True)
        for assignment in assignments:
            path, value = _read_assignment(assignment)
            place = options
            for name in path[:-1]:
                inner = place.get(name)
                # A part without options is its name only.
                inner = {"name": inner} if isinstance(inner, str) else inner
                place[name] = inner if isinstance(inner, dict) else {}
                place = place[name]
            place[path[-1]] = value
        return Recipe._validated(options, "The recipe")

    def complete(self) -> Recipe:
        """The effective recipe: the defaults of every named part written out."""
        return _completed(self)

    def to_dict(self, *, defaults: bool = False) -> dict[str, Any]:
        """The options as plain values: what ``load`` takes.

        Args:
            defaults: also those that are at their default.
        """
        return self.model_dump(exclude_defaults=not defaults)

    def to_yaml(self, comments: bool = False) -> str:
        """The recipe as YAML.

        Args:
            comments: write the effective recipe, every option with what it does; otherwise only
                what differs from the defaults.
        """
        if not comments:
            return recipe_yaml.write(self.to_dict())
        recipe = self.complete()
        return recipe_yaml.write(recipe.to_dict(defaults=True), _comments(recipe))

    def save(self, path: str | Path) -> None:
        """Write the effective recipe, with comments, to a file."""
        write_file(Path(path), self.to_yaml(comments=True))


_O = TypeVar("_O", bound=BaseModel)
_NAME = r"""(?:"[^"]*"|'[^']*'|[^."'=][^.=]*)"""


def _read_assignment(text: str) -> tuple[list[str], Any]:
    """The path and the value of ``path=value``."""
    found = re.fullmatch(rf"({_NAME}(?:\.{_NAME})*)=(.*)", text, re.DOTALL)
    if not found:
        raise RecipeError(f"{text!r} must be path=value, as in train.epochs=5.")
    names = [
        name[1:-1] if name[0] in "\"'" else name.strip() for name in re.findall(_NAME, found[1])
    ]
    if names[0] == "columns" and len(names) > 2:
        # Columns' names may hold dots: a name goes on up to the first option of a column.
        ends = (i for i in range(2, len(names)) if names[i] in ColumnOptions.model_fields)
        end = next(ends, 2)
        names[1:end] = [".".join(names[1:end])]
    return names, recipe_yaml.read_value(found[2], repr(text))


def _completed(options: _O) -> _O:
    """Options with the defaults of their parts, and of their columns' parts, written out."""
    changes: dict[str, Any] = {}
    modality = getattr(options, "modality", None)
    for name, value in options:
        if name == "columns":
            changes[name] = {column: _completed(inner) for column, inner in value.items()}
        elif isinstance(value, NamedPart) and (registry := only_registry(value, name, modality)):
            changes[name] = value.complete(registry)
    return options.model_copy(update=changes)


def _comments(options: BaseModel) -> dict[str, Comment]:
    """What stands behind each option."""
    comments = {}
    modality = getattr(options, "modality", None)
    for name, field in type(options).model_fields.items():
        value, about = getattr(options, name), field.description or ""
        inside: Mapping[str, Comment] = {}
        if name == "columns":
            inside = {column: Comment("", _comments(one)) for column, one in value.items()}
        elif name in SLOTS:
            known = {n for registry in registries(name, modality) for n in registry}
            about += f"; one of {', '.join(sorted(known))}"
            if value is not None and (registry := only_registry(value, name, modality)):
                inside = {n: Comment(text) for n, text in comments_of(value, registry).items()}
        elif isinstance(value, BaseModel):
            inside = _comments(value)
        comments[name] = Comment(about, inside)
    return comments
