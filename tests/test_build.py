from pathlib import Path
from typing import Any

import pytest
import torch

import polymodal as pm
from polymodal.build import (
    backbone_configs,
    build_modalities,
    build_model,
    default_encoder,
    effective,
    load_modalities,
    tabular_branch,
)
from polymodal.data.modalities import Audio, Image
from polymodal.data.schema import Schema, infer_schema
from polymodal.data.table import Table
from polymodal.encoders import Patches
from polymodal.errors import RecipeError, SchemaError
from polymodal.recipe import Recipe
from small_backbones import make_bert, make_vit, make_wav2vec
from small_table import INPUTS, TARGETS, only, small


@pytest.fixture(scope="module")
def schema(small_folder: Path) -> Schema:
    return infer_schema(Table.read(small_folder / "table.csv"), TARGETS)


def test_numbers_categories_and_tags_are_one_branch(whole: pm.Predictor) -> None:
    model = whole.run.model
    assert model.branches == ("photo", "sound", "says", "tabular")
    assert model.columns["tabular"] == ("ink", "hand", "traits")
    assert model.targets == tuple(TARGETS)
    assert model.modality_dropout == 0.1 and model.log_variance is not None


def test_a_column_of_the_branchs_name(schema: Schema, small_rows: list[dict[str, Any]]) -> None:
    rows = [
        {"tabular": row["says"], "ink": row["ink"], "digit": row["digit"]} for row in small_rows
    ]
    named = infer_schema(Table.read(rows), ["digit"])
    assert tabular_branch(schema) == "tabular" and tabular_branch(named) == "tabular columns"
    trained = pm.fit(rows, "digit", recipe={**small(train={"epochs": 1}), "columns": {}})
    assert set(trained.run.model.branches) == {"tabular", "tabular columns"}


def test_a_single_branch_is_never_dropped(ink_run: Path) -> None:
    assert pm.load(ink_run).run.model.modality_dropout == 0.0


def test_the_usual_encoders() -> None:
    assert default_encoder(Image(size=32)).name == "cnn"
    assert default_encoder(Image(size=224)).name == "resnet"
    assert default_encoder(Audio()).name == "cnn"


def test_early_fusion_gets_light_encoders(schema: Schema, whole: pm.Predictor) -> None:
    recipe = Recipe.load({"fusion": "early", "columns": {"sound": {"encoder": "cnn"}}})
    for modalities in (None, whole.run.modalities):
        columns = effective(recipe, schema, modalities).columns
        encoders = {name: columns[name].encoder.name for name in ("photo", "says", "ink", "sound")}
        assert encoders == {
            "photo": "patches", "says": "token_embedding", "ink": "number", "sound": "cnn",
        }  # fmt: skip
    model = build_model(recipe, schema, whole.run.modalities)
    assert isinstance(model.encoder("photo"), Patches)


def test_the_effective_recipe_names_everything(schema: Schema, whole: pm.Predictor) -> None:
    recipe = effective(Recipe.load(small()), schema, whole.run.modalities)
    assert recipe.targets == TARGETS
    for name in INPUTS:
        column = recipe.columns[name]
        assert column.role == "input" and column.modality is not None
        assert column.encoder is not None and column.head is None
    assert recipe.columns["photo"].encoder.options["base"] == 8
    assert recipe.columns["photo"].encoder.options["dropout"] == 0.1
    heads = {name: recipe.columns[name].head.name for name in TARGETS}
    assert heads == {"digit": "classification", "price": "regression", "kinds": "tagging"}
    assert effective(recipe, schema, whole.run.modalities) == recipe
    # Before the pictures are opened nobody knows how large they are.
    open_ = effective(Recipe.load(None), schema)
    assert open_.columns["photo"].encoder is None
    assert open_.columns["says"].encoder.name == "text_rnn"


def test_modalities_are_loaded_as_they_were_fitted(whole: pm.Predictor) -> None:
    run = whole.run
    states = {name: modality.state() for name, modality in run.modalities.items()}
    again = load_modalities(run.recipe, run.schema, states)
    assert {name: modality.state() for name, modality in again.items()} == states


def test_options_reach_the_parts(schema: Schema) -> None:
    recipe = Recipe.load({"columns": {"photo": {"modality": {"name": "image", "size": 12}}}})
    photo = build_modalities(recipe, schema)["photo"]
    assert isinstance(photo, Image) and photo.size == 12


def test_unknown_names_are_refused_with_the_nearest(schema: Schema) -> None:
    with pytest.raises(SchemaError, match=r"No column 'fhoto'. Did you mean 'photo'"):
        build_modalities(Recipe.load({"columns": {"fhoto": {"role": "input"}}}), schema)
    for wrong, near in (
        ({"fusion": "concatt"}, "concat"),
        ({"columns": {"photo": {"encoder": "resnett"}}}, "resnet"),
        ({"train": {"epoch": 3}}, "epochs"),
        ({"fusion": {"name": "concat", "witdh": 3}}, "width"),
    ):
        with pytest.raises(RecipeError, match=f"Did you mean '{near}'"):
            Recipe.load(wrong)


def test_parts_of_another_modality_are_refused(schema: Schema) -> None:
    for wrong, said in (
        ({"photo": {"encoder": "text_rnn"}}, r"'photo' is of modality image. .*Known: as_is, cnn"),
        ({"price": {"head": "classification"}}, r"of modality number, whose head is regression"),
    ):
        with pytest.raises(RecipeError, match=said):
            build_modalities(Recipe.load({"columns": wrong}), schema)


@pytest.mark.parametrize(
    ("column", "make"), [("says", make_bert), ("photo", make_vit), ("sound", make_wav2vec)]
)
@pytest.mark.parametrize("train", ["frozen", "full"])
def test_a_pretrained_encoder_all_the_way(
    column: str,
    make: Any,
    train: str,
    small_folder: Path,
    small_rows: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    model = make(tmp_path / "model")
    recipe = only(column, "ink", train={"epochs": 1})
    recipe["columns"] = {
        column: {"encoder": {"name": "pretrained", "model": model, "train": train}}
    }
    out = tmp_path / "run"
    trained = pm.fit(small_folder / "table.csv", "digit", recipe=recipe, out=out)
    modality = trained.run.modalities[column]
    if column == "says":
        assert modality.max_tokens == 24
        ids = modality.decode("It is")
        assert ids[0] == 2 and ids[-1] == 3 and len(ids) == 7
    elif column == "photo":
        assert (modality.size, modality.channels, modality.mean) == (12, 3, [0.4, 0.5, 0.6])
    else:
        assert (modality.form, modality.rate) == ("waveform", 8000)
    expected = trained.predict(small_rows, proba=True)
    # The effective recipe names every option, defaults too: they must not undo the preprocessing.
    again = pm.fit(recipe=out / "recipe.yaml")
    assert again.metrics["test"] == trained.metrics["test"]
    assert again.run.modalities[column].state() == modality.state()
    (tmp_path / "model").rename(tmp_path / "moved")
    loaded = pm.load(out)
    assert loaded.predict(small_rows, proba=True).equals(expected)
    alone = loaded.predict(small_rows[20:21], proba=True)["digit=one"][0]
    assert alone == pytest.approx(expected["digit=one"][20], abs=1e-5)
    assert set(backbone_configs(loaded.run.model)) == {column}


def test_a_pretrained_encoder_keeps_what_the_user_asked_of_the_modality(
    tmp_path: Path, schema: Schema
) -> None:
    model = make_vit(tmp_path / "vit")
    encoder = {"name": "pretrained", "model": model}
    asked = {"photo": {"modality": {"name": "image", "resize": "pad"}, "encoder": encoder}}
    photo = build_modalities(Recipe.load({"columns": asked}), schema)["photo"]
    assert isinstance(photo, Image) and (photo.size, photo.resize) == (12, "pad")


def test_a_pretrained_model_that_is_not_there(small_folder: Path, tmp_path: Path) -> None:
    recipe = only("says")
    encoder = {"name": "pretrained", "model": str(tmp_path / "none")}
    recipe["columns"]["says"]["encoder"] = encoder
    with pytest.raises(RecipeError, match=r"'.*none' cannot be loaded"):
        pm.fit(small_folder / "table.csv", "digit", recipe=recipe)


def test_the_same_seed_builds_the_same_network(whole: pm.Predictor) -> None:
    run = whole.run
    built = []
    for _ in range(2):
        torch.manual_seed(5)
        built.append(build_model(run.recipe, run.schema, run.modalities).state_dict())
    assert all(torch.equal(built[0][name], built[1][name]) for name in built[0])
