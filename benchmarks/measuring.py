"""How the benchmarks measure: children that answer in JSON, medians, one line for each figure."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EASY_VQA = HERE.parent / "examples" / "easy_vqa" / "easy_vqa.parquet"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def arguments(about: str | None, **options: Any) -> argparse.Namespace:
    """The command line: ``--data``, and an option for each default given."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--data", type=Path, default=EASY_VQA, help="table, or a folder with one")
    for name, default in options.items():
        kind = str if default is None else type(default)
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    return parser.parse_args()


def title(text: str) -> None:
    """Say what is measured, and on what."""
    load = os.getloadavg()[0]
    print(f"\n== {text}\n   {os.cpu_count()} cores, load {load:.1f} at the start")


def figure(name: str, value: float, unit: str = "", *, most: float = 0, least: float = 0) -> None:
    """Print one figure, and whether it is within its goal."""
    goal = f"<= {most:g}" if most else f">= {least:g}"
    met = value <= most if most else value >= least
    judged = f"   goal {goal}: {'met' if met else 'MISSED'}" if most or least else ""
    print(f"{name:<58} {value:>10,.4g} {unit:<8}{judged}", flush=True)


def interleaved(
    contenders: Mapping[str, Callable[[], object]], *, repeats: int, warm: int = 1
) -> dict[str, float]:
    """Median CPU-seconds of each contender, run in turn (A B A B …).

    CPU time, for other programs on the machine change it less than the time on the wall.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(warm + repeats):
        for name, run in contenders.items():
            before = time.process_time()
            run()
            if turn >= warm:
                times[name].append(time.process_time() - before)
    return {name: statistics.median(found) for name, found in times.items()}


def child(arguments: list[str], *, python: str = sys.executable) -> dict[str, Any]:
    """Run Python on one thread; what it printed as JSON on its last line, or ``{"error": …}``."""
    done = subprocess.run(
        [python, *arguments],
        env=os.environ | ONE_THREAD,
        cwd=HERE,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": f"exit {done.returncode}: {last[:300]}"}
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def peak_megabytes() -> float:
    """The largest memory of this process so far (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def cpu_seconds(into: dict[str, Any], name: str) -> Iterator[None]:
    """Add the CPU-seconds of a block to a dictionary."""
    before = time.process_time()
    yield
    into[name] = into.get(name, 0.0) + time.process_time() - before
