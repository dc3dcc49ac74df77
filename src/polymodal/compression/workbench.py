"""A run with its rows decoded: where it is trained further, calibrated and judged."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from polymodal.compression.pruning import Sparse
from polymodal.data.loader import Loader
from polymodal.data.pack import Pack
from polymodal.evaluation.metrics import headline_value
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.prediction import Answers, Texts, outcomes, predict_batches
from polymodal.exporting.deployable import deployable
from polymodal.exporting.real_rows import RealRows, spread_over
from polymodal.frozen_features import FrozenFeatures
from polymodal.onnx_runner import OnnxPredictor
from polymodal.run_directory import Run
from polymodal.trainer import Trainer
from polymodal.training import Progress

BATCH, CALIBRATED, TOGETHER = 128, 256, 32
GENTLER = 0.3
"""Learning rate of recovering, as a share of that of training."""


@dataclass(frozen=True)
class Workbench:
    """A run with its rows decoded.

    Args:
        run: what was trained.
        rows: its table and parts.
        pack: all rows, decoded.
    """

    run: Run
    rows: RealRows
    pack: Pack

    @classmethod
    def of(cls, run: Run, data: object, *, place: Path) -> Workbench:
        """Read and decode the rows of a run.

        Args:
            run: what was trained.
            data: a table to take instead of its own; None takes its own.
            place: a folder for decoded media.
        """
        rows = RealRows.of(run, data)
        everything = np.arange(len(rows.dataset.table))
        return cls(run, rows, rows.packed(everything, place=place))

    def part(self, name: str) -> np.ndarray:
        """The rows of a part; those of validation where the test part is empty."""
        rows = self.rows.dataset.rows(name)
        return rows if len(rows) or name != "test" else self.rows.dataset.rows("validation")

    def judged(self, part: str = "test") -> dict[str, Outcome]:
        """What the network answers on a part, beside the truth."""
        said = predict_batches(self.run.model, self._loader(self.part(part), BATCH))
        return self._outcomes(said.rows, said.predictions)

    def judged_by(self, runner: OnnxPredictor) -> dict[str, Outcome]:
        """What an exported model answers on the test part, beside the truth."""
        rows = self.part("test")
        parts: dict[str, list[Answers]] = {}
        for start in range(0, len(rows), BATCH):
            said = runner.compute(self._cells(rows[start : start + BATCH]))
            for name, output in said.items():
                parts.setdefault(name, []).append(Answers(output.answer, output.probabilities))
        joined = {name: _joined(answers) for name, answers in parts.items()}
        return self._outcomes(rows, {}, joined)

    def tensors(self, part: str, most: int) -> Iterator[dict[str, np.ndarray]]:
        """What an exported network takes for some rows of a part, batch by batch."""
        network = deployable(self.run)
        for batch in self._loader(spread_over(self.part(part), most), TOGETHER):
            tensors = network.tensors(batch)
            arrays = [tensor.numpy() for tensor in tensors]
            yield dict(zip(network.input_names, arrays, strict=True))

    def recover(
        self, epochs: int, *, place: Path, sparse: Sparse | None, progress: Progress | None
    ) -> bool:
        """Train the network further; whether it is better for it on the validation part.

        What is worse than before is thrown away.

        Args:
            epochs: passes over the training rows.
            place: a folder for checkpoints.
            sparse: weights that stay zero.
            progress: is told how the training goes.
        """
        model, options = self.run.model, self.run.recipe.train
        before, weights = self._worth(), copy.deepcopy(model.state_dict())
        rate = options.resolved(len(self.rows.dataset.rows("train"))).learning_rate
        assert isinstance(rate, float)
        changes = {
            "epochs": epochs, "learning_rate": GENTLER * rate, "balance": "off", "mix": "off",
            "curves": False, "tensorboard": False, "patience": 0, "max_minutes": None,
        }  # fmt: skip
        features = FrozenFeatures(self.pack, self.run.modalities, directory=place)
        trainer = Trainer(
            self.rows.dataset,
            self.pack,
            self.run.modalities,
            features=features,
            seed=self.run.recipe.seed,
        )
        gentle = options.resolved(len(self.rows.dataset.rows("train"))).model_copy(update=changes)
        trainer.fit(model.train(), gentle, directory=place, progress=progress)
        model.eval()
        if sparse is not None:
            sparse.apply()
        if self._worth() >= before:
            return True
        model.load_state_dict(weights)
        return False

    def _worth(self) -> float:
        found = self.judged("validation")
        return float(np.mean([headline_value(outcome) for outcome in found.values()]))

    def _loader(self, rows: np.ndarray, batch_size: int) -> Loader:
        columns = self.rows.columns(targets=False)
        return Loader(self.pack, columns, rows=rows, batch_size=batch_size)

    def _cells(self, rows: np.ndarray) -> dict[str, list[np.ndarray | None]]:
        """The decoded cells of some rows, as the runner takes them."""
        found: dict[str, list[np.ndarray | None]] = {}
        for name in self.run.schema.inputs:
            store = self.pack.stores[name]
            units = store.index[rows]
            found[name] = [None if unit < 0 else np.asarray(store.cell(unit)) for unit in units]
        return found

    def _outcomes(
        self,
        rows: np.ndarray,
        predictions: Mapping[str, torch.Tensor | Texts],
        said: Mapping[str, Answers] | None = None,
    ) -> dict[str, Outcome]:
        found = outcomes(
            self.run.model,
            predictions,
            rows,
            self.pack,
            self.run.modalities,
            table=self.rows.dataset.table,
            said_elsewhere=said,
        )
        return {name: _in_order(outcome) for name, outcome in found.items()}


def _joined(answers: list[Answers]) -> Answers:
    shares = [one.probabilities for one in answers if one.probabilities is not None]
    return Answers(
        np.concatenate([one.answer for one in answers]), np.concatenate(shares) if shares else None
    )


def _in_order(outcome: Outcome) -> Outcome:
    """The same with its rows in the order of the table, so that two can be compared."""
    order = np.argsort(outcome.rows, kind="stable")
    shares = outcome.probabilities
    return replace(
        outcome,
        truth=outcome.truth[order],
        answer=outcome.answer[order],
        probabilities=None if shares is None else shares[order],
        rows=outcome.rows[order],
    )
