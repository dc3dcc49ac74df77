"""What exporting and 8 bits are worth: time, size and score of the ONNX model beside PyTorch.

A run of `easy_vqa` (``--data``; trained here, a few minutes) and, with ``--digits FOLDER``, one of
`digits_multi`. ``--runs FOLDER`` keeps the runs, and takes those it holds. One thread; medians of
answers that take turns.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import HERE, ONE_THREAD, arguments, child, figure, title

import polymodal as pm
from polymodal.compression.quantisation import quantise
from polymodal.compression.workbench import CALIBRATED, Workbench
from polymodal.evaluation.metrics import headline_value
from polymodal.exporting.deployable import deployable
from polymodal.exporting.exporter import KINDS, export_run
from polymodal.onnx_runner import OnnxPredictor
from polymodal.onnx_runner.description import DESCRIPTION, Description, digest
from polymodal.run_directory import WEIGHTS, load_run, write_json

EXAMPLES = HERE.parent / "examples"
QUICK = {
    "train.threads=1",
    "evaluation.single_modalities=off",
    "evaluation.trees=false",
    "evaluation.subsets=false",
}
START = """
import json, sys, time
from pathlib import Path
from polymodal.onnx_runner import OnnxPredictor
from polymodal.onnx_runner.probe import peak_megabytes
model = OnnxPredictor.load(sys.argv[1], threads=1)
cells = {name: None for name in model.inputs}
model.predict([cells])
print(json.dumps({"memory_mb": peak_megabytes(), "torch": "torch" in sys.modules}))
"""


def trained(name: str, table: Path, runs: Path) -> Path:
    """The run of a data set, trained by its own recipe if it is not there."""
    out = runs / name
    if not (out / WEIGHTS).exists():
        recipe = pm.Recipe.load(EXAMPLES / name / "recipe.yaml").override(sorted(QUICK))
        pm.fit(table, recipe=recipe, out=out, overwrite=out.exists())
    return out


def in_turn(contenders: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU-milliseconds of each: one thread, and other programs take none of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 10):
        for name, run in contenders.items():
            before = time.process_time()
            run()
            if turn >= 10:
                times[name].append(1000 * (time.process_time() - before))
    return {name: statistics.median(found) for name, found in times.items()}


def eight_bits(onnx: Path, bench: Workbench, how: str, place: Path) -> Path:
    """The exported model with 8 bits, in a folder of its own."""
    place.mkdir()
    path = place / KINDS["onnx"].file
    calibration = [*bench.tensors("validation", CALIBRATED)]
    quantise(onnx / path.name, path, how, calibration=calibration)  # type: ignore[arg-type]
    content = Description.read(onnx).to_json()
    write_json(place / DESCRIPTION, content | {"sha256": digest(path)})
    return place


def scores(found: Mapping[str, Any]) -> float:
    return float(np.mean([headline_value(outcome) for outcome in found.values()]))


def measure(name: str, run: Path, place: Path) -> None:
    """All figures of one data set."""
    title(f"{name}: ONNX beside PyTorch, one thread")
    onnx = export_run(run, out=place / "onnx").directory
    bench = Workbench.of(load_run(run), None, place=place / "pack")
    network = deployable(bench.run)
    tensors = next(bench.tensors("test", 32))
    variants = {"fp32": onnx}
    for how in ("dynamic", "static"):
        variants[how] = eight_bits(onnx, bench, how, place / how)
    runners = {how: OnnxPredictor.load(folder, threads=1) for how, folder in variants.items()}
    for rows, repeats in ((1, 200), (32, 40)):
        some = {part: array[:rows] for part, array in tensors.items()}
        given = [torch.from_numpy(array) for array in some.values()]

        def eager(given: list[torch.Tensor] = given) -> object:
            with torch.inference_mode():
                return network(*given)

        times = in_turn(
            {"eager": eager}
            | {how: lambda r=r, some=some: r.run(some) for how, r in runners.items()},
            repeats,
        )
        figure(f"{name}: PyTorch eager, {rows} rows", times["eager"], "ms")
        for how in runners:
            goal = {"most": 0.8} if how == "fp32" and rows == 1 else {}
            ratio = times[how] / times["eager"]
            figure(f"{name}: ONNX {how} / PyTorch eager, {rows} rows", ratio, "×", **goal)
    before = scores(bench.judged())
    whole = (onnx / KINDS["onnx"].file).stat().st_size
    figure(f"{name}: score on the test part, PyTorch", before)
    for how, runner in runners.items():
        lost = 100 * (before - scores(bench.judged_by(runner)))
        figure(f"{name}: points lost by ONNX {how}", lost, "points", most=1.0)
        if how != "fp32":
            size = (variants[how] / KINDS["onnx"].file).stat().st_size
            figure(f"{name}: file of int8 {how} / fp32", size / whole, "×", most=0.35)
    starting(name, onnx)


def starting(name: str, onnx: Path) -> None:
    """From the start of Python to the first answer, and the memory it took.

    In CPU-seconds: the process has one thread, and other programs take none of them.
    """
    seconds, wall = [], []
    for _ in range(7):
        used, before = _children(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", START, str(onnx)],
            env=os.environ | ONE_THREAD,
            check=True,
            capture_output=True,
        )
        seconds.append(_children() - used)
        wall.append(time.perf_counter() - before)
    found = child(["-c", START, str(onnx)])
    assert not found["torch"]
    used = statistics.median(seconds)
    figure(f"{name}: runner, start of Python to first answer, CPU", used, "s", most=0.6)
    figure(f"{name}: the same on the wall, best of 7", min(wall), "s")
    figure(f"{name}: runner, memory", found["memory_mb"], "MB", most=200)


def _children() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    given = arguments(__doc__, digits=None, runs=None)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        runs = Path(given.runs) if given.runs else Path(scratch) / "runs"
        tables = {"easy_vqa": given.data}
        if given.digits:
            tables["digits_multi"] = Path(given.digits) / "data.csv"
        for name, table in tables.items():
            place = Path(scratch) / name
            place.mkdir()
            measure(name, trained(name, table, runs), place)


if __name__ == "__main__":
    main()
