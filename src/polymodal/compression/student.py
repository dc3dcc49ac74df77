"""A smaller network that is trained to answer as a trained one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polymodal.data.loader import Columns, Loader
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.errors import RecipeError
from polymodal.evaluation.prediction import predict_batches
from polymodal.experiment import Experiment
from polymodal.heads import Classification, Regression, Tagging
from polymodal.recipe import Recipe
from polymodal.run_directory import Run, load_run
from polymodal.training import Progress

BATCH = 256
GIVEN = ("targets", "inputs", "table", "validation_table", "test_table", "split", "seed")
"""What a student cannot change: it learns from the rows that its teacher learned from."""


def students_recipe(teacher: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The teacher's recipe with the student's changes.

    Args:
        teacher: effective, as the run holds it.
        changes: what the student's recipe file says.

    Raises:
        RecipeError: it changes what must stay, or mixes rows.
    """
    for name in GIVEN:
        if name in changes:
            raise RecipeError(
                f"{name}: a student learns from the same rows as its teacher: take it out of the "
                "student's recipe, which says only which parts are smaller."
            )
    merged = _merged(teacher.to_dict(defaults=True), changes)
    recipe = Recipe.load(merged)
    if recipe.train.mix != "off":
        raise RecipeError("train.mix: rows that are mixed have no teacher. Set train.mix=off.")
    return recipe


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with changes in it; a part that is named anew brings its own options."""
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        renamed = both and value.get("name", old.get("name")) != old.get("name")  # type: ignore[union-attr]
        found[key] = _merged(old, value) if both and not renamed else value  # type: ignore[arg-type]
    return found


def train_student(
    teacher: Run,
    changes: Mapping[str, Any],
    *,
    data: Any,
    out: Path,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Run:
    """Train a student, and save it as a run.

    Args:
        teacher: the trained run.
        changes: what the student's recipe file says.
        data: the table; None takes the teacher's.
        out: the student's run directory.
        progress: is told how the training goes.
        tell: is told what is done.

    Raises:
        RecipeError: the changes do not fit, or a target has no answers that can be imitated.
    """
    recipe = students_recipe(teacher.recipe, changes)
    experiment = Experiment(data, recipe, out=out, progress=progress, tell=tell)
    dataset = experiment.prepare()
    experiment.build()
    tell("asking the teacher")
    experiment.trainer.lessons = lessons(
        teacher, dataset.table, dataset.rows("train"), experiment.modalities
    )
    experiment.train()
    experiment.assess()
    experiment.save()
    return load_run(out)


def lessons(
    teacher: Run, table: Table, rows: np.ndarray, modalities: Mapping[str, Any]
) -> dict[str, torch.Tensor]:
    """What the teacher says of some rows of a table.

    Args:
        teacher: the trained run.
        table: its rows.
        rows: the numbers of those it is asked about.
        modalities: the student's, whose classes and tags may have another order.

    Returns:
        Target -> probabilities ``(N, C)`` or values ``(N,)`` for all rows, NaN where not asked.
    """
    inputs = {name: teacher.modalities[name] for name in teacher.schema.inputs}
    packed = pack(table.take(rows), inputs)
    loader = Loader(packed, Columns(inputs, {}), rows=np.arange(len(rows)), batch_size=BATCH)
    said = predict_batches(teacher.model, loader)
    found = {}
    for name in teacher.schema.targets:
        head, prediction = teacher.model.head(name), said.predictions[name]
        known = isinstance(head, Classification | Tagging | Regression)
        if not known or not isinstance(prediction, torch.Tensor):
            raise RecipeError(
                f"{name}: a {type(head).__name__} gives no answers that a student can imitate."
            )
        answers = head.probabilities(prediction)
        if answers is None:
            answers = head.answer(prediction)
        else:
            answers = answers[:, _order(teacher.modalities[name], modalities[name])]
        every = torch.full((len(table), *answers.shape[1:]), torch.nan)
        every[torch.from_numpy(rows[said.rows])] = answers.float()
        found[name] = every
    return found


def _order(teachers: Any, students: Any) -> list[int]:
    return [teachers.labels.index(label) for label in students.labels]
