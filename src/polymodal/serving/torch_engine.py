"""Answers by the PyTorch network of a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from polymodal.batch import ITEM, Batch
from polymodal.data.loader import gather
from polymodal.data.pack import Pack
from polymodal.evaluation.embedding import embed_batches, normalised
from polymodal.evaluation.prediction import Answers, answers, predict_batches
from polymodal.predictor import Predictor
from polymodal.serving.engine import Engine


class TorchEngine(Engine):
    """The trained network as it is, on an accelerator where there is one.

    Args:
        run: a run directory.
        threads: of the processor, to compute with.

    Raises:
        RunError: it is not a run, is unfinished, from a newer version, truncated or altered.
    """

    kind: ClassVar[str] = "torch"

    def __init__(self, run: Path, *, threads: int = 1) -> None:
        predictor = Predictor.load(run)
        super().__init__(predictor.run.schema, predictor.run.modalities)
        self._model, self._device = predictor.run.model, predictor.device
        self._threads = threads
        self.answers = ITEM not in self._model.targets
        self.same_from = (predictor.metrics.get("verification") or {}).get("threshold")

    def answer(self, pack: Pack) -> dict[str, Answers]:
        """Each target's answers for all rows of the pack, in their order."""
        said = predict_batches(self._model, [self._batch(pack)], device=self._device)
        return answers(self._model, said.predictions)

    def embed(self, pack: Pack) -> np.ndarray:
        """Each row as one vector of length 1 ``(rows, width)`` float32."""
        batch = self._batch(pack)
        return normalised(embed_batches(self._model, [batch], device=self._device)[1])

    def _batch(self, pack: Pack) -> Batch:
        if torch.get_num_threads() != self._threads:  # a setting of each thread that computes
            torch.set_num_threads(self._threads)
        rows = np.arange(pack.rows)
        fields = {n: gather(pack.stores[n], m, rows, share=True) for n, m in self.inputs.items()}
        return Batch(fields, rows=torch.from_numpy(rows)).to(self._device)
