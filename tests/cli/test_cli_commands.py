"""The commands of the command line, each from its arguments to what it prints and writes."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import pytest
import yaml

import polymodal as pm
from polymodal import cli
from small_table import INPUTS, NAMES, ROWS, TARGETS, only, write_csv


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs the command line in this process."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["polymodal", *map(str, arguments)])
        capfd.readouterr()
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        else:
            code = 0
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Said(int(code or 0), out, err)

    return call


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(only("ink", "hand", train={"epochs": 1})))
    return path


def test_help_is_quick_and_every_command_has_examples(run: Callable[..., Said]) -> None:
    for command in ("inspect", "train", "evaluate", "predict", "recipe"):
        said = run(command, "--help")
        assert said.code == 0 and f"polymodal {command}" in said.out and "Examples" in said.out
    code = (
        "import sys; sys.argv = ['polymodal', '--help']\n"
        "from polymodal.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_version(run: Callable[..., Said]) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", run("--version").out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("train", "--frobnicate"),
        ("predict", "run"),
        ("predict", "run", "table.csv", "-o", "answers.xlsx"),
        ("predict", "run", "table.csv", "-o", "no/such/folder/answers.csv"),
        ("evaluate", "run", "table.csv", "--language", "fr"),
    ],
)
def test_wrong_usage(run: Callable[..., Said], arguments: tuple[str, ...]) -> None:
    said = run(*arguments)
    assert said.code == 2 and said.err


def test_inspect(run: Callable[..., Said], small_folder: Path) -> None:
    said = run("inspect", small_folder / "table.csv", "--target", "digit")
    assert said.code == 0
    for name, modality in (("photo", "image"), ("sound", "audio"), ("says", "text")):
        assert re.search(rf"{name} +│ {modality} +│ input", said.out)
    assert re.search(r"digit +│ category +│ target", said.out)
    # missing and distinct as they are in the table
    assert re.search(rf"photo .*│ +1 │ +{ROWS - 1} │", said.out)
    assert re.search(r"hand .*│ +1 │ +3 │", said.out)
    assert "rows: train 84, validation 12, test 24" in said.out
    assert "zero-byte file" in said.out and "infinite number" in said.out
    assert "photo → cnn" in said.out and "digit ← classification" in said.out
    assert re.search(r"fusion: product; \d+ epochs of batches of 16, adamw at 0.000", said.out)


def test_inspect_without_a_target(run: Callable[..., Said], small_folder: Path) -> None:
    said = run("inspect", small_folder / "table.csv")
    assert said.code == 0 and f"rows: all {ROWS}" in said.out and "--target" in said.out


def test_inspect_as_json(run: Callable[..., Said], small_folder: Path) -> None:
    content = json.loads(run("inspect", small_folder / "table.csv", "-t", "digit", "--json").out)
    assert content["rows"] == {"train": 84, "validation": 12, "test": 24}
    assert content["recipe"]["targets"] == ["digit"]


def test_cells_and_names_that_look_like_markup(run: Callable[..., Said], tmp_path: Path) -> None:
    words = ["[/red] a b c", "[bold]d e f", "[link=x]g h i", "no [such] style here"]
    rows = [
        {"[red]n": i % 7, "t[/]": words[i % 4] + str(i), "y[b]": "ab"[i % 2]} for i in range(60)
    ]
    rows[3]["[red]n"] = "inf"
    path = write_csv(tmp_path / "table.csv", rows)
    said = run("inspect", path, "-t", "y[b]")
    assert said.code == 0 and "[red]n" in said.out and "[/red] a b c0" in said.out
    options = ["--set", "train.epochs=1", "--set", "train.tensorboard=false", "--set",
               "evaluation.trees=false"]  # fmt: skip
    said = run("train", path, "-t", "y[b]", "--out", tmp_path / "run", *options)
    assert said.code == 0 and "y[b]" in said.out, said.err


def test_recipe_of_a_table_and_of_a_run(
    run: Callable[..., Said], small_folder: Path, whole_run: Path, tmp_path: Path
) -> None:
    said = run("recipe", small_folder / "table.csv", "-t", "digit", "--set", "train.epochs=7")
    options = yaml.safe_load(said.out)
    assert options["targets"] == ["digit"] and options["train"]["epochs"] == 7
    assert options["table"] == str(small_folder / "table.csv")
    assert options["columns"]["says"]["encoder"]["name"] == "text_rnn"
    lines = [line for line in said.out.splitlines() if re.match(r" *batch_size:", line)]
    assert "#" in lines[0]  # what it does
    (tmp_path / "again.yaml").write_text(said.out)
    assert pm.Recipe.load(tmp_path / "again.yaml").to_yaml(comments=True) == said.out
    said = run("recipe", whole_run)
    assert said.out == (whole_run / "recipe.yaml").read_text()


def test_train_evaluate_and_predict(
    run: Callable[..., Said], small_folder: Path, recipe_file: Path, tmp_path: Path
) -> None:
    table, out = small_folder / "table.csv", tmp_path / "run"
    said = run("train", table, "-t", "digit", "--recipe", recipe_file, "--out", out,
               "--set", "evaluation.subsets=true")  # fmt: skip
    assert said.code == 0, said.err
    for part in ("Schema", "Model", "fusion (Concat)", "epoch 1/1", "accuracy", "beside others"):
        assert part in said.out
    assert f"Report: {out / 'report.html'}" in said.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert f"{metrics['test']['digit']['accuracy']['value']:.3f}" in said.out
    assert metrics["verdicts"]["digit"]["text"][:30] in said.out.replace("\n", " ")

    said = run("evaluate", out, table)
    assert said.code == 0 and f"{ROWS} rows" in said.out
    found = json.loads(run("evaluate", out, table, "--json").out)
    assert found == pm.load(out).evaluate(table).to_dict()
    assert "准确率" in run("evaluate", out, table, "--language", "zh").out

    said = run("train", out / "recipe.yaml", "--out", tmp_path / "again")
    assert said.code == 0, said.err
    again = json.loads((tmp_path / "again" / "metrics.json").read_text())
    assert again["test"] == metrics["test"]


def test_a_report_in_chinese(
    run: Callable[..., Said], small_folder: Path, recipe_file: Path, tmp_path: Path
) -> None:
    said = run("train", small_folder / "table.csv", "-t", "digit", "--recipe", recipe_file,
               "--out", tmp_path / "run", "--language", "zh")  # fmt: skip
    assert said.code == 0 and "准确率" in said.out
    assert "准确率" in (tmp_path / "run" / "report.html").read_text()


def test_the_directory_is_named_after_the_table(
    run: Callable[..., Said], small_folder: Path, recipe_file: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    shutil.copy(small_folder / "table.csv", tmp_path / "digits.csv")
    for expected in ("digits", "digits-2"):
        run("train", "digits.csv", "-t", "digit", "--recipe", recipe_file)
        assert (tmp_path / "runs" / expected / "manifest.json").exists()


def test_predict_writes_csv_parquet_and_jsonl(
    run: Callable[..., Said], whole_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    table = small_folder / "table.csv"
    expected = pm.load(whole_run).predict(table, proba=True, missing=True)
    for ending in ("csv", "parquet", "jsonl"):
        path = tmp_path / f"answers.{ending}"
        said = run("predict", whole_run, table, "-o", path, "--proba", "--missing")
        assert said.code == 0 and said.out == ""
        assert f"{ROWS} rows; missing cells: photo: 5, sound: 5, says: 1, ink: 3" in said.err
        read: Any = {"csv": pandas.read_csv, "parquet": pandas.read_parquet}.get(ending)
        found = read(path) if read else pandas.read_json(path, lines=True)
        assert list(found.columns) == list(expected.columns)
        numbers = [name for name in found if "=" in name or name == "price"]
        np.testing.assert_allclose(found[numbers], expected[numbers], atol=1e-6)
        assert list(found["digit"]) == list(expected["digit"])
        lists = found[["kinds", "_missing"]]
        if ending == "csv":  # a;b
            lists = lists.map(lambda cell: [] if cell != cell else cell.split(";"))
        for name in lists:
            assert [list(cell) for cell in lists[name]] == list(expected[name])


def test_predict_to_the_screen(run: Callable[..., Said], ink_run: Path, small_folder: Path) -> None:
    said = run("predict", ink_run, small_folder / "table.csv")
    lines = said.out.splitlines()
    assert lines[0] == "digit" and len(lines) == ROWS + 1 and set(lines[1:]) <= set(NAMES)


def test_evaluate_a_part(
    run: Callable[..., Said], small_rows: list[dict[str, Any]], recipe_file: Path, tmp_path: Path
) -> None:
    parts = ["train", "train", "val", "test"]
    rows = [{k: row[k] for k in ("ink", "hand", "digit")} | {"split": parts[i % 4]}
            for i, row in enumerate(small_rows)]  # fmt: skip
    table, out = write_csv(tmp_path / "table.csv", rows), tmp_path / "run"
    run("train", table, "-t", "digit", "--recipe", recipe_file, "--out", out)
    found = json.loads(run("evaluate", out, table, "--split", "test", "--json").out)
    assert found == json.loads((out / "metrics.json").read_text())["test"]
    said = run("evaluate", out, table, "--split", "tset")
    assert said.code == 1 and "no part 'tset'" in said.err


def test_several_targets_and_inputs(
    run: Callable[..., Said], small_folder: Path, tmp_path: Path
) -> None:
    targets = [option for name in TARGETS for option in ("-t", name)]
    options = ["train.epochs=1", "train.tensorboard=false", "evaluation.trees=false",
               "evaluation.single_modalities=off", "evaluation.resamples=20"]  # fmt: skip
    sets = [part for option in options for part in ("--set", option)]
    said = run("train", small_folder / "table.csv", *targets, "-i", "ink", "-i", "hand", *sets,
               "--out", tmp_path / "run")  # fmt: skip
    assert said.code == 0, said.err
    trained = pm.load(tmp_path / "run")
    assert trained.targets == TARGETS and trained.inputs == ["ink", "hand"]
    assert set(trained.inputs) < set(INPUTS)


@pytest.mark.slow
def test_a_reader_that_has_seen_enough(ink_run: Path, small_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "polymodal.cli", "predict", str(ink_run),
               str(small_folder / "table.csv")]  # fmt: skip
    reading, writing = os.pipe()
    os.close(reading)
    with open(tmp_path / "err", "w") as err:
        subprocess.run(command, stdout=writing, stderr=err, check=False)
    os.close(writing)
    assert "Traceback" not in (tmp_path / "err").read_text()
