"""Bad input through the command line: exit code 1, a clear message on stderr, no traceback."""

import json
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from struct import pack
from typing import Any, NamedTuple

import pytest

import polymodal as pm
from polymodal import cli
from small_table import only, write_csv

Rows = list[dict[str, Any]]


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs the command line in this process."""
    monkeypatch.setenv("COLUMNS", "220")
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["polymodal", *map(str, arguments)])
        code: Any = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return Said(int(code or 0), out, err)

    return call


@pytest.fixture
def refused(run: Callable[..., Said]) -> Callable[..., str]:
    """What stderr says of a command that must fail."""

    def call(*arguments: object) -> str:
        said = run(*arguments)
        assert said.code == 1, said
        assert said.err.startswith("error: ")
        return " ".join(said.err.split())

    return call


def quick(*columns: str) -> list[str]:
    options = ["train.epochs=1", "train.tensorboard=false", "evaluation.trees=false",
               "evaluation.single_modalities=off", "evaluation.resamples=20", "train.threads=1",
               "train.precision=fp32", "evaluation.subsets=false"]  # fmt: skip
    sets = [part for option in options for part in ("--set", option)]
    return sets + [part for column in columns for part in ("-i", column)]


def test_no_such_file(refused: Callable[..., str], small_folder: Path, tmp_path: Path) -> None:
    said = refused("train", small_folder / "tabel.csv", "-t", "digit", "--out", tmp_path / "run")
    assert "no file or folder" in said and "Did you mean 'table.csv'?" in said
    assert "recipe" in refused("train", tmp_path / "none.yaml")
    assert "no file or folder" in refused("inspect", tmp_path / "none.parquet")
    assert "There is no run directory" in refused("predict", tmp_path / "x", "table.csv")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "empty (0 bytes)"),
        ("a,b\n", "no rows"),
        ("a,a,b\n1,2,3\n", "more than one column named ['a']"),
    ],
)
def test_no_table(refused: Callable[..., str], tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    for command in (("inspect",), ("train", "-t", "b", "--out", tmp_path / "run")):
        assert said in refused(*command, tmp_path / "t.csv")


def test_targets_that_cannot_be_learned(
    refused: Callable[..., str], table_with: Any, tmp_path: Path
) -> None:
    constant = table_with(lambda row, i: row | {"digit": "one"})
    assert "holds the same value ('one')" in refused("train", constant, "-t", "digit")
    empty = table_with(lambda row, i: row | {"digit": ""})
    assert "is empty in every row" in refused("train", empty, "-t", "digit")
    said = refused("train", empty, "-t", "digits")
    assert "no column 'digits'" in said and "Did you mean 'digit'?" in said
    assert "No target: name the column" in refused("train", empty)


def test_wrong_options(refused: Callable[..., str], small_folder: Path, tmp_path: Path) -> None:
    def say(option: str) -> str:
        table = small_folder / "table.csv"
        return refused("train", table, "-t", "digit", "--set", option, "--out", tmp_path / "run")

    assert "Did you mean 'epochs'?" in say("train.epoch=3")
    assert "Did you mean 'concat'?" in say("fusion=conkat")
    assert "Did you mean 'resnet'?" in say("columns.photo.encoder=resnett")
    assert "is of modality image" in say("columns.photo.encoder=text_rnn")
    assert "whole number" in say("train.epochs=many") or "integer" in say("train.epochs=many")
    assert "path=value" in say("train.epochs")
    assert "no column 'fhoto'" in say("columns.fhoto.role=input")
    (tmp_path / "recipe.yaml").write_text("train: {epochs: 3, lr: 1}\nfusoin: concat\n")
    said = refused("train", small_folder / "table.csv", "--recipe", tmp_path / "recipe.yaml")
    assert "2 mistakes" in said and "Did you mean 'fusion'?" in said
    (tmp_path / "recipe.yaml").write_text("train: [")
    assert "recipe.yaml" in refused("train", tmp_path / "recipe.yaml")


def test_broken_cells_are_counted_in_the_terminal_and_the_report(
    run: Callable[..., Said], refused: Callable[..., str], small_folder: Path, tmp_path: Path
) -> None:
    table, out = small_folder / "table.csv", tmp_path / "run"
    columns = quick("photo", "sound", "ink")
    said = run("train", table, "-t", "digit", "--out", out, *columns)
    assert said.code == 0, said.err
    report = (out / "report.html").read_text()
    for kind in ("zero-byte file", "damaged image", "not an image", "file not found",
                 "damaged sound", "not a sound", "infinite number"):  # fmt: skip
        assert kind in said.out and kind in report
    findings = json.loads((out / "metrics.json").read_text())["findings"]
    counts = {(f["column"], re.split(r" \(|: ", f["what"])[0]): f["rows"] for f in findings}
    assert counts["photo", "zero-byte file"] == [5] and counts["sound", "not a sound"] == [10]
    assert counts["ink", "infinite number"] == [6, 14]
    message = refused("train", table, "-t", "digit", "--out", tmp_path / "b", *columns, "--set",
                      "data.broken=error")  # fmt: skip
    assert "Column 'photo', row 5: zero-byte file" in message and "005.png" in message


def bomb(path: Path, side: int) -> None:
    """A PNG that claims to be huge, in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return pack(">I", len(body)) + kind + body + pack(">I", zlib.crc32(kind + body))

    header = pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def test_a_picture_of_900_million_pixels(
    run: Callable[..., Said], table_with: Any, small_folder: Path, tmp_path: Path
) -> None:
    bomb(tmp_path / "bomb.png", 30_000)
    table = table_with(
        lambda row, i: row | ({"photo": str(tmp_path / "bomb.png")} if i == 20 else {})
    )
    out = tmp_path / "run"
    said = run("train", table, "-t", "digit", "--out", out, *quick("photo"))
    assert said.code == 0 and "image too large" in said.out, said.err
    frame = pm.load(out).predict([{"photo": tmp_path / "bomb.png"}], missing=True)
    assert frame["_missing"][0] == ["photo"]


def test_numbers_that_are_none(run: Callable[..., Said], table_with: Any, tmp_path: Path) -> None:
    cells = ["nan", "inf", "-inf", "1e400", "NaN", ""]
    table = table_with(lambda row, i: row | {"ink": cells[i] if i < 6 else row["ink"] or 1})
    out = tmp_path / "run"
    assert run("train", table, "-t", "digit", "--out", out, *quick("ink")).code == 0
    said = run("predict", out, table, "-o", tmp_path / "a.jsonl", "--proba", "--missing")
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["_missing"] for row in rows[:6]] == [["ink"]] * 6
    assert "ink: " in said.err and len({row["digit=one"] for row in rows[:6]}) == 1


def test_unseen_labels_and_categories(
    run: Callable[..., Said], ink_run: Path, table_with: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other = table_with(lambda row, i: row | {"digit": "nine"} if i < 60 else row)
    scores = json.loads(run("evaluate", ink_run, other, "--json").out)
    assert "'digit', 60 rows (0, 1, 2, …): unseen category (first: 'nine')" in caplog.text
    assert "counted as a wrong answer" in caplog.text
    assert scores["digit"]["accuracy"]["value"] <= 0.5
    hands = table_with(lambda row, i: row | {"hand": "third"})
    said = run("predict", ink_run, hands)
    assert said.code == 0 and "hand: 120" in said.err
    assert "'hand', 120 rows (0, 1, 2, …): unseen category (first: 'third')" in caplog.text


def test_a_renamed_column(refused: Callable[..., str], ink_run: Path, small_rows: Rows,
                          tmp_path: Path) -> None:  # fmt: skip
    rows = [{"inc": row["ink"], "hand": row["hand"]} for row in small_rows]
    said = refused("predict", ink_run, write_csv(tmp_path / "t.csv", rows))
    assert "no column 'ink', which the model reads. Did you mean 'inc'?" in said


def test_runs_that_cannot_be_read(
    refused: Callable[..., str], ink_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    table = small_folder / "table.csv"
    shutil.copytree(ink_run, tmp_path / "run")
    weights = tmp_path / "run" / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-9])
    assert "truncated or edited" in refused("predict", tmp_path / "run", table)
    weights.write_bytes(content)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    assert "newer version" in refused("evaluate", tmp_path / "run", table)
    (tmp_path / "run" / "manifest.json").unlink()
    assert "continue it with --resume" in refused("predict", tmp_path / "run", table)
    assert "is not a run directory" in refused("predict", small_folder, table)


def test_directories_that_are_kept(
    refused: Callable[..., str], ink_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    table = small_folder / "table.csv"
    assert "is not empty" in refused("train", table, "-t", "digit", "--out", ink_run)
    longer = ("--set", "train.epochs=9")
    assert "To train longer" in refused("train", "--resume", "--out", ink_run, *longer)
    assert "name it with --out" in refused("train", "--resume")
    assert "no training" in refused("train", "--resume", "--out", tmp_path / "none")
    said = refused("train", table, "-t", "digit", "--out", small_folder, "--overwrite")
    assert "no part of a run" in said and table.exists()


@pytest.mark.slow
def test_a_full_disk(ink_run: Path, small_folder: Path, tmp_path: Path) -> None:
    """A limit on the size of a file stands for the disk; only our own writing is limited."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import polymodal.cli, polymodal.experiment\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "polymodal.cli.main()"
    )
    out = tmp_path / "run"
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps(only("ink", train={"epochs": 1})))  # YAML holds JSON
    for command in (
        ["train", small_folder / "table.csv", "-t", "digit", "--recipe", recipe, "--out", out],
        ["predict", ink_run, small_folder / "table.csv", "--proba", "-o", tmp_path / "a.csv"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, command)], capture_output=True, text=True
        )
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr and "error: " in done.stderr
        assert "File too large" in done.stderr
