"""How fast an exported model answers and how much memory it takes, in a process of its own.

``python -m polymodal.onnx_runner.probe DIRECTORY TENSORS.npz`` prints what it found as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.onnx_runner.onnx_predictor import OnnxPredictor

SECONDS, MOST, LEAST, WARM = 0.5, 300, 10, 5


def measured(
    answer: Callable[[Mapping[str, np.ndarray]], object], tensors: Mapping[str, np.ndarray]
) -> dict[str, list[float]]:
    """Milliseconds of each answer to one row, and to all rows together.

    Args:
        answer: computes the answers for tensors by their names.
        tensors: of some rows.
    """
    rows = len(next(iter(tensors.values())))
    found = {}
    for count in (1, rows):
        some = {name: array[:count] for name, array in tensors.items()}
        for _ in range(WARM):
            answer(some)
        times: list[float] = []
        until = time.perf_counter() + SECONDS
        while len(times) < LEAST or (time.perf_counter() < until and len(times) < MOST):
            before = time.perf_counter()
            answer(some)
            times.append(1000 * (time.perf_counter() - before))
        found[str(count)] = times
    return found


def peak_megabytes() -> float:
    """The largest memory of this process so far; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the parent had when it forked
        lines = status.read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def main(load: Callable[[Path], Callable[[Mapping[str, np.ndarray]], object]]) -> None:
    """Load a model, let it answer, and print how long it took.

    Args:
        load: from a directory to what computes the answers.
    """
    directory, file = map(Path, sys.argv[1:3])
    tensors = {name.removeprefix("tensor "): array for name, array in np.load(file).items()}
    before = time.perf_counter()
    answer = load(directory)
    loaded = time.perf_counter() - before
    found: dict[str, Any] = {"milliseconds": measured(answer, tensors), "load_seconds": loaded}
    print(json.dumps(found | {"memory_mb": peak_megabytes()}))


def _load(directory: Path) -> Callable[[Mapping[str, np.ndarray]], object]:
    return OnnxPredictor.load(directory, threads=1).run


if __name__ == "__main__":
    main(_load)
