"""Running a trained network over rows, and turning what it says into outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch, Field
from polymodal.data.findings import Finding
from polymodal.data.modalities import Modality, Passages, Text
from polymodal.data.pack import Pack
from polymodal.data.table import Table
from polymodal.evaluation.outcome import Outcome, Task
from polymodal.heads import Classification, Regression, TextHead
from polymodal.model import MultimodalModel

UNSEEN = "(not seen in training)"
_UNSEEN_KIND = "unseen category"


@dataclass(frozen=True)
class Answers:
    """What a network said about one target of N rows.

    Args:
        answer: ``(N,)`` class numbers or values, ``(N, L)`` bool, or token ids ``(N, L)``.
        probabilities: ``(N, C)`` or ``(N, L)``; None where the target has none.
        scores: of texts, how likely the network holds each to be ``(N,)``, 0 to 1: the geometric
            mean over its tokens; None otherwise.
    """

    answer: np.ndarray
    probabilities: np.ndarray | None
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class Texts:
    """What a network wrote about one target of N rows.

    Args:
        tokens: ``(N, L)`` token ids, -1 after the end.
        scores: ``(N,)`` mean log-probability of the symbols of each.
        surprise: ``(N, 2)`` negative log-likelihood of the truth and its symbols; NaN where the
            truth was not at hand.
    """

    tokens: Tensor
    scores: Tensor
    surprise: Tensor

    @classmethod
    def written(cls, head: TextHead, prediction: Tensor, target: Field | None) -> Texts:
        """What a head writes, and how much the truth would have surprised it."""
        said = head.generate(prediction)
        if target is None:
            surprise = torch.full((len(prediction), 2), torch.nan)
        else:
            surprise = head.surprise(prediction, target).cpu()
        return cls(said.tokens[:, 0].cpu(), said.score[:, 0].cpu(), surprise)

    @classmethod
    def joined(cls, parts: Sequence[Texts]) -> Texts:
        """The rows of all parts."""
        return cls(
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.scores for part in parts]),
            torch.cat([part.surprise for part in parts]),
        )

    def __getitem__(self, rows: np.ndarray) -> Texts:
        """These rows, in this order."""
        return Texts(self.tokens[rows], self.scores[rows], self.surprise[rows])


class Predicted(NamedTuple):
    """What a network said of N rows.

    Args:
        rows: the rows' numbers ``(N,)``.
        predictions: target -> ``(N, …)`` as its head gives them; of texts, what was written.
        losses: the mean of each loss term; empty without targets.
    """

    rows: np.ndarray
    predictions: dict[str, Tensor | Texts]
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
        self._said: dict[str, list[Tensor | Texts]] = {name: [] for name in model.targets}
        self._losses: dict[str, float] = {}
        self._counted = 0

    def add(
        self, batch: Batch, predictions: Mapping[str, Tensor], *, rows: Tensor | None = None
    ) -> None:
        """Note the predictions of a batch, or of some of its rows ``(B,)``."""
        kept = slice(None) if rows is None or bool(rows.all()) else rows
        for name, parts in self._said.items():
            head, prediction = self._model.head(name), predictions[name][kept]
            if isinstance(head, TextHead):
                target = batch.targets.get(name) if rows is None else None
                parts.append(Texts.written(head, prediction, target))
            else:
                parts.append(prediction.float().cpu())
        self._rows.append(batch.rows[kept].cpu().numpy())
        if set(self._model.targets) <= set(batch.targets):
            count = len(self._rows[-1])
            counted = batch if rows is None else batch.counting(rows)
            for term, loss in self._model.losses(predictions, counted).items():
                self._losses[term] = self._losses.get(term, 0.0) + float(loss) * count
            self._counted += count

    def joined(self) -> Predicted:
        """Rows, predictions and mean losses of all batches."""
        order = np.concatenate(self._rows) if self._rows else np.zeros(0, np.int64)
        joined = {name: _joined(parts) for name, parts in self._said.items() if parts}
        mean = {term: loss / max(self._counted, 1) for term, loss in self._losses.items()}
        return Predicted(order, joined, mean)


def _joined(parts: Sequence[Tensor | Texts]) -> Tensor | Texts:
    texts = [part for part in parts if isinstance(part, Texts)]
    return Texts.joined(texts) if texts else torch.cat([p for p in parts if isinstance(p, Tensor)])


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


def answers(
    model: MultimodalModel, predictions: Mapping[str, Tensor | Texts]
) -> dict[str, Answers]:
    """Each target's answers and probabilities, as arrays."""
    found = {}
    for name, prediction in predictions.items():
        if isinstance(prediction, Texts):
            scores = prediction.scores.exp().numpy()
            found[name] = Answers(prediction.tokens.numpy(), None, scores)
            continue
        head = model.head(name)
        with torch.inference_mode():
            shares = head.probabilities(prediction.cpu())
            answer = head.answer(prediction.cpu())
        found[name] = Answers(answer.numpy(), None if shares is None else shares.numpy())
    return found


def outcomes(
    model: MultimodalModel,
    predictions: Mapping[str, Tensor | Texts],
    rows: np.ndarray,
    pack: Pack,
    modalities: Mapping[str, Modality],
    *,
    table: Table,
    said_elsewhere: Mapping[str, Answers] | None = None,
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
        table: what the pack was made of: texts are compared with those that stand in it.
        said_elsewhere: answers that an exported file of the network gave, in place of predictions.
    """
    found = {}
    for name, said in (said_elsewhere or answers(model, predictions)).items():
        store, head = pack.stores[name], model.head(name)
        units = store.index[rows]
        unseen = np.isin(rows, pack.broken.get(name, {}).get(_UNSEEN_KIND, []))
        kept = (units >= 0) | unseen
        if not kept.any():
            continue
        modality, prediction = modalities[name], predictions.get(name)
        if isinstance(modality, Text | Passages) and isinstance(prediction, Texts):
            cells = table.cells(name, rows[kept])
            found[name] = _text_outcome(name, modality, prediction[kept], cells, rows[kept])
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


def _text_outcome(
    name: str, modality: Text | Passages, said: Texts, cells: Sequence[Any], rows: np.ndarray
) -> Outcome:
    references = [modality.references(cell) for cell in cells]
    known = bool(said.surprise.isfinite().all())
    return Outcome(
        name,
        "text",
        reference_array(references),
        np.array(modality.restore(said.tokens.numpy()), dtype=np.str_),
        None,
        (),
        rows,
        scores=said.scores.exp().numpy(),
        surprise=said.surprise.numpy() if known else None,
    )


def reference_array(references: Sequence[Sequence[str]]) -> np.ndarray:
    """Texts of N rows as ``(N, R)``, "" where a row has fewer than the others.

    >>> reference_array([["a dog"], ["a cat", "the cat"]]).tolist()
    [['a dog', ''], ['a cat', 'the cat']]
    """
    most = max(map(len, references), default=1)
    return np.array([[*texts, *[""] * (most - len(texts))] for texts in references], np.str_)


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
