"""From a batch to its losses, as one module."""

from __future__ import annotations

import contextlib
import functools
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from polymodal.batch import Batch
from polymodal.model import MultimodalModel
from polymodal.training.balance import Balance
from polymodal.training.distillation import with_lessons


class Losses(NamedTuple):
    """The losses of a batch.

    Args:
        total: what is minimised.
        terms: the named terms of the loss of all inputs together, scalars.
        table: ``(1 + M, 2)`` as :class:`Balance` wants it; None where there is none active.
    """

    total: Tensor
    terms: dict[str, Tensor]
    table: Tensor | None


class Objective(nn.Module):
    """The model and its losses in one ``forward``.

    What trains in several processes must see every weight at work, those that only the losses
    use included; and what Accelerate wraps and patches is this, not the user's model.

    Args:
        model: the model to train.
        balance: wants the loss of each branch alone, too.
    """

    def __init__(self, model: MultimodalModel, balance: Balance | None = None) -> None:
        super().__init__()
        self.model = model
        self.balance = balance

    def forward(self, batch: Batch) -> Losses:
        """The losses of a batch."""
        if self.balance is None or not self.balance.active:
            terms = self._terms(self.model(batch), batch)
            return Losses(_total(terms), terms, None)
        tokens, present = self.model.encode(batch)
        terms = self._terms(self.model.predict(tokens, present), batch)
        joint = _total(terms)
        losses, rows = [joint * len(batch)], [joint.new_tensor(len(batch))]
        with contextlib.nullcontext() if self.balance.learns_alone else torch.no_grad():
            for branch, said in self.model.alone(tokens, present).items():
                rows.append(present[branch].sum())
                alone = _total(self._terms(said, batch.counting(present[branch])))
                losses.append(alone * rows[-1])
        table = torch.stack([torch.stack(losses), torch.stack(rows).to(joint.dtype)], dim=1)
        return Losses(self.balance.total(joint, table), terms, table)

    def _terms(self, predictions: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The named terms of the loss, scalars whose sum is minimised."""
        device = next(iter(predictions.values())).device.type
        if not torch.is_autocast_enabled(device):
            return self._mixed_terms(predictions, batch)
        # Three digits are enough for a prediction, but not for the sums and logarithms of a loss.
        with torch.autocast(device, enabled=False):
            whole = {
                name: p.float() if p.is_floating_point() else p for name, p in predictions.items()
            }
            return self._mixed_terms(whole, batch)

    def _mixed_terms(self, predictions: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The terms of the rows' own targets and of those of their partners, by their shares."""
        terms = self.model.losses(predictions, batch)
        mixture = batch.mixture
        if batch.lessons:
            return with_lessons(self.model, predictions, batch, terms)
        if mixture is None:
            return terms
        others = self.model.losses(predictions, replace(batch, targets=mixture.targets))
        return {
            name: mixture.own * term + (1 - mixture.own) * others[name]
            for name, term in terms.items()
        }


def _total(terms: Mapping[str, Tensor]) -> Tensor:
    return functools.reduce(operator.add, terms.values())
