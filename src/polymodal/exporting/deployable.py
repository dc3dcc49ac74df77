"""A model as exporters want it: named tensors in, answers out.

Letters: B rows · T tokens or frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from polymodal.batch import Batch, Field
from polymodal.data.modalities import Modality
from polymodal.errors import PolymodalError
from polymodal.heads import Classification, Regression, Tagging
from polymodal.model import MultimodalModel
from polymodal.onnx_runner.description import Column, TensorSpec
from polymodal.recipe import Recipe
from polymodal.run_directory import Run

BATCH = "batch"
LEAST_LENGTH = 2
"""Shorter cells are filled up: exporters take a size of 1 for one that never changes."""


class ExportError(PolymodalError):
    """A model cannot be exported, or what was exported does not answer as the model does."""


class Deployable(nn.Module):
    """A model that takes the tensors of its input columns one after the other.

    Every row brings its own cell (in training, rows may share one), and says by ``present``
    whether it has it. Where it has none, the values do not matter.

    Args:
        model: the network; it is put into evaluation mode.
        inputs: the input columns, with their tensors.
        targets: the target columns, likewise.
    """

    def __init__(
        self, model: MultimodalModel, inputs: Sequence[Column], targets: Sequence[Column]
    ) -> None:
        super().__init__()
        self.model = model.eval()
        self.inputs, self.targets = tuple(inputs), tuple(targets)

    @property
    def input_names(self) -> list[str]:
        """The names of the tensors that go in."""
        return [tensor.name for column in self.inputs for tensor in column.tensors.values()]

    @property
    def output_names(self) -> list[str]:
        """The names of the tensors that come out."""
        return [tensor.name for column in self.targets for tensor in column.tensors.values()]

    @property
    def least_length(self) -> int:
        """Tokens or frames that ragged cells are filled up to, at least."""
        return max((column.shortest for column in self.inputs), default=1)

    def need(self, length: int) -> None:
        """Have ragged cells filled up to a length, at least."""
        self.inputs = tuple(
            replace(column, shortest=max(length, column.shortest))
            if "mask" in column.tensors
            else column
            for column in self.inputs
        )

    def fix_lengths(self, otherwise: Mapping[str, int] | None = None) -> bool:
        """Have ragged cells filled up to the greatest length; whether that is new for any.

        Args:
            otherwise: column -> its length, where any length is taken; None leaves such as it is.
        """
        before, known = self.inputs, otherwise or {}
        self.inputs = tuple(
            replace(c, shortest=c.longest or known.get(c.name, c.shortest)) for c in before
        )
        return self.inputs != before

    def filled(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The same tensors with ragged cells as long as they must be."""
        left, found = iter(tensors), list[Tensor]()
        for column in self.inputs:
            parts = {part: next(left) for part in column.tensors}
            if "mask" in parts:
                parts = _lengthened(parts, column.shortest)
            found += parts.values()
        return tuple(found)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The outputs of all targets, for the tensors of all inputs."""
        left = iter(tensors)
        fields = {}
        for column in self.inputs:
            parts = {part: next(left) for part in column.tensors}
            fields[column.name] = Field(parts["values"], parts["present"], parts.get("mask"))
        said = self.model(Batch(fields))
        found = []
        for column in self.targets:
            head, prediction = self.model.head(column.name), said[column.name].float()
            found.append(head.answer(prediction))
            if "probabilities" in column.tensors:
                shares = head.probabilities(prediction)
                assert shares is not None
                found.append(shares)
        return tuple(found)

    def tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        """The tensors of a batch with the input columns."""
        found = []
        for column in self.inputs:
            ragged = "mask" in column.tensors
            parts = _by_row(batch.inputs[column.name], ragged=ragged)
            if ragged:
                parts = _lengthened(parts, column.shortest)
            # Copies: exporters take one tensor that is given twice for one input.
            found += [
                parts[part].clone(memory_format=torch.contiguous_format) for part in column.tensors
            ]
        return tuple(found)


def deployable(run: Run) -> Deployable:
    """What is exported of a run.

    Raises:
        ExportError: a tensor would have the name of another.
    """
    inputs = [
        _input(name, run.modalities[name], run.recipe, run.schema.sources.get(name, ""))
        for name in run.schema.inputs
    ]
    targets = [_target(name, run) for name in run.schema.targets]
    names = [t.name for column in [*inputs, *targets] for t in column.tensors.values()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ExportError(
            f"Two tensors would be called {twice[0]!r}, as a column is named: rename that column "
            "and train again."
        )
    return Deployable(run.model, inputs, targets)


def _input(name: str, modality: Modality, recipe: Recipe, source: str) -> Column:
    blank = modality.blank()
    inner: tuple[int | str, ...] = blank.shape
    length = f"length of {name}"
    if modality.ragged:
        inner = (length, *inner[1:])
    shape = (BATCH, *inner)
    if modality.axes is not None:
        shape = tuple(shape[axis] for axis in modality.axes)
    tensors = {
        "values": TensorSpec(name, str(blank.dtype), shape, "the cells, zeros where there is none"),
        "present": TensorSpec(f"{name}.present", "bool", (BATCH,), "whether a row has the cell"),
    }
    if modality.ragged:
        meaning = "true at real tokens, false at padding; the first is true in every row"
        tensors["mask"] = TensorSpec(f"{name}.mask", "bool", (BATCH, length), meaning)
    return Column(
        name,
        modality.name,
        _options(recipe, name),
        modality.state(),
        tensors,
        source=source,
        longest=modality.max_length if modality.ragged else None,
        shortest=LEAST_LENGTH if modality.ragged else 1,
    )


def _target(name: str, run: Run) -> Column:
    modality, head = run.modalities[name], run.model.head(name)
    if not isinstance(head, Classification | Tagging | Regression):
        raise ExportError(
            f"The target {name!r} is answered by a {type(head).__name__}, which cannot be exported "
            "yet: classes, tags and numbers can."
        )
    said = _of_nothing(run, name)
    answer, shares = head.answer(said), head.probabilities(said)
    meaning = "true where a tag is right" if answer.ndim > 1 else "a class number or a value"
    tensors = {"answer": _output(name, answer, meaning)}
    if shares is not None:
        tensors["probabilities"] = _output(f"{name}.probabilities", shares, "of each class or tag")
    return Column(
        name,
        modality.name,
        _options(run.recipe, name),
        modality.state(),
        tensors,
        labels=tuple(str(label) for label in getattr(modality, "labels", ())),
    )


def _output(name: str, one: Tensor, meaning: str) -> TensorSpec:
    dtype = str(one.dtype).removeprefix("torch.")
    return TensorSpec(name, dtype, (BATCH, *one.shape[1:]), meaning)


def _of_nothing(run: Run, target: str) -> Tensor:
    """What the network says of a target of one row without any cell."""
    fields = {}
    for name in run.schema.inputs:
        modality = run.modalities[name]
        values = torch.from_numpy(modality.blank()[None].copy())
        values = values if modality.axes is None else values.permute(modality.axes)
        fields[name] = Field(values, torch.zeros(1, dtype=torch.bool))
    with torch.inference_mode():
        return run.model(Batch(fields))[target].float()


def _options(recipe: Recipe, name: str) -> dict[str, Any]:
    part = recipe.column(name).modality
    assert part is not None, "an effective recipe names every modality"
    return part.options


def _by_row(field: Field, *, ragged: bool) -> dict[str, Tensor]:
    """The parts of a field with a place for each row, zeros where it has no cell."""
    values = field.by_row()
    parts = {"values": values, "present": field.present}
    if ragged:
        mask = torch.ones(values.shape[:2], dtype=torch.bool)
        if field.mask is not None:
            mask = field.mask if field.index is None else field.mask[field.index]
        first = torch.arange(values.shape[1]) == 0
        parts["mask"] = torch.where(field.present[:, None], mask, first)
    return parts


def _lengthened(parts: dict[str, Tensor], length: int) -> dict[str, Tensor]:
    """The same with the axis of tokens filled up to a length."""
    lacking = length - parts["values"].shape[1]
    if lacking <= 0:
        return parts

    def fill(x: Tensor) -> Tensor:
        return torch.cat([x, x.new_zeros(len(x), lacking, *x.shape[2:])], 1)

    return {**parts, "values": fill(parts["values"]), "mask": fill(parts["mask"])}
