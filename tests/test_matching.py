"""Whole trainings in which rows are compared: columns aligned, identities verified."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from polymodal.cli import app
from polymodal.comparison.comparison import compare
from polymodal.errors import PolymodalError, RecipeError, SchemaError, TableError
from polymodal.experiment import Experiment, fit
from polymodal.predictor import Predictor
from polymodal.recipe import Recipe
from polymodal.training import Interrupted, SilentProgress
from small_table import only

Rows = list[dict[str, Any]]


def aligning(**changes: Any) -> dict[str, Any]:
    """Photos, sounds and sentences of digits: those of one digit are alike."""
    train = {"epochs": 8, "batch_size": 16, "modality_dropout": 0.0, **changes.pop("train", {})}
    objective = {"name": "align", "width": 16, "matryoshka": [8], **changes.pop("objective", {})}
    return only("photo", "sound", "says", train=train, objective=objective, **changes)


@pytest.fixture(scope="module")
def people(small_rows: Rows) -> Rows:
    """The rows with whose they are: two writers of each digit."""
    return [{**row, "who": f"{row['digit']} {'ab'[i % 2]}"} for i, row in enumerate(small_rows)]


def verifying(**changes: Any) -> dict[str, Any]:
    split = {"validation": 0.25, "test": 0.25, **changes.pop("split", {})}
    objective = {"name": "verify", "size": 8, **changes.pop("objective", {})}
    return only("photo", "sound", objective=objective, split=split, **changes)


@pytest.fixture(scope="module")
def aligned_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "aligned"
    fit(small_folder / "table.csv", recipe=aligning(), out=out)
    return out


@pytest.fixture(scope="module")
def verified_run(people: Rows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "verified"
    fit(people, "who", recipe=verifying(), out=out)
    return out


@pytest.fixture
def aligned(aligned_run: Path) -> Predictor:
    return Predictor.load(aligned_run)


@pytest.fixture
def verified(verified_run: Path) -> Predictor:
    return Predictor.load(verified_run)


def test_every_direction_is_measured_beside_chance(aligned: Predictor, aligned_run: Path) -> None:
    told = aligned.metrics["retrieval"]
    directions = {(one["query"], one["answer"]) for one in told}
    assert len(directions) == 6 and ("photo", "sound") in directions
    for one in told:
        assert one["mrr"]["low"] <= one["mrr"]["value"] <= one["mrr"]["high"]
        assert 0 < one["chance"]["recall@1"] <= 1
    page = (aligned_run / "report.html").read_text()
    assert "by chance" in page and "photo → sound" in page and "<audio" in page


def test_columns_and_rows_live_in_one_space(aligned: Predictor, small_rows: Rows) -> None:
    assert aligned.aligned and set(aligned.embeds) == {"photo", "sound", "says"}
    rows = small_rows[:12]
    photos, sounds = aligned.embed(rows, "photo"), aligned.embed(rows, "sound")
    whole = aligned.embed(rows)
    assert photos.shape == sounds.shape == whole.shape == (12, 16)
    # A row with one cell is where this cell is; of several, the mean.
    alone = aligned.embed([{"photo": row["photo"], "sound": None, "says": None} for row in rows])
    np.testing.assert_allclose(alone, photos, atol=1e-5)
    both = [{"photo": row["photo"], "sound": row["sound"], "says": None} for row in rows]
    mean = photos + sounds
    lengths = np.linalg.norm(mean, axis=1, keepdims=True)
    mean = np.divide(mean, lengths, out=np.zeros_like(mean), where=lengths > 0)
    np.testing.assert_allclose(aligned.embed(both), mean, atol=1e-5)


def test_a_trained_pair_names_cells_by_words(aligned: Predictor, small_rows: Rows) -> None:
    rows = [{"photo": row["photo"]} for row in small_rows[:10]]
    named = aligned.zero_shot(rows, "photo", ["one", "two", "three"], text_column="says")
    assert list(named) == ["label", "one", "two", "three"]
    there = ~named["label"].isna()
    assert list(np.flatnonzero(~there)) == [3, 5, 7, 9]  # missing or broken photos
    shares = named[["one", "two", "three"]][there].sum(axis=1)
    np.testing.assert_allclose(shares, 1, atol=1e-5)
    assert named["one"][3] != named["one"][3]


def test_targets_and_balance_do_not_go_with_aligning(small_folder: Path) -> None:
    table = small_folder / "table.csv"
    with pytest.raises(RecipeError, match="learns from inputs alone, but 'digit' is a target"):
        fit(table, "digit", recipe=aligning())
    with pytest.raises(RecipeError, match="balance = 'ogm_ge'"):
        fit(table, recipe=aligning(train={"balance": "ogm_ge"}))
    with pytest.raises(RecipeError, match="mix = 'mixup'"):
        fit(table, recipe=aligning(train={"mix": "mixup"}))
    with pytest.raises(RecipeError, match="compares rows of one batch, which a stream"):
        fit(table, recipe=aligning(data={"stream": True}))
    with pytest.raises(RecipeError, match="compared by how well they predict"):
        compare(table, recipe=aligning(), out=small_folder / "never")


def test_several_captions_in_a_cell_have_the_mean_of_their_vectors(aligned: Predictor) -> None:
    captions = ["It is an even one, the 2th.", "It is an odd one, and not even at all."]
    alone = aligned.embed([{"says": one} for one in captions], "says")
    together = aligned.embed([{"says": captions}, {"says": captions[1:]}], "says")
    mean = alone.sum(0) / np.linalg.norm(alone.sum(0))
    np.testing.assert_allclose(together, [mean, alone[1]], atol=1e-5)
    numbered = aligned.embed([{"says_1": captions[0], "says_2": captions[1]}], "says")
    np.testing.assert_allclose(numbered[0], mean, atol=1e-5)


class Stopping(SilentProgress):
    """Asks a training to stop after an epoch, as Ctrl-C does."""

    def epoch(self, row: Any, *, metric: str, best: bool) -> None:
        import os
        import signal

        if row["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("kind", ["align", "verify"])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(
    people: Rows, tmp_path: Path, kind: str
) -> None:
    recipe = aligning() if kind == "align" else verifying()
    recipe["train"]["epochs"] = 4
    target, out = None if kind == "align" else "who", tmp_path / "stopped"
    whole = fit(people, target, recipe=recipe, out=tmp_path / "whole")
    with pytest.raises(Interrupted):
        fit(people, target, recipe=recipe, out=out, progress=Stopping())
    on = fit(people, target, recipe=recipe, out=out, resume=True)
    ours, theirs = on.run.model.state_dict(), whole.run.model.state_dict()
    assert all(bool((ours[name] == theirs[name]).all()) for name in theirs)


def test_several_captions_are_rows_of_one_thing(small_rows: Rows) -> None:
    rows = [
        {"photo": row["photo"], "says_1": row["says"], "says_2": row["says"] and row["says"] + "!"}
        for row in small_rows
    ]
    recipe = aligning(train={"epochs": 1})
    recipe["inputs"] = ["photo", "says"]
    del recipe["columns"]["sound"]
    experiment = Experiment(rows, Recipe.load(recipe))
    dataset = experiment.prepare()
    assert len(dataset.table) > len(rows) and dataset.items is not None
    for item in np.unique(dataset.items):
        assert len(set(dataset.parts[dataset.items == item])) == 1
    experiment.build()
    batch = next(experiment.trainer.source(experiment.model, experiment.recipe.train).epoch(0))
    assert len(set(dataset.items[batch.rows.numpy()])) == len(batch)  # one caption of each


def test_identities_of_the_test_part_are_new(verified: Predictor, verified_run: Path) -> None:
    found = verified.metrics["verification"]
    assert found["same"] > 0 and 0 <= found["eer"]["value"] <= 1
    labels = verified.run.modalities["who"].labels  # type: ignore[attr-defined]
    assert 2 <= len(labels) <= 4  # of eight; the others are for validation and test
    page = (verified_run / "report.html").read_text()
    assert "equal error rate" in page and "DET" in page


def test_two_rows_are_the_same_or_not(verified: Predictor, small_rows: Rows) -> None:
    row = {"photo": small_rows[0]["photo"], "sound": small_rows[0]["sound"]}
    found = verified.verify(row, row)
    assert found.same and found.score == pytest.approx(1, abs=1e-5)
    assert found.threshold == verified.metrics["verification"]["threshold"]
    half = verified.verify(row, {"sound": small_rows[1]["sound"]})
    assert -1 <= half.score <= 1
    with pytest.raises(PolymodalError, match="holds nothing that the model could read"):
        verified.verify(row, {"photo": None})


def test_each_run_does_what_it_was_trained_for(
    aligned: Predictor, verified: Predictor, whole: Predictor, small_rows: Rows
) -> None:
    with pytest.raises(PolymodalError, match="objective=verify; this one was trained with obj"):
        aligned.verify(small_rows[0], small_rows[1])
    with pytest.raises(PolymodalError, match="objective=align; this one was trained with obj"):
        whole.zero_shot(small_rows, "photo", ["a", "b"], text_column="says")
    with pytest.raises(PolymodalError, match="aligns columns, and predicts nothing"):
        aligned.predict(small_rows[:2])
    assert list(verified.predict(small_rows[:3])) == ["who"]  # who of those it knows


def test_pairs_of_a_file(people: Rows, tmp_path: Path) -> None:
    test = [row for row in people if row["digit"] in ("two", "three")]
    train = [row for row in people if row["digit"] in ("nought", "one")]
    pairs = tmp_path / "pairs.csv"
    photos = [row["photo"] for row in test if row["photo"]][:6]
    whose = {row["photo"]: row["who"] for row in test}
    lines = [f"{a},{b},{int(whose[a] == whose[b])}" for a in photos for b in photos if a < b]
    strangers = f"{photos[0]},{train[0]['photo']},0"
    pairs.write_text("\n".join(["photo_a,photo_b,same", *lines, strangers]))
    recipe = verifying(train={"epochs": 1}, split={"validation": 0.5})
    recipe["evaluation"]["pairs"] = str(pairs)
    done = fit(train, "who", test=test, recipe=recipe)
    assert done.metrics["verification"]["pairs"] == len(lines)  # not that of the training part
    pairs.write_text("left,right,same\n1,2,1\n")
    with pytest.raises(TableError, match="must hold NAME_a, NAME_b and same"):
        fit(train, "who", test=test, recipe=recipe)


def test_identities_split_by_hand_must_not_be_torn(people: Rows) -> None:
    rows = [{**row, "split": ("train", "test")[i % 4 == 0]} for i, row in enumerate(people)]
    with pytest.raises(SchemaError, match="is in the training part and in the test part"):
        fit(rows, "who", recipe=verifying(train={"epochs": 1}))
    with pytest.raises(RecipeError, match="wants one target"):
        fit(people, ["who", "digit"], recipe=verifying())
    with pytest.raises(RecipeError, match="the rows are split by 'who'"):
        fit(people, "who", recipe=verifying(split={"group_by": "hand"}))


def test_commands(
    aligned_run: Path, verified_run: Path, small_folder: Path, small_rows: Rows, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    run = CliRunner().invoke
    table, out = str(small_folder / "table.csv"), tmp_path / "vectors.parquet"
    done = run(app, ["embed", str(aligned_run), table, "-o", str(out),
                     "--column", "photo", "--column", "says", "--dims", "8"])  # fmt: skip
    assert done.exit_code == 0, done.output
    found = pq.read_table(out)
    assert found.column_names == ["photo", "says"] and found.num_rows == 120
    assert found["photo"][3].as_py() is None and len(found["photo"][0].as_py()) == 8
    matrix = tmp_path / "vectors.npy"
    done = run(app, ["embed", str(aligned_run), table, "-o", str(matrix), "--kind", "binary"])
    assert done.exit_code == 0 and np.load(matrix).shape == (120, 2)
    assert run(app, ["embed", str(aligned_run), table, "-o", "x.txt"]).exit_code == 2

    photos = [row["photo"] for row in small_rows[:2]]
    done = run(app, ["verify", str(verified_run), *photos, "--json"])
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.output)) == {"same", "score", "threshold"}
    as_row = json.dumps({"photo": photos[0], "sound": small_rows[0]["sound"]})
    done = run(app, ["verify", str(verified_run), as_row, photos[1]])
    assert done.exit_code == 0 and "from" in done.output
    done = run(app, ["verify", str(verified_run), "nothing.png", photos[1]])
    assert isinstance(done.exception, PolymodalError)
