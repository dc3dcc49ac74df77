import json
import math
import os
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
import yaml

import polymodal as pm
from polymodal.errors import PolymodalError, RecipeError, RunError, SchemaError, TableError
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.training import Interrupted, SilentProgress
from small_table import INPUTS, NAMES, ROWS, TARGETS, only, small, write_csv

Rows = list[dict[str, Any]]
QUICK = {"epochs": 1}


class Streamed:
    """What polars, duckdb and datasets have in common."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, schema: object = None) -> object:
        return self.table.__arrow_c_stream__(schema)


def test_fit_takes_a_table_from_anywhere(small_folder: Path, small_rows: Rows) -> None:
    recipe = only("ink", "hand", train=QUICK)
    arrow = pa.Table.from_pylist(small_rows)
    frame = pandas.DataFrame(small_rows)
    sources = (small_folder / "table.csv", str(small_folder / "table.csv"), frame, arrow,
               Streamed(arrow), small_rows)  # fmt: skip
    scores = [pm.fit(source, target="digit", recipe=recipe).metrics["test"] for source in sources]
    assert all(score == scores[0] for score in scores)


def test_fit_takes_a_recipe_as_dictionary_path_or_object(
    small_folder: Path, tmp_path: Path
) -> None:
    plain = only("ink", "hand", train=QUICK) | {"targets": ["digit"]}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(plain))
    typed = pm.Recipe.load(plain)
    scores = [
        pm.fit(small_folder / "table.csv", recipe=recipe).metrics["test"]
        for recipe in (plain, tmp_path / "recipe.yaml", str(tmp_path / "recipe.yaml"), typed)
    ]
    assert all(score == scores[0] for score in scores)
    plain["table"] = str(small_folder / "table.csv")
    assert pm.fit(recipe=plain).metrics["test"] == scores[0]


def test_tables_of_their_own_for_validation_and_test(small_rows: Rows, tmp_path: Path) -> None:
    test = write_csv(tmp_path / "test.csv", small_rows[:20])
    trained = pm.fit(
        small_rows[40:],
        "digit",
        recipe=only("ink", "hand", train=QUICK),
        validation=pandas.DataFrame(small_rows[20:40]),
        test=test,
    )
    assert trained.metrics["rows"] == 20
    assert trained.evaluate(test).to_dict() == trained.metrics["test"]


def test_without_a_directory_nothing_is_left_on_disk(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    trained = pm.fit(small_folder / "table.csv", "digit", recipe=only("photo", train=QUICK))
    assert trained.directory is None
    with pytest.raises(TableError):
        pm.fit(small_folder / "table.csv", "none")
    assert list(tmp_path.iterdir()) == []


def test_metrics_hold_what_the_test_part_says(whole: pm.Predictor, whole_run: Path) -> None:
    metrics = json.loads((whole_run / "metrics.json").read_text())
    assert metrics == whole.metrics
    assert list(metrics["test"]) == TARGETS
    for target, metric in (("digit", "accuracy"), ("price", "mae"), ("kinds", "f1_macro")):
        score = metrics["test"][target][metric]
        assert set(score) == {"value", "low", "high"}
        assert score["low"] <= score["value"] <= score["high"]
    alone = {"photo", "sound", "says", "tabular"}
    trees = {"boosted_trees", "boosted_trees_tabular"}
    assert set(metrics["baselines"]["digit"]) == {"most_frequent", *trees, *alone}
    assert set(metrics["baselines"]["price"]) == {"mean", *trees, *alone}
    assert metrics["baselines"]["digit"]["most_frequent"]["accuracy"]["low"] is not None
    # Six inputs: all, each left out, each alone.
    sets = [set(entry["inputs"]) for entry in metrics["subsets"]["digit"]]
    assert sets[0] == set(INPUTS) and sorted(map(len, sets)) == [1] * 6 + [5] * 6 + [6]
    assert all({"value", "low", "high"} <= set(entry) for entry in metrics["subsets"]["price"])
    whole_score = metrics["test"]["digit"]["accuracy"]["value"]
    assert metrics["subsets"]["digit"][0]["value"] == pytest.approx(whole_score)
    assert metrics["training"]["epochs"] == 4
    assert {finding["column"] for finding in metrics["findings"]} >= {"photo", "sound", "ink"}
    assert set(metrics["verdicts"]) == set(TARGETS)


def test_what_a_run_directory_holds(whole_run: Path) -> None:
    names = {path.name for path in whole_run.iterdir()}
    assert names == {
        "recipe.yaml", "schema.json", "weights.safetensors", "backbones.json", "modalities",
        "metrics.json", "manifest.json", "report.html", "environment.json", "checkpoints", "log",
    }  # fmt: skip
    report = (whole_run / "report.html").read_text()
    assert "zero-byte file" in report and "digit" in report
    assert "torch" in json.loads((whole_run / "environment.json").read_text())


@pytest.mark.slow
def test_the_same_recipe_and_seed_give_the_same_numbers(small_folder: Path, tmp_path: Path) -> None:
    recipe = small(train=QUICK, evaluation={"trees": True, "subsets": True})
    first = pm.fit(small_folder / "table.csv", TARGETS, recipe=recipe, out=tmp_path / "a")
    again = pm.fit(small_folder / "table.csv", TARGETS, recipe=recipe, out=tmp_path / "b")
    effective = pm.fit(recipe=tmp_path / "a" / "recipe.yaml", out=tmp_path / "c")
    timed = {"training", "seconds"}
    for other in (again, effective):
        for name in set(first.metrics) - timed:
            assert first.metrics[name] == other.metrics[name], name
    weights = [(tmp_path / run / "weights.safetensors").read_bytes() for run in "abc"]
    assert weights[0] == weights[1] == weights[2]
    # The options are the same too, so that it can go on so for ever.
    assert pm.Recipe.load(tmp_path / "a" / "recipe.yaml") == effective.run.recipe
    changed = pm.fit(small_folder / "table.csv", TARGETS, recipe=recipe | {"seed": 1})
    assert changed.metrics["test"] != first.metrics["test"]


def test_several_tables_are_named_in_the_recipe(small_rows: Rows, tmp_path: Path) -> None:
    paths = [write_csv(tmp_path / f"{i}.csv", small_rows[60 * i : 60 * i + 60]) for i in (0, 1)]
    pm.fit(paths, "digit", recipe=only("ink", train=QUICK), out=tmp_path / "run")
    assert pm.Recipe.load(tmp_path / "run" / "recipe.yaml").table == [str(p) for p in paths]


def test_the_cells_are_decoded_once_and_the_pack_is_removed(
    small_folder: Path, tmp_path: Path
) -> None:
    recipe = only("photo", train=QUICK) | {"data": {"keep_packs": False}}
    experiment = Experiment(
        small_folder / "table.csv",
        chosen_recipe(recipe, "digit", None),
        out=tmp_path / "run",
    )
    experiment.prepare()
    experiment.build()
    assert list((tmp_path / "run" / "pack").iterdir())
    assert (tmp_path / "run" / "recipe.yaml").exists()  # to resume from, whatever happens next
    experiment.train()
    experiment.assess()
    experiment.save()
    assert not (tmp_path / "run" / "pack").exists()


def test_no_validation_part(small_folder: Path) -> None:
    """Then nothing tells when to stop early: the training goes to its end."""
    train = {"epochs": 4, "patience": 2}
    recipe = only("ink", "hand", train=train) | {"split": {"validation": 0.0}}
    trained = pm.fit(small_folder / "table.csv", "digit", recipe=recipe)
    assert trained.metrics["training"]["epochs"] == 4
    assert trained.metrics["test"]["digit"]["accuracy"]["value"] is not None


def test_a_broken_cell_is_an_error_on_request(small_folder: Path) -> None:
    recipe = only("photo", train=QUICK) | {"data": {"broken": "error", "workers": 1}}
    with pytest.raises(SchemaError, match=r"Column 'photo', row 5: zero-byte file.*005.png"):
        pm.fit(small_folder / "table.csv", "digit", recipe=recipe)


def test_what_cannot_be_trained(small_rows: Rows, small_folder: Path) -> None:
    table = small_folder / "table.csv"
    with pytest.raises(RecipeError, match="No target: name the column to predict"):
        pm.fit(table)
    with pytest.raises(RecipeError, match="No table"):
        pm.fit(target="digit")
    with pytest.raises(TableError, match=r"no column 'digits'. Did you mean 'digit'\?"):
        pm.fit(table, "digits")
    with pytest.raises(RecipeError, match="The test part is empty"):
        pm.fit(table, "digit", recipe={"split": {"test": 0.0}})
    with pytest.raises(SchemaError, match=r"holds the same value \('one'\) in every row"):
        pm.fit([row | {"digit": "one"} for row in small_rows], "digit")
    with pytest.raises(SchemaError, match="is empty in every row"):
        pm.fit([row | {"digit": None} for row in small_rows], "digit")
    with pytest.raises(PolymodalError, match=r"columns.fotos|No column 'fotos'|no column 'fotos'"):
        pm.fit(table, "digit", recipe={"columns": {"fotos": {"encoder": "cnn"}}})


def test_directories_that_are_not_overwritten(
    ink_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    def fit(**options: Any) -> None:
        pm.fit(small_folder / "table.csv", "digit", recipe=only("ink", train=QUICK), **options)

    with pytest.raises(RunError, match=r"is not empty.*--resume.*--overwrite"):
        fit(out=ink_run)
    with pytest.raises(RunError, match="contradict each other"):
        fit(out=ink_run, resume=True, overwrite=True)
    with pytest.raises(RunError, match=r"finished: there is nothing to resume"):
        fit(out=ink_run, resume=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "of_my_life.png").write_bytes(b"")
    (tmp_path / "photos" / "recipe.yaml").write_text("")  # of an example, beside its data
    with pytest.raises(RunError, match=r"'of_my_life.png', which is no part of a run"):
        fit(out=tmp_path / "photos", overwrite=True)
    (tmp_path / "photos" / "recipe.yaml").unlink()
    with pytest.raises(RunError, match=r"no training that could be resumed"):
        fit(out=tmp_path / "photos", resume=True)
    with pytest.raises(RunError, match="is a file"):
        fit(out=tmp_path / "photos" / "of_my_life.png", overwrite=True)
    assert (tmp_path / "photos" / "of_my_life.png").exists()


def test_overwrite_replaces_a_run_only_once_the_new_one_can_begin(
    small_folder: Path, tmp_path: Path
) -> None:
    table, recipe = small_folder / "table.csv", only("ink", train=QUICK)
    pm.fit(table, "digit", recipe=recipe, out=tmp_path / "run")
    with pytest.raises(TableError):
        pm.fit("none.csv", "digit", recipe=recipe, out=tmp_path / "run", overwrite=True)
    assert pm.load(tmp_path / "run").inputs == ["ink"]
    recipe = only("hand", train=QUICK)
    pm.fit(table, "digit", recipe=recipe, out=tmp_path / "run", overwrite=True)
    assert pm.load(tmp_path / "run").inputs == ["hand"]


class Interrupting(SilentProgress):
    """Presses Ctrl-C after the first epoch."""

    def epoch(self, row: Any, *, metric: str, best: bool) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def test_a_training_that_is_interrupted_and_resumed_is_the_same(
    small_folder: Path, tmp_path: Path
) -> None:
    assert threading.current_thread() is threading.main_thread()
    table, recipe = small_folder / "table.csv", only("photo", "ink")
    pm.fit(table, "digit", recipe=recipe, out=tmp_path / "whole")
    out = tmp_path / "parts"
    with pytest.raises(Interrupted, match=rf"saved in {out}"):
        pm.fit(table, "digit", recipe=recipe, out=out, progress=Interrupting())
    with pytest.raises(RunError, match="not finished"):
        pm.load(out)
    with pytest.raises(RunError, match=r"train.weight_decay: 0.05 then, 0.5 now"):
        other = only("photo", "ink", train={"weight_decay": 0.5})
        pm.fit(table, "digit", recipe=other, out=out, resume=True)
    # What did not fit has not become the recipe of the run.
    pm.fit(recipe=out / "recipe.yaml", out=out, resume=True)
    names = ("whole", "parts")
    one, other = ((tmp_path / name / "weights.safetensors").read_bytes() for name in names)
    assert one == other


def test_an_interrupted_training_without_a_directory_says_so(small_folder: Path) -> None:
    with pytest.raises(PolymodalError, match="Nothing was kept, because no directory was given"):
        recipe = only("ink")
        pm.fit(small_folder / "table.csv", "digit", recipe=recipe, progress=Interrupting())


def test_an_interrupted_baseline_names_the_run_and_not_its_own_directory(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(self: Experiment, columns: object) -> None:
        self._train(self.model, tmp_path / "else", Interrupting(), options=self.recipe.train)

    monkeypatch.setattr(Experiment, "_train_alone", interrupt)
    recipe = only("photo", "ink", evaluation={"single_modalities": "trained"})
    with pytest.raises(Interrupted) as found:
        pm.fit(small_folder / "table.csv", "digit", recipe=recipe, out=tmp_path / "run")
    assert found.value.directory == tmp_path / "run"


def test_a_target_is_not_read_as_an_input(whole: pm.Predictor) -> None:
    assert set(whole.inputs).isdisjoint(TARGETS)
    assert whole.run.metrics["rows"] == round(0.2 * ROWS)


def test_loss_weights_and_one_target_of_a_log_scale(small_rows: Rows) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"ink": row["ink"], "cost": math.exp(NAMES.index(row["digit"]) * 2 + rng.normal())}
        for row in small_rows
    ]
    trained = pm.fit(rows, "cost", recipe={**small(), "columns": {}, "inputs": ["ink"]})
    scores = trained.metrics["test"]["cost"]
    assert "r2_log" in scores
    assert (trained.predict(rows)["cost"] > 0).all()
    assert pm.fit(
        small_rows,
        ["digit", "price"],
        recipe=only("ink", train={"epochs": 1, "loss_weights": {"digit": 2.0, "price": 0.0}}),
    ).targets == ["digit", "price"]
