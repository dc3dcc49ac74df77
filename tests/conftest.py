# ruff: noqa: E402
"""What the tests of whole trainings share: one small table on disk, and models trained on it."""

import os
import random

# Read when torch and its threads are loaded: the tests run beside other things.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from polymodal.predictor import Predictor
from small_table import TARGETS, make_table, only, small, write_csv


@pytest.fixture(autouse=True)
def _same_chance() -> None:
    """One thread, and the same random numbers wherever a test stands in the suite."""
    torch.set_num_threads(1)
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What outlives a run goes into a folder of the tests, not into the user's."""
    os.environ["POLYMODAL_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the small table: ``table.csv``, ``photos/``, ``sounds/``."""
    folder = tmp_path_factory.mktemp("small")
    make_table(folder)
    return folder


@pytest.fixture(scope="session")
def small_rows(small_folder: Path) -> list[dict[str, Any]]:
    """The rows of the small table, media as absolute paths, missing cells as None."""
    import csv

    with (small_folder / "table.csv").open(encoding="utf-8") as file:
        rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(file)]
    for row in rows:
        for name in ("photo", "sound"):
            row[name] = row[name] and str(small_folder / row[name])
        row["ink"] = None if row["ink"] is None else float(row["ink"])
        row["price"] = float(row["price"])
    return rows


@pytest.fixture(scope="session")
def whole_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every input and three targets, with everything measured that can be."""
    from polymodal.experiment import fit

    out = tmp_path_factory.mktemp("runs") / "whole"
    recipe = small(
        evaluation={"subsets": True, "single_modalities": "trained", "trees": True},
        train={"epochs": 4},
    )
    fit(small_folder / "table.csv", TARGETS, recipe=recipe, out=out)
    return out


@pytest.fixture
def whole(whole_run: Path) -> Predictor:
    """The predictor of ``whole_run``, loaded from disk."""
    return Predictor.load(whole_run)


@pytest.fixture(scope="session")
def ink_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a number and a category, which loads and predicts at once."""
    from polymodal.experiment import fit

    out = tmp_path_factory.mktemp("runs") / "ink"
    recipe = only("ink", "hand", train={"epochs": 1})
    fit(small_folder / "table.csv", "digit", recipe=recipe, out=out)
    return out


@pytest.fixture
def table_with(
    small_rows: list[dict[str, Any]], tmp_path: Path
) -> Callable[[Callable[[dict[str, Any], int], dict[str, Any]]], Path]:
    """A CSV of the small table with each row changed by a function of the row and its number."""

    def make(change: Callable[[dict[str, Any], int], dict[str, Any]]) -> Path:
        changed = [change(dict(row), i) for i, row in enumerate(small_rows)]
        return write_csv(tmp_path / "changed.csv", changed)

    return make
