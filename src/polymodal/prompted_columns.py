"""Columns that pretrained heads read by themselves, without an encoder of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from polymodal.data.schema import Schema
from polymodal.encoders.as_is import AsIs
from polymodal.errors import RecipeError
from polymodal.heads import HEADS
from polymodal.heads.prompt import ROW, check_prompt
from polymodal.heads.prompted import Prompted
from polymodal.recipe import NamedPart, Recipe

AS_IS = NamedPart(name="as_is")


def prompted_heads(recipe: Recipe, schema: Schema) -> dict[str, tuple[type[Prompted], NamedPart]]:
    """Target -> its head, of targets whose head holds a pretrained model."""
    found = {}
    for target in schema.targets:
        part = recipe.column(target).head
        cls: type = HEADS[part.name] if part is not None and part.name in HEADS else object
        if part is not None and issubclass(cls, Prompted):
            found[target] = (cls, part)
    return found


def read_as_is(recipe: Recipe, schema: Schema) -> dict[str, tuple[type[Prompted], str]]:
    """Column -> the head that reads its cells by itself, and the head's model.

    Raises:
        RecipeError: two heads with different models would read the same cells.
    """
    found: dict[str, tuple[type[Prompted], str]] = {}
    inputs = input_modalities(recipe, schema)
    for target, (cls, part) in prompted_heads(recipe, schema).items():
        reader = (cls, part.options["model"])
        for column in cls.as_is(part.options.get("prompt"), inputs):
            named = recipe.column(column).encoder
            if named is not None and named.name != AS_IS.name:
                continue
            if found.setdefault(column, reader) != reader:
                raise RecipeError(
                    f"columns.{target}.head: {part.options['model']!r} would read {column!r}, "
                    f"which {found[column][1]!r} reads already, in other tokens. Train one model "
                    "for each target, or give both the same pretrained model."
                )
    return found


def check_prompts(recipe: Recipe, schema: Schema) -> None:
    """Refuse prompts that name what is not there.

    Raises:
        RecipeError: a prompt names a column that is no input, or one that cannot stand there.
    """
    inputs = input_modalities(recipe, schema)
    for target, (cls, part) in prompted_heads(recipe, schema).items():
        if (prompt := part.options.get("prompt")) is not None:
            try:
                check_prompt(prompt, inputs, cls.readable, row=cls.reads_row)
            except RecipeError as error:
                raise RecipeError(f"columns.{target}.head.prompt: {error}") from error
    for name in read_as_is(recipe, schema):
        asked = recipe.column(name).modality
        if asked is not None and asked.options.get("channels") == 1:
            raise RecipeError(
                f"columns.{name}.modality.channels = 1: a pretrained model reads {name!r} by "
                "itself, in colour. Leave channels out; grey pictures are read as well."
            )
    _check_all_read(recipe, schema, inputs)


def _check_all_read(recipe: Recipe, schema: Schema, inputs: Mapping[str, str]) -> None:
    """Refuse inputs that no head would read."""
    heads = prompted_heads(recipe, schema)
    if not heads or any(target not in heads for target in schema.targets):
        return
    heeded = {n for cls, p in heads.values() for n in cls.heeds(p.options.get("prompt"), inputs)}
    if unread := [name for name in inputs if name not in heeded]:
        name, (cls, part) = unread[0], next(iter(heads.values()))
        kinds = ", ".join(sorted(cls.readable))
        remedy = f"It reads {kinds} only: set columns.{name}.modality to text, choose causal_lm"
        if inputs[name] in cls.readable:
            remedy = f"It reads what its prompt names: write {{{name}}} into the prompt"
        elif cls.reads_row:
            remedy = f"It reads what its prompt names: write {{{ROW}}} into the prompt"
        raise RecipeError(
            f"The head {part.name} would not read the input {name!r}, of modality {inputs[name]}, "
            f"nor would any other. {remedy}, or leave it out: columns.{name}.role: ignore."
        )


def input_modalities(recipe: Recipe, schema: Schema) -> dict[str, str]:
    """Input column -> the name of its modality."""
    asked = {name: recipe.column(name).modality for name in schema.inputs}
    return {n: schema[n].modality if part is None else part.name for n, part in asked.items()}


def prompted_facts(recipe: Recipe, schema: Schema, encoders: Mapping[str, Any]) -> dict[str, Any]:
    """What a pretrained head must know of the branches: their widths, and which are as they are."""
    texts = input_modalities(recipe, schema)
    left = [name for name, encoder in encoders.items() if isinstance(encoder, AsIs)]
    return {
        "branches": {name: encoder.width for name, encoder in encoders.items()},
        "texts": tuple(name for name in left if texts[name] == "text"),
        "inputs": {name: texts[name] for name in left},
    }
