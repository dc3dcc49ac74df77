"""A student's recipe, and what it learns from."""

from pathlib import Path

import numpy as np
import pytest

from polymodal.compression.student import lessons, students_recipe
from polymodal.data.table import Table
from polymodal.errors import RecipeError
from polymodal.recipe import Recipe
from polymodal.run_directory import load_run


def test_the_teachers_recipe_with_changes() -> None:
    teacher = Recipe.load(
        {
            "targets": ["y"],
            "seed": 7,
            "columns": {"a": {"modality": "text", "encoder": {"name": "text_rnn", "width": 64}}},
            "fusion": {"name": "gated", "width": 32},
        }
    )
    student = students_recipe(
        teacher,
        {"columns": {"a": {"encoder": {"width": 16}}}, "fusion": "mean", "train": {"epochs": 2}},
    )
    assert student.seed == 7 and student.targets == ["y"] and student.train.epochs == 2
    encoder = student.column("a").encoder
    assert encoder is not None and encoder.name == "text_rnn" and encoder.options["width"] == 16
    assert student.fusion.name == "mean" and "width" not in student.fusion.options
    with pytest.raises(RecipeError, match="seed: a student learns from the same rows"):
        students_recipe(teacher, {"seed": 1})
    with pytest.raises(RecipeError, match="have no teacher"):
        students_recipe(teacher, {"train": {"mix": "mixup"}})


def test_lessons_are_the_teachers_probabilities_of_the_rows_asked(
    ink_run: Path, small_folder: Path
) -> None:
    teacher = load_run(ink_run)
    table = Table.read(small_folder / "table.csv")
    rows = np.array([3, 4, 90])
    said = lessons(teacher, table, rows, teacher.modalities)["digit"]
    assert said.shape == (len(table), 4)
    assert np.flatnonzero(~said.isnan().any(1).numpy()).tolist() == [3, 4, 90]
    np.testing.assert_allclose(said[rows].sum(1), 1, atol=1e-6)
