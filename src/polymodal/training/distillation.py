"""Distillation: a network learns from the answers of another one, besides the truth.

Letters: B rows of a batch · N rows of the table · C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from polymodal.batch import Batch, Field
from polymodal.heads import Classification
from polymodal.heads.head import Head
from polymodal.model import MultimodalModel
from polymodal.training.source import Source

TEMPERATURE = 2.0
TEACHERS_SHARE = 0.7


class Taught:
    """Batches that bring what a teacher says of their rows.

    The teacher has answered every row once, before training: rows are varied for the student, and
    the lesson stays the same (a patient teacher of fixed answers; Hinton et al. 2015).

    Args:
        source: the training batches.
        lessons: target -> the teacher's probabilities ``(N, C)`` or values ``(N,)`` by the rows'
            numbers in the table; NaN where there is none.
    """

    def __init__(self, source: Source, lessons: Mapping[str, Tensor]) -> None:
        self._source, self._lessons = source, lessons

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return self._source.steps_per_epoch

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, with their lessons."""
        for batch in self._source.epoch(number, skip):
            yield replace(batch, lessons={n: self._of(n, batch.rows) for n in self._lessons})

    def _of(self, target: str, rows: Tensor) -> Field:
        said = self._lessons[target][rows]
        known = ~said.flatten(1).isnan().any(1) if said.ndim > 1 else ~said.isnan()
        return Field(said.nan_to_num(), known)


def with_lessons(
    model: MultimodalModel,
    predictions: Mapping[str, Tensor],
    batch: Batch,
    terms: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """The terms of the truth, weighted, with one more for each target: to answer as the teacher.

    Args:
        model: the student.
        predictions: what it says.
        batch: with lessons.
        terms: the losses against the truth.
    """
    found = {name: (1 - TEACHERS_SHARE) * term for name, term in terms.items()}
    for name, lesson in batch.lessons.items():
        loss = imitation(model.head(name), predictions[name], lesson)
        found[f"{name}/imitation"] = TEACHERS_SHARE * loss
    return found


def imitation(head: Head, prediction: Tensor, lesson: Field) -> Tensor:
    """How far a prediction is from a teacher's answer, a scalar.

    Of classes, the cross-entropy with the teacher's probabilities, both softened by the temperature
    (Hinton et al. 2015, https://arxiv.org/abs/1503.02531) and scaled by its square; of tags and
    numbers, the head's own loss, with the teacher's probabilities or value as the truth.

    Args:
        head: of the target.
        prediction: ``(B, …)`` as the head gives it.
        lesson: the teacher's probabilities ``(B, C)`` or values ``(B,)``.
    """
    if not isinstance(head, Classification):
        return torch.stack([*head.loss(prediction, lesson).values()]).sum()
    logits = prediction.float() / TEMPERATURE
    wanted = (lesson.values.clamp_min(1e-8).log() / TEMPERATURE).softmax(-1)
    losses = -(wanted * logits.log_softmax(-1)).sum(-1)
    return TEMPERATURE**2 * lesson.mean(losses)
