"""Running a trained network over rows, and turning what it says into outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch
from polymodal.data.findings import Finding
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack
from polymodal.evaluation.outcome import Outcome, Task
from polymodal.heads import Classification, Regression
from polymodal.model import MultimodalModel

UNSEEN = "(not seen in training)"
_UNSEEN_KIND = "unseen category"


@dataclass(frozen=True)
class Answers:
    """What a network said about one target of N rows.

    Args:
        answer: ``(N,)`` class numbers or values, or ``(N, L)`` bool.
        probabilities: ``(N, C)`` or ``(N, L)``; None where the target has none.
    """

    answer: np.ndarray
    probabilities: np.ndarray | None


class Predicted(NamedTuple):
    """What a network said of N rows.

    Args:
        rows: the rows' numbers ``(N,)``.
        predictions: target -> ``(N, …)`` as its head gives them.
        losses: the mean of each loss term; empty without targets.
    """

    rows: np.ndarray
    predictions: dict[str, Tensor]
    losses: dict[str, float]


def predict_batches(
    model: MultimodalModel,
    batches: Iterable[Batch],
    *,
    device: torch.device | str = "cpu",
    without: Sequence[str] = (),
) -> Predicted:
    """Run the network over batches.

    Args:
        model: the network; it is put into evaluation mode.
        batches: with targets, losses are computed too.
        device: where to compute.
        without: input columns to hide.
    """
    whole = _Said(model)
    with _predicting(model):
        for batch in batches:
            batch = (batch.without(without) if without else batch).to(device)
            whole.add(batch, model(batch))
    return whole.joined()


def predict_alone(
    model: MultimodalModel, batches: Iterable[Batch], *, device: torch.device | str = "cpu"
) -> tuple[Predicted, dict[str, Predicted]]:
    """Run the network over batches as :func:`predict_batches` does, and for each branch again.

    The encoders, which are most of the work, run once for all.

    Args:
        model: the network; it is put into evaluation mode.
        batches: with targets, losses are computed too.
        device: where to compute.

    Returns:
        what the network says, and branch -> what it says of the rows that have this branch with
        all others hidden.
    """
    whole = _Said(model)
    alone = {branch: _Said(model) for branch in model.branches}
    with _predicting(model):
        for batch in (batch.to(device) for batch in batches):
            tokens, present = model.encode(batch)
            whole.add(batch, model.predict(tokens, present))
            for branch, predictions in model.alone(tokens, present).items():
                alone[branch].add(batch, predictions, rows=present[branch])
    return whole.joined(), {branch: said.joined() for branch, said in alone.items()}


@contextmanager
def _predicting(model: MultimodalModel) -> Iterator[None]:
    if model.training:  # the walk over all modules takes 0.1 ms
        model.eval()
    with torch.inference_mode():
        yield


class _Said:
    """What a network says of one batch after the other."""

    def __init__(self, model: MultimodalModel) -> None:
        self._model = model
        self._rows: list[np.ndarray] = []
        self._said: dict[str, list[Tensor]] = {name: [] for name in model.targets}
        self._losses: dict[str, float] = {}
        self._counted = 0

    def add(
        self, batch: Batch, predictions: Mapping[str, Tensor], *, rows: Tensor | None = None
    ) -> None:
        """Note the predictions of a batch, or of some of its rows ``(B,)``."""
        kept = slice(None) if rows is None or bool(rows.all()) else rows
        for name in self._said:
            self._said[name].append(predictions[name][kept].float().cpu())
        self._rows.append(batch.rows[kept].cpu().numpy())
        if batch.targets:
            count = len(self._rows[-1])
            counted = batch if rows is None else batch.counting(rows)
            for term, loss in self._model.losses(predictions, counted).items():
                self._losses[term] = self._losses.get(term, 0.0) + float(loss) * count
            self._counted += count

    def joined(self) -> Predicted:
        """Rows, predictions and mean losses of all batches."""
        order = np.concatenate(self._rows) if self._rows else np.zeros(0, np.int64)
        joined = {name: torch.cat(parts) for name, parts in self._said.items() if parts}
        mean = {term: loss / max(self._counted, 1) for term, loss in self._losses.items()}
        return Predicted(order, joined, mean)


def pooled_features(
    model: MultimodalModel, batches: Iterable[Batch], *, device: torch.device | str = "cpu"
) -> dict[str, np.ndarray]:
    """What each branch's encoder makes of each row ``(N, D)``, NaN where it is absent.

    Args:
        model: the network; it is put into evaluation mode.
        batches: the rows, in any order; the result is in the order of their numbers.
        device: where to compute.
    """
    model.eval()
    rows: list[np.ndarray] = []
    found: dict[str, list[Tensor]] = {name: [] for name in model.branches}
    with torch.inference_mode():
        for batch in batches:
            tokens, present = model.encode(batch.to(device))
            for name, parts in found.items():
                here = present[name][:, None]
                parts.append(torch.where(here, tokens[name].pooled, torch.nan).float().cpu())
            rows.append(batch.rows.cpu().numpy())
    order = np.argsort(np.concatenate(rows))
    return {name: torch.cat(parts).numpy()[order] for name, parts in found.items()}


def answers(model: MultimodalModel, predictions: Mapping[str, Tensor]) -> dict[str, Answers]:
    """Each target's answers and probabilities, as arrays."""
    found = {}
    for name, prediction in predictions.items():
        head = model.head(name)
        with torch.inference_mode():
            shares = head.probabilities(prediction.cpu())
            answer = head.answer(prediction.cpu())
        found[name] = Answers(answer.numpy(), None if shares is None else shares.numpy())
    return found


def outcomes(
    model: MultimodalModel,
    predictions: Mapping[str, Tensor],
    rows: np.ndarray,
    pack: Pack,
    modalities: Mapping[str, Modality],
) -> dict[str, Outcome]:
    """Each target's answers beside the truth, on the rows that have that target.

    A label that the training part did not hold counts as a class of its own, which no model can
    get right: leaving such rows out would make the score too good.

    Args:
        model: the network.
        predictions: target -> ``(N, …)``.
        rows: ``(N,)`` which rows of the pack these are.
        pack: holds the truth.
        modalities: target -> its fitted modality.
    """
    found = {}
    for name, said in answers(model, predictions).items():
        store, head = pack.stores[name], model.head(name)
        units = store.index[rows]
        unseen = np.isin(rows, pack.broken.get(name, {}).get(_UNSEEN_KIND, []))
        kept = (units >= 0) | unseen
        if not kept.any():
            continue
        truth = np.asarray(store.values[np.maximum(units[kept], 0)])
        labels = tuple(str(label) for label in getattr(modalities[name], "labels", ()))
        answer, shares = said.answer[kept], said.probabilities
        shares = None if shares is None else shares[kept]
        task: Task = "tagging"
        if isinstance(head, Classification):
            task = "classification"
            truth, answer = truth.astype(np.int64), answer.astype(np.int64)
            if unseen.any():
                truth[unseen[kept]] = len(labels)
                labels = (*labels, UNSEEN)
                assert shares is not None
                shares = np.concatenate([shares, np.zeros_like(shares[:, :1])], axis=1)
        elif isinstance(head, Regression):
            task, labels, answer = "regression", (), answer.astype(np.float64)
            truth = truth.astype(np.float64)
        else:
            truth, answer = truth.astype(bool), answer.astype(bool)
        log = bool(getattr(modalities[name], "log", False))
        found[name] = Outcome(name, task, truth, answer, shares, labels, rows[kept], log=log)
    return found


def explained(findings: Iterable[Finding], targets: Sequence[str]) -> list[Finding]:
    """Findings of decoding, with what :func:`outcomes` does about cells of a target.

    Args:
        findings: as a pack has them.
        targets: the target columns.
    """
    told = []
    for finding in findings:
        if finding.column in targets and finding.severity == "error":
            remedy = "the row is left out for this target"
            if finding.what.startswith(_UNSEEN_KIND):
                remedy = "counted as a wrong answer"
            finding = replace(finding, remedy=remedy)
        told.append(finding)
    return told
