import json
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from polymodal.errors import TableError
from polymodal.inspection import inspect
from small_table import BROKEN_SOUNDS, INPUTS, ROWS, TARGETS, small


def test_a_table_without_a_target(small_folder: Path) -> None:
    found = inspect(small_folder / "table.csv")
    assert found.recipe is None and found.rows == {"all": ROWS}
    read = {column.name: column.modality for column in found.schema.columns}
    assert read == {
        "photo": "image", "sound": "audio", "says": "text", "ink": "number", "hand": "category",
        "traits": "tags", "digit": "category", "price": "number", "kinds": "tags",
    }  # fmt: skip
    assert found.schema["photo"].missing == 1 and found.schema["photo"].present == ROWS - 1
    assert found.schema["hand"].distinct == 3


def test_every_stage_is_told(small_folder: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = inspect(small_folder / "table.csv", labels=False, tell=lambda *said: told.append(said))
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages[:2] == ["reading", "decoding"] and "looking for drift" in stages
    decoded = [(done, total) for stage, done, total in told if stage == "decoding"]
    cells = ROWS * len(found.modalities)
    assert decoded[-1] == (cells, cells)


def test_what_would_be_trained_is_what_is_trained(
    small_folder: Path, whole_run: Path, whole: pm.Predictor
) -> None:
    recipe = small(train={"epochs": 4})
    found = inspect(small_folder / "table.csv", TARGETS, recipe=recipe, labels=False)
    assert found.schema == whole.run.schema
    assert found.schema.inputs == INPUTS
    trained = whole.run.recipe
    assert found.recipe.columns == trained.columns
    assert found.recipe.fusion == trained.fusion and found.recipe.train == trained.train
    parts = found.rows
    assert sum(parts.values()) == ROWS and parts["test"] == whole.metrics["rows"]
    told = [finding.to_dict() for finding in found.findings]
    assert json.loads(json.dumps(told)) == whole.metrics["findings"]


def test_every_file_is_opened(small_folder: Path) -> None:
    found = inspect(small_folder / "table.csv", "digit")
    rows = {row for f in found.findings if f.column == "sound" for row in f.rows}
    assert rows == {row for row, defect in BROKEN_SOUNDS.items() if defect != "missing"}


def test_as_json(small_folder: Path) -> None:
    for target in (None, "digit"):
        content = json.loads(json.dumps(inspect(small_folder / "table.csv", target).to_dict()))
        assert set(content) == {"schema", "findings", "rows", "recipe"}


def test_a_target_of_the_recipe(small_rows: list[dict[str, Any]]) -> None:
    found = inspect(small_rows, recipe={"targets": ["price"], "inputs": ["ink", "hand"]})
    assert found.schema.targets == ["price"] and found.schema.inputs == ["ink", "hand"]
    assert found.recipe.train.epochs != "auto"


def test_no_such_target(small_folder: Path) -> None:
    with pytest.raises(TableError, match=r"Did you mean 'digit'"):
        inspect(small_folder / "table.csv", "digits")


def test_as_a_page(small_folder: Path, tmp_path: Path) -> None:
    found = inspect(small_folder / "table.csv", "digit")
    found.write_page(tmp_path / "page.html", command="polymodal inspect table.csv")
    html = (tmp_path / "page.html").read_text("utf-8")
    assert "polymodal inspect table.csv" in html and "<audio" in html and "data:image/png" in html
    for finding in found.findings:
        assert finding.kind.replace("_", " ") in html
