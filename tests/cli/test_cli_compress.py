"""``polymodal compress``: the table, the exit codes, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from polymodal.cli import app
from polymodal.compression import compression
from polymodal.compression.balance_sheet import Compression
from polymodal.compression.price import Price
from polymodal.errors import PolymodalError
from polymodal.evaluation.scores import Score


@pytest.fixture
def found(tmp_path: Path) -> Compression:
    before = Price(
        "as trained", "PyTorch", {"kind": Score(0.9, 0.88, 0.92)}, {"kind": "accuracy"},
        2.0, 1.8, 650.0, 0.5, (1.0, 2.0), (20.0, 30.0),
    )  # fmt: skip
    after = replace(before, name="int8 static", engine="ONNX", file_mb=0.6, one_ms=(0.25, 0.5))
    lost = {"kind": Score(0.31, -0.1, 0.7)}
    return Compression(tmp_path / "small", True, (before, after), lost, 1.0, 300, ("a note",))


def answered(monkeypatch: pytest.MonkeyPatch, found: Compression, *arguments: str):
    asked = {}

    def compress(run, changes, **options):
        asked.update(options, changes=changes)
        return found

    monkeypatch.setattr(compression, "compress_run", compress)
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner().invoke(app, ["compress", "runs/mine", *arguments]), asked


def test_the_table_and_what_was_lost(monkeypatch: pytest.MonkeyPatch, found: Compression) -> None:
    said, asked = answered(
        monkeypatch, found, "--int8", "static", "--max-loss", "2", "--prune", "0.3"
    )
    assert said.exit_code == 0
    for words in ("as trained", "int8 static", "0.900", "650 MB", "0.25", "p95 0.50", "a note"):
        assert words in said.output, words
    assert "loses 0.31 points (95% interval -0.10 … 0.70) on 300 test rows" in said.output
    assert asked["max_loss"] == 2 and not asked["force"]
    assert asked["changes"].int8 == "static" and asked["changes"].prune == 0.3


def test_as_json(monkeypatch: pytest.MonkeyPatch, found: Compression) -> None:
    said, _ = answered(monkeypatch, found, "--bf16", "--json")
    told = json.loads(said.stdout)
    assert told["variants"][1]["file_mb"] == 0.6 and told["points_lost"]["kind"]["value"] == 0.31


def test_what_was_not_saved_ends_with_one(
    monkeypatch: pytest.MonkeyPatch, found: Compression
) -> None:
    said, _ = answered(monkeypatch, replace(found, saved=False), "--bf16")
    assert said.exit_code == 1 and "Not saved: more than 1 points would be lost" in said.output


def test_nothing_asked_for() -> None:
    said = CliRunner().invoke(app, ["compress", "runs/mine"])
    assert isinstance(said.exception, PolymodalError)
    assert "ask for --int8 dynamic" in str(said.exception)
