"""Answers by ONNX Runtime, of what ``polymodal export RUN --to onnx`` wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from polymodal.data.pack import Pack, Store
from polymodal.data.schema import Schema
from polymodal.errors import RunError
from polymodal.evaluation.prediction import Answers
from polymodal.onnx_runner.onnx_predictor import FOLDER, OnnxPredictor
from polymodal.run_directory import SCHEMA
from polymodal.serving.engine import Engine
from polymodal.serving.problem import Problem


class OnnxEngine(Engine):
    """The exported network on the processor.

    Args:
        run: a run directory that holds an exported model, or a compressed one.
        threads: of the processor, to compute with.

    Raises:
        RunError: nothing was exported there, or it is damaged.
    """

    kind: ClassVar[str] = "onnx"
    embeds: ClassVar[bool] = False

    def __init__(self, run: Path, *, threads: int = 1) -> None:
        self._predictor = OnnxPredictor.load(run, threads=threads)
        described = self._predictor.description
        place = run / SCHEMA
        if not place.is_file():
            raise RunError(f"{str(run)!r} has no {SCHEMA}: serve the run, not its {FOLDER} folder.")
        schema = Schema.from_dict(json.loads(place.read_text("utf-8")))
        columns = [*described.inputs, *described.targets]
        super().__init__(schema, {column.name: column.built() for column in columns})

    def answer(self, pack: Pack) -> dict[str, Answers]:
        """Each target's answers for all rows of the pack, in their order."""
        cells = {name: _cells(store) for name, store in pack.stores.items()}
        said = self._predictor.compute(cells)
        return {name: Answers(one.answer, one.probabilities) for name, one in said.items()}

    def embed(self, pack: Pack) -> np.ndarray:
        """Not exported.

        Raises:
            Problem: always.
        """
        raise Problem(
            404, "no-vectors", "An exported model gives no vectors: serve it with --engine torch."
        )


def _cells(store: Store) -> list[np.ndarray | None]:
    return [None if unit < 0 else store.cell(int(unit)) for unit in store.index]
