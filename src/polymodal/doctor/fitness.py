"""Whether and how fast a trained model runs here, and how much memory it takes."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass

import numpy as np
import torch

from polymodal.batch import Batch
from polymodal.cost import answer, costs, usual_lengths
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack, Store
from polymodal.predictor import Predictor
from polymodal.training.trial import seconds_per_step

BATCH = 32
LONGEST = 512
"""Tokens or frames of a made-up cell where the modality sets no limit."""


@dataclass(frozen=True)
class Fitness:
    """How a model does on this machine.

    The rows are made up, every input present and as long as the model takes, and so is each text
    that is written: real rows are rather cheaper. Reading and decoding files comes on top.

    Args:
        parameters: numbers that it has learned or was given.
        flops: floating-point operations of one row.
        weights_mb: its weights in megabytes.
        memory_mb: the most memory that this process has taken, Python and libraries included;
            on a graphics card that of the card.
        row_ms: time of one row alone, the median, in milliseconds.
        batch_ms: time of a batch of 32, the median, in milliseconds.
        rows_per_second: answered in such batches.
        load_seconds: time to read the run.
        device: where it ran.
    """

    parameters: int
    flops: int
    weights_mb: float
    memory_mb: float
    row_ms: float
    batch_ms: float
    rows_per_second: float
    load_seconds: float
    device: str


def measure_fitness(run: str) -> Fitness:
    """Load a run, and let it answer made-up rows.

    Args:
        run: a run directory.

    Raises:
        RunError: it is none, or damaged.
    """
    before = time.perf_counter()
    predictor = Predictor.load(run)
    loaded = time.perf_counter() - before
    model, inputs = predictor.run.model, predictor.inputs
    modalities = {name: predictor.run.modalities[name] for name in inputs}
    pack = Pack(BATCH, {name: _full(modality) for name, modality in modalities.items()})
    rows = np.arange(BATCH)
    loader = Loader(pack, Columns(modalities, {}), rows=rows, batch_size=BATCH, share=False)
    one, many = (loader.batch(rows[:count]).to(predictor.device) for count in (1, BATCH))

    longest = usual_lengths(model, [])

    def respond(batch: Batch) -> None:
        with torch.inference_mode():
            answer(model, batch, longest)
            if predictor.device.type != "cpu":
                torch.accelerator.synchronize()

    row = seconds_per_step(lambda: respond(one), most=50, budget=1)
    whole = seconds_per_step(lambda: respond(many), most=20, budget=2)
    weights = [*model.parameters(), *model.buffers()]
    peak = _peak_mb(predictor.device)
    parts = costs(model, [loader.batch(rows[:1])])
    return Fitness(
        parameters=sum(p.numel() for p in model.parameters()),
        flops=sum(part.flops for part in parts),
        weights_mb=sum(w.numel() * w.element_size() for w in weights) / 1e6,
        memory_mb=peak,
        row_ms=1000 * row,
        batch_ms=1000 * whole,
        rows_per_second=BATCH / whole,
        load_seconds=loaded,
        device=str(predictor.device),
    )


def _full(modality: Modality) -> Store:
    """As many cells as a batch has rows, each as long as the modality allows."""
    blank = modality.blank()
    if not modality.ragged:
        return Store(np.arange(BATCH), np.repeat(blank[None], BATCH, axis=0))
    length = modality.max_length or LONGEST
    offsets = np.arange(BATCH + 1) * length
    return Store(np.arange(BATCH), np.repeat(blank[:1], BATCH * length, axis=0), offsets)


def _peak_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        import psutil  # type: ignore[import-untyped]

        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
