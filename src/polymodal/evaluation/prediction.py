"""Running a trained network over rows, and turning what it says into outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch
from polymodal.data.cleaning import Finding
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


def predict_batches(
    model: MultimodalModel,
    batches: Iterable[Batch],
    *,
    device: torch.device | str = "cpu",
    without: Sequence[str] = (),
) -> tuple[np.ndarray, dict[str, Tensor], dict[str, float]]:
    """Run the network over batches.

    Args:
        model: the network; it is put into evaluation mode.
        batches: with targets, losses are computed too.
        device: where to compute.
        without: input columns to hide.

    Returns:
        The rows' numbers ``(N,)``, the prediction of each target ``(N, …)``, and the mean of
        each loss term (empty without targets).
    """
    if model.training:  # the walk over all modules takes 0.1 ms
        model.eval()
    rows: list[np.ndarray] = []
    said: dict[str, list[Tensor]] = {name: [] for name in model.targets}
    losses: dict[str, float] = {}
    total = 0
    with torch.inference_mode():
        for batch in batches:
            count = len(batch)
            batch = (batch.without(without) if without else batch).to(device)
            predictions = model(batch)
            for name, prediction in predictions.items():
                said[name].append(prediction.float().cpu())
            rows.append(batch.rows.cpu().numpy())
            if batch.targets:
                for term, loss in model.losses(predictions, batch).items():
                    losses[term] = losses.get(term, 0.0) + float(loss) * count
                total += count
    order = np.concatenate(rows) if rows else np.zeros(0, np.int64)
    joined = {name: torch.cat(parts) for name, parts in said.items() if parts}
    return order, joined, {term: loss / total for term, loss in losses.items()}


def pooled_features(
    model: MultimodalModel,
    batches: Iterable[Batch],
    branch: str,
    *,
    device: torch.device | str = "cpu",
) -> np.ndarray:
    """What one branch's encoder makes of each row ``(N, D)``, NaN where it is absent.

    Args:
        model: the network; it is put into evaluation mode.
        batches: the rows, in any order; the result is in the order of their numbers.
        branch: the branch.
        device: where to compute.
    """
    model.eval()
    rows: list[np.ndarray] = []
    found: list[Tensor] = []
    with torch.inference_mode():
        for batch in batches:
            tokens, present = model.encode(batch.to(device))
            here = present[branch][:, None]
            found.append(torch.where(here, tokens[branch].pooled, torch.nan).float().cpu())
            rows.append(batch.rows.cpu().numpy())
    return torch.cat(found).numpy()[np.argsort(np.concatenate(rows))]


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
