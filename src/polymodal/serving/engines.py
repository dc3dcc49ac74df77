"""Which engine computes the answers of a run, and with how much of the machine."""

from __future__ import annotations

import os
from pathlib import Path

from polymodal.errors import PolymodalError, nearest
from polymodal.serving.engine import Engine
from polymodal.serving.onnx_engine import OnnxEngine
from polymodal.serving.torch_engine import TorchEngine

ENGINES: dict[str, type[TorchEngine] | type[OnnxEngine]] = {
    TorchEngine.kind: TorchEngine,
    OnnxEngine.kind: OnnxEngine,
}
MOST_WORKERS = 8


def load_engine(run: Path, *, kind: str = "torch", threads: int = 1) -> Engine:
    """The engine of a run directory.

    Args:
        run: a run directory.
        kind: one of :data:`ENGINES`.
        threads: of the processor, to compute with.

    Raises:
        RunError: the run cannot be read.
        PolymodalError: there is no such engine.
    """
    if kind not in ENGINES:
        raise PolymodalError(f"There is no engine {kind!r}. {nearest(kind, ENGINES)}")
    return ENGINES[kind](run, threads=threads)


def share_cores(workers: int, threads: int) -> tuple[int, int]:
    """How many processes decode, and how many threads compute; 0 chooses.

    >>> share_cores(3, 2)
    (3, 2)
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = cores or 1
    workers = workers or max(1, min(cores // 2, MOST_WORKERS))
    return workers, threads or max(1, cores - workers)
