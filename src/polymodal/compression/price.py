"""What a model costs and what it is worth: score, file, time, memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polymodal.errors import PolymodalError
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.scores import Score, difference, evaluate

Engine = Literal["PyTorch", "ONNX"]
ROUNDS = 2
_PROBES = {"PyTorch": "polymodal.compression.torch_probe", "ONNX": "polymodal.onnx_runner.probe"}


@dataclass(frozen=True)
class Price:
    """What one variant of a model costs on this machine, with one thread.

    Args:
        name: of the variant, for people.
        engine: what ran it.
        scores: target -> headline metric on the test part, with its 95% interval.
        metrics: target -> the name of that metric.
        file_mb: size of the file that holds the weights, in millions of bytes.
        zipped_mb: the same after zip, to which single zeros are worth something.
        memory_mb: largest memory of a process that loads it and answers.
        load_seconds: from the start of loading to ready.
        one_ms: median and 95th percentile of the time for one row.
        batch_ms: the same for a batch of 32.
    """

    name: str
    engine: Engine
    scores: dict[str, Score]
    metrics: dict[str, str]
    file_mb: float
    zipped_mb: float
    memory_mb: float
    load_seconds: float
    one_ms: tuple[float, float]
    batch_ms: tuple[float, float]

    @property
    def score(self) -> float:
        """The mean of the targets' headline metrics."""
        return float(np.mean([score.value for score in self.scores.values()]))

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return self.__dict__ | {"scores": {n: s.to_dict() for n, s in self.scores.items()}}


@dataclass(frozen=True)
class Variant:
    """A model to be priced.

    Args:
        name: of the variant, for people.
        engine: what runs it.
        directory: the run, or the exported model.
        file: the file that holds the weights.
        outcomes: what it answered on the test part.
        tensors: what the network takes for 32 rows.
    """

    name: str
    engine: Engine
    directory: Path
    file: Path
    outcomes: Mapping[str, Outcome]
    tensors: Mapping[str, np.ndarray]


def prices(
    variants: Sequence[Variant],
    *,
    place: Path,
    resamples: int = 1000,
    seed: int = 0,
) -> list[Price]:
    """Price variants side by side: each in processes of its own, in turn.

    Args:
        variants: the models.
        place: a folder for files that the processes read.
        resamples: of the intervals.
        seed: of the intervals.
    """
    rounds = [[_probe(variant, place) for variant in variants] for _ in range(ROUNDS)]
    found = []
    for variant, measured in zip(variants, zip(*rounds, strict=True), strict=True):
        evaluated = {
            name: evaluate(outcome, resamples=resamples, seed=seed)
            for name, outcome in variant.outcomes.items()
        }
        one, batch = (
            _spread([ms for one in measured for ms in [*one["milliseconds"].values()][i]])
            for i in (0, -1)
        )
        found.append(
            Price(
                variant.name,
                variant.engine,
                {name: scores.headline for name, scores in evaluated.items()},
                {name: scores.metric for name, scores in evaluated.items()},
                variant.file.stat().st_size / 1e6,
                len(zlib.compress(variant.file.read_bytes())) / 1e6,
                max(one["memory_mb"] for one in measured),
                min(one["load_seconds"] for one in measured),
                one,
                batch,
            )
        )
    return found


def points_lost(
    before: Mapping[str, Outcome], after: Mapping[str, Outcome], *, resamples: int, seed: int
) -> dict[str, Score]:
    """Target -> how many points (hundredths) its headline metric fell, with its 95% interval.

    Args:
        before: target -> answers of the model as it was trained.
        after: target -> answers of what became of it, on the same rows.
        resamples: of the intervals.
        seed: of the intervals.
    """
    found = {}
    for name, outcome in before.items():
        lost = difference(outcome, after[name], resamples=resamples, seed=seed)
        found[name] = Score(*(100 * part for part in lost))
    return found


def _spread(milliseconds: Sequence[float]) -> tuple[float, float]:
    return statistics.median(milliseconds), float(np.percentile(milliseconds, 95))


def _probe(variant: Variant, place: Path) -> dict[str, Any]:
    """Run a variant in a process of its own, on one thread."""
    file = place / "tensors.npz"
    with file.open("wb") as written:
        # Not by keywords: a column may be called "file".
        named: dict[str, Any] = {f"tensor {name}": a for name, a in variant.tensors.items()}
        np.savez(written, **named)
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", _PROBES[variant.engine], str(variant.directory), str(file)],
        env=os.environ | one_thread,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise PolymodalError(f"{variant.name} ({variant.engine}) could not be measured: {last}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found
