"""The loss of imitation by hand, and batches with lessons."""

import math

import numpy as np
import pytest
import torch

from polymodal.batch import Batch, Field
from polymodal.heads import Classification, Regression, Tagging
from polymodal.training.distillation import TEMPERATURE, Taught, imitation


def test_classes_are_imitated_softened() -> None:
    head = Classification(4, classes=2)
    logits = torch.tensor([[2 * math.log(3.0), 0.0]])  # softened: 3/4, 1/4
    lesson = Field(torch.tensor([[0.9, 0.1]]), torch.tensor([True]))  # softened: 3/4, 1/4
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    found = imitation(head, logits, lesson)
    assert found.item() == pytest.approx(TEMPERATURE**2 * entropy, rel=1e-5)


def test_tags_and_numbers_by_their_own_losses() -> None:
    here = torch.tensor([True, False])
    tags = imitation(Tagging(4, labels=1), torch.zeros(2, 1), Field(torch.full((2, 1), 0.3), here))
    assert tags.item() == pytest.approx(math.log(2), rel=1e-5)
    head = Regression(4, center=10.0, scale=2.0, loss="mse")
    number = imitation(head, torch.tensor([1.0, 5.0]), Field(torch.tensor([13.0, 0.0]), here))
    assert number.item() == pytest.approx(0.25)  # (13 - 10) / 2 = 1.5, said 1


def test_batches_bring_the_lessons_of_their_rows() -> None:
    class Source:
        steps_per_epoch = 1

        def epoch(self, number: int, skip: int = 0):
            yield Batch({}, {}, torch.tensor([2, 0]))

    said = torch.tensor([[0.4, 0.6], [0.1, 0.9], [np.nan, np.nan]])
    (batch,) = Taught(Source(), {"k": said}).epoch(0)
    lesson = batch.lessons["k"]
    assert lesson.present.tolist() == [False, True]
    torch.testing.assert_close(lesson.values[1], torch.tensor([0.4, 0.6]))
    assert batch.to("cpu").lessons["k"].present.tolist() == [False, True]
