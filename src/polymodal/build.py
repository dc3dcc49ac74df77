"""From schema and recipe to modalities and network: the one place where the two meet."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from polymodal.batch import ITEM
from polymodal.data.modalities import MODALITIES, Image, Modality
from polymodal.data.schema import Schema
from polymodal.encoders import (
    ENCODERS,
    LIGHT_ENCODERS,
    TABLE_ENCODERS,
    AsIs,
    PretrainedAudio,
    PretrainedImage,
    PretrainedPictures,
    PretrainedText,
    PretrainedVideo,
)
from polymodal.encoders.encoder import Encoder, TableEncoder
from polymodal.errors import RecipeError, nearest
from polymodal.fusion import FUSIONS
from polymodal.fusion.fusion import Fusion
from polymodal.fusion.nothing import Nothing
from polymodal.fusion.side_by_side import SideBySide
from polymodal.heads import HEADS, HEADS_OF
from polymodal.heads.head import Head
from polymodal.heads.objectives import OBJECTIVES
from polymodal.heads.prompted import Prompted
from polymodal.model import MultimodalModel
from polymodal.prompted_columns import (
    AS_IS,
    check_prompts,
    prompted_facts,
    prompted_heads,
    read_as_is,
)
from polymodal.recipe import NamedPart, Recipe
from polymodal.recipe_options import ColumnOptions

TABULAR = "tabular"
SMALL_PICTURE = 128
PRETRAINED = (
    PretrainedImage,
    PretrainedText,
    PretrainedAudio,
    PretrainedVideo,
    PretrainedPictures,
)
ENCODER_OF = {
    "text": "text_rnn",
    "audio": "cnn",
    "video": "frames",
    "gallery": "set",
    "passages": "set",
    "points": "pointnet",
    "number": "number",
    "category": "category",
    "tags": "tags",
    "series": "cnn1d",
    "vector": "mlp",
    "timestamp": "timestamp",
    "geo": "geo",
}
HEAD_OF = {modality: names[0] for modality, names in HEADS_OF.items()}


def build_modalities(recipe: Recipe, schema: Schema) -> dict[str, Modality]:
    """A modality, not yet fitted, for every input and target column.

    A pretrained encoder's own preprocessing is used, but for options that the recipe sets to
    something else than their default (an effective recipe names every option).

    Raises:
        RecipeError: an option is unknown or wrong, or a part is of another modality.
        SchemaError: a column of the recipe is not in the schema.
    """
    for name in recipe.columns:
        schema[name]
    check_prompts(recipe, schema)
    writers = {n: (h, p.options["model"]) for n, (h, p) in prompted_heads(recipe, schema).items()}
    readers = read_as_is(recipe, schema)
    modalities = {}
    for name in [*schema.inputs, *schema.targets]:
        column = recipe.column(name)
        part = _modality(recipe, schema, name)
        options = dict(part.options)
        _check_fit(name, part.name, column)
        if name in writers or name in readers:
            head, model = writers.get(name) or readers[name]
            options = head.preprocessing(model, part.name) | _asked(part)
        elif column.encoder is not None:
            cls = ENCODERS[part.name][column.encoder.name]
            if cls in PRETRAINED:
                options = cls.preprocessing(column.encoder.options["model"]) | _asked(part)
        modalities[name] = NamedPart(name=part.name, **options).build(MODALITIES)
    _check_dropout(recipe, schema, modalities)
    _check_mix(recipe, schema, modalities)
    return modalities


def _asked(part: NamedPart) -> dict[str, Any]:
    """The options of a modality that are not the usual ones."""
    usual = NamedPart(name=part.name).complete(MODALITIES).options
    return {n: v for n, v in part.options.items() if n not in usual or v != usual[n]}


def _modality(recipe: Recipe, schema: Schema, name: str) -> NamedPart:
    """A column's modality; texts that are to be written keep their case, if not said otherwise."""
    column = recipe.column(name)
    part = column.modality or NamedPart(name=schema[name].modality)
    if name not in schema.targets or part.name not in ("text", "passages"):
        return part
    aligned = column.head is not None and column.head.name == "ctc"
    usual = {"lowercase": False} | ({"units": "characters"} if aligned else {})
    return NamedPart(name=part.name, **usual | part.options)


def _check_mix(recipe: Recipe, schema: Schema, modalities: Mapping[str, Modality]) -> None:
    """Refuse to mix rows where no input has pixels at every step."""
    pictures = [name for name in schema.inputs if isinstance(modalities[name], Image)]
    frozen = {n for n in pictures if (e := recipe.column(n).encoder) and _is_frozen(e)}
    if recipe.train.mix != "off" and not set(pictures) - frozen:
        raise RecipeError(
            f"train.mix = {recipe.train.mix!r} mixes pictures, but no input is one"
            + (f" that is not read by a frozen encoder ({sorted(frozen)})." if frozen else ".")
            + " Set train.mix=off."
        )


def _is_frozen(encoder: NamedPart) -> bool:
    return encoder.complete(ENCODERS["image"]).options.get("train") == "frozen"


def _check_dropout(recipe: Recipe, schema: Schema, modalities: Mapping[str, Modality]) -> None:
    """Refuse a modality dropout for what is not an input."""
    if not isinstance(recipe.train.modality_dropout, dict):
        return
    tabular = any(modalities[name].tabular for name in schema.inputs)
    known = [*schema.inputs, *([tabular_branch(schema)] if tabular else [])]
    for name in recipe.train.modality_dropout:
        if name not in known:
            raise RecipeError(
                f"train.modality_dropout.{name}: {name!r} is not an input. {nearest(name, known)}"
            )


def _check_fit(name: str, modality: str, column: ColumnOptions) -> None:
    """Refuse an encoder or a head that is not for the column's modality."""
    if column.encoder is not None and column.encoder.name not in ENCODERS[modality]:
        raise RecipeError(
            f"columns.{name}.encoder = {column.encoder.name!r}: column {name!r} is of modality "
            f"{modality}. {nearest(column.encoder.name, ENCODERS[modality])}"
        )
    if column.head is not None and column.head.name not in HEADS_OF.get(modality, ()):
        known = " or ".join(HEADS_OF.get(modality, ("none",)))
        raise RecipeError(
            f"columns.{name}.head = {column.head.name!r}: column {name!r} is of modality "
            f"{modality}, whose head is {known}. Set columns.{name}.modality to "
            "predict it otherwise."
        )


def load_modalities(
    recipe: Recipe, schema: Schema, states: Mapping[str, dict[str, Any]]
) -> dict[str, Modality]:
    """The modalities of a saved run.

    Args:
        recipe: the effective recipe, which names every column's modality.
        schema: as saved.
        states: column -> what its modality had learned.
    """
    modalities = {}
    for name in [*schema.inputs, *schema.targets]:
        part = recipe.column(name).modality
        assert part is not None, "an effective recipe names every modality"
        modalities[name] = part.build(MODALITIES)
        modalities[name].load_state(states[name])
    return modalities


def build_model(
    recipe: Recipe,
    schema: Schema,
    modalities: Mapping[str, Modality],
    *,
    configs: Mapping[str, dict[str, Any]] | None = None,
) -> MultimodalModel:
    """The network for fitted modalities.

    Tabular columns (numbers, categories, tags) form one branch; every other input is a branch of
    its own.

    Args:
        recipe: which encoders, fusion and heads.
        schema: which columns are inputs and targets.
        modalities: column -> fitted modality.
        configs: column -> configuration of its pretrained encoder or head as
            :func:`backbone_configs` gave it; weights that a saved run brings are not read.
    """
    encoders: dict[str, Encoder | TableEncoder] = {}
    features: dict[str, Encoder] = {}
    readers = read_as_is(recipe, schema)
    for name in schema.inputs:
        modality = modalities[name]
        part = recipe.column(name).encoder or (AS_IS if name in readers else None)
        part = part or default_encoder(modality, light=_light(recipe))
        cls = ENCODERS[modality.name][part.name]
        facts = _accepted(cls, modality.facts())
        if configs is not None and name in configs:
            facts["config"] = configs[name]
        encoder = part.build(ENCODERS[modality.name], **facts)
        if modality.tabular:
            features[name] = encoder
        else:
            encoders[name] = encoder
    if features:
        encoders[tabular_branch(schema)] = recipe.tabular.build(TABLE_ENCODERS, features=features)
    widths = {name: encoder.width for name, encoder in encoders.items()}
    fusion: Fusion
    heads: dict[str, Head]
    if recipe.objective.name == "align":
        fusion = SideBySide(widths)
        heads = {ITEM: recipe.objective.build(OBJECTIVES, widths=widths)}
    else:
        fused = {n: width for n, width in widths.items() if not isinstance(encoders[n], AsIs)}
        fusion = recipe.fusion.build(FUSIONS, widths=fused) if fused else Nothing(widths)
        facts = prompted_facts(recipe, schema, encoders)
        heads = {}
        for name in schema.targets:
            known = modalities[name].facts() | facts
            if configs is not None and name in configs:
                known["config"] = configs[name]
            heads[name] = _head(recipe, name, modalities[name], fusion.width, known)
    return MultimodalModel(
        encoders,
        fusion,
        heads,
        modality_dropout=_modality_dropout(recipe, encoders, columns=features),
        loss_weights=recipe.train.loss_weights,
        cells_at_once=recipe.train.cells_at_once,
    )


def _modality_dropout(
    recipe: Recipe, branches: Collection[str], *, columns: Collection[str]
) -> float | dict[str, float]:
    """What was asked for, for these branches and the columns of the tabular one."""
    asked = recipe.train.modality_dropout
    if recipe.objective.name == "align":
        return 0.0  # a hidden branch would only be a pair less to learn from
    if isinstance(asked, dict):
        return {n: chance for n, chance in asked.items() if n in branches or n in columns}
    return asked if len(branches) > 1 else 0.0


def backbone_configs(model: MultimodalModel) -> dict[str, dict[str, Any]]:
    """The configurations of pretrained encoders and heads, with which they are built again."""
    encoders = {name: model.encoder(name) for name in model.branches}
    heads = {name: model.head(name) for name in model.targets}
    found = {n: e.config for n, e in encoders.items() if isinstance(e, PRETRAINED)}
    return found | {n: head.config for n, head in heads.items() if isinstance(head, Prompted)}


def default_encoder(modality: Modality, *, light: bool = False) -> NamedPart:
    """The encoder a column gets when the recipe names none.

    Args:
        modality: of the column.
        light: the fusion wants tokens that no network of their own has made.
    """
    if light and modality.name in LIGHT_ENCODERS:
        return NamedPart(name=LIGHT_ENCODERS[modality.name])
    if isinstance(modality, Image):
        small = modality.size <= SMALL_PICTURE
        return NamedPart(name="cnn" if small else "resnet")
    return NamedPart(name=ENCODER_OF[modality.name])


def _light(recipe: Recipe) -> bool:
    return FUSIONS[recipe.fusion.name].light


def tabular_branch(schema: Schema) -> str:
    """The name of the branch of numbers, categories and tags."""
    return TABULAR if TABULAR not in schema.inputs else f"{TABULAR} columns"


def effective(
    recipe: Recipe, schema: Schema, modalities: Mapping[str, Modality] | None = None
) -> Recipe:
    """The recipe with every column's role, modality, encoder and head written out.

    Args:
        recipe: as the user gave it.
        schema: as inferred.
        modalities: fitted, to know which encoder a picture of their size gets; without them the
            encoders of pictures are left open.
    """
    columns, light = {}, _light(recipe)
    readers = read_as_is(recipe, schema)
    usual = ENCODER_OF | (LIGHT_ENCODERS if light else {})
    for column in schema.columns:
        asked = recipe.column(column.name)
        changes: dict[str, Any] = {"role": column.role, "source": column.source or None}
        if column.role in ("input", "target"):
            changes["modality"] = _modality(recipe, schema, column.name)
        if column.role == "input":
            known = modalities and column.name in modalities
            part = asked.encoder or (AS_IS if column.name in readers else None)
            if part is None and known:
                part = default_encoder(modalities[column.name], light=light)  # type: ignore[index]
            elif part is None and column.modality in usual:
                part = NamedPart(name=usual[column.modality])
            changes["encoder"] = part
        if column.role == "target":
            usual_head = None if recipe.objective.name == "verify" else HEAD_OF[column.modality]
            changes["head"] = asked.head or (usual_head and NamedPart(name=usual_head))
        columns[column.name] = asked.model_copy(update=changes)
    return recipe.model_copy(update={"columns": columns, "targets": schema.targets}).complete()


def _head(
    recipe: Recipe, name: str, modality: Modality, width: int, facts: Mapping[str, Any]
) -> Head:
    part, registry = recipe.column(name).head or NamedPart(name=HEAD_OF[modality.name]), HEADS
    if recipe.objective.name == "verify":
        part, registry = recipe.objective, OBJECTIVES
    return part.build(registry, width=width, **_accepted(registry[part.name], facts))


def _accepted(cls: type, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Those facts that a class's constructor takes."""
    parameters = inspect.signature(cls).parameters
    return {name: value for name, value in facts.items() if name in parameters}
