"""Columns that are made of others, from the recipe to the answers: rows of a NumPy file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import polymodal as pm
from polymodal.inspection import inspect
from small_table import small

RECIPE: dict[str, Any] = {
    **small(train={"epochs": 4}),
    "columns": {
        name: {
            "source": "windows.npz#x[{row}]",
            "modality": {"name": "series", "channels": channels},
            "encoder": {"name": "cnn1d", "width": 16, "base": 8, "depth": 1},
        }
        for name, channels in (("slow", [0, 1]), ("fast", [2]))
    },
}


def write(folder: Path, rows: int = 80, seed: int = 0) -> list[dict[str, Any]]:
    """Windows of two sensors that both tell the kind, and a table of their rows."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, rows)
    time = np.arange(24) + 24 * rng.random((rows, 1))
    wave = np.sin(time * (0.3 + 0.4 * kinds[:, None]))
    windows = np.stack([wave, -wave, kinds[:, None] + rng.normal(0, 0.3, wave.shape)], 2)
    windows[5, 3:9] = np.nan
    np.savez(folder / "windows.npz", x=windows.astype(np.float32), names=["a", "b", "c"])
    table = [{"row": i, "kind": "ab"[k], "who": i % 9} for i, k in enumerate(kinds)]
    table[7]["row"], table[11]["row"] = None, 5000
    lines = [",".join("" if c is None else str(c) for c in r.values()) for r in table]
    (folder / "data.csv").write_text("\n".join(["row,kind,who", *lines]))
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sources")
    write(place / "old")
    write(place / "new", rows=12, seed=1)
    return place


@pytest.fixture(scope="module")
def trained(folder: Path) -> pm.Predictor:
    recipe = {**RECIPE, "inputs": ["slow", "fast"]}
    return pm.fit(folder / "old/data.csv", "kind", recipe=recipe, out=folder / "run")


def test_two_inputs_of_one_file(trained: pm.Predictor) -> None:
    assert trained.run.schema.sources == dict.fromkeys(("slow", "fast"), "windows.npz#x[{row}]")
    assert trained.run.modalities["slow"].facts()["channels"] == 2
    assert trained.run.model.branches == ("slow", "fast")
    found = {(f["column"], f["what"].split(" (")[0]): f["rows"] for f in trained.metrics["findings"]
             if f["severity"] == "error"}  # fmt: skip
    assert found == {(name, "row not in the file"): [11] for name in ("slow", "fast")}
    assert trained.metrics["test"]["kind"]["accuracy"]["value"] > 0.8


def test_new_rows_bring_the_parts_or_the_cells(folder: Path, trained: pm.Predictor) -> None:
    loaded = pm.load(folder / "run")
    answers = loaded.predict(folder / "new/data.csv", proba=True, missing=True)
    assert answers["_missing"][7] == ["slow", "fast"]
    windows = np.load(folder / "new/windows.npz")["x"]
    rows = [{"slow": windows[i], "fast": windows[i]} for i in (0, 1, 2)]
    given = loaded.predict(rows, proba=True)
    assert np.allclose(given["kind=a"], answers["kind=a"][:3], atol=1e-5)
    half = loaded.predict([{"fast": windows[0]}], missing=True)
    assert half["_missing"][0] == ["slow"]
    with pytest.raises(pm.PolymodalError, match="no column 'row'"):
        loaded.predict({"line": [1, 2]})


def test_the_effective_recipe_repeats_the_run(folder: Path, trained: pm.Predictor) -> None:
    recipe = pm.Recipe.load(folder / "run/recipe.yaml")
    assert recipe.columns["slow"].source == "windows.npz#x[{row}]"
    assert recipe.columns["row"].role == "ignored" and recipe.columns["row"].source is None
    assert pm.fit(recipe=recipe).metrics["test"] == trained.metrics["test"]


def test_it_can_be_set_on_the_command_line(folder: Path) -> None:
    recipe = pm.Recipe.load(None).override(["columns.acc.source=windows.npz#x[{row}]"])
    found = inspect(folder / "old/data.csv", "kind", recipe=recipe)
    assert found.schema["acc"].modality == "series" and "acc" in found.schema.inputs
    assert found.schema["row"].role == "ignored"
    wrong = pm.Recipe.load(None).override(["columns.acc.source=windows.npz#x[{raw}]"])
    with pytest.raises(pm.PolymodalError, match="Did you mean 'row'"):
        inspect(folder / "old/data.csv", "kind", recipe=wrong)
