"""Seconds from a command to its first optimizer step, and what the imports cost.

A table of 1,000 rows (picture file, sentence, two numbers -> class) is made first. A hook stops the
process at the end of its first optimizer step; packing is done by then, and is told apart.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import arguments, child, figure, title
from tables import pictures_table

FIRST_STEP = """
import json, os, sys, time
began = time.perf_counter()
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook
import polymodal.experiment as experiment
packed = []
pack = experiment.pack
def timed(*args, **options):
    start = time.perf_counter()
    found = pack(*args, **options)
    packed.append(time.perf_counter() - start)
    return found
experiment.pack = timed
def stop(*_):
    said = {"now": time.time(), "cpu": time.process_time(), "packing": packed[0]}
    os.write(2, ("\\n" + json.dumps(said)).encode())
    os._exit(0)
register_optimizer_step_post_hook(stop)
from polymodal.cli import main
sys.argv = ["polymodal", *sys.argv[1:]]
main()
"""
IMPORT = """
import json, sys, time
import torch
wall, cpu = time.perf_counter(), time.process_time()
{}
print(json.dumps({{"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}}))
"""


def first_step(table: Path, out: Path) -> dict[str, float]:
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", FIRST_STEP, "train", str(table), "-t", "kind", "--out", str(out)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stderr.splitlines()[-1])
    found["wall"] = found.pop("now") - began
    return found


def help_page() -> dict[str, float]:
    began, before = time.perf_counter(), os.times()
    command = [str(Path(sys.executable).parent / "polymodal"), "--help"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return {"wall": time.perf_counter() - began, "cpu": cpu}


def median(runs: list[dict[str, Any]], name: str) -> float:
    return statistics.median(run[name] for run in runs)


def main() -> None:
    options = arguments(__doc__, rows=1000, repeats=5)
    title(f"cold start: {options.rows:,} rows, {options.repeats} runs each, median")
    with tempfile.TemporaryDirectory() as folder:
        table = pictures_table(Path(folder) / "data", options.rows)
        imports = {
            "import polymodal": "import polymodal",
            "import polymodal; polymodal.load": "import polymodal; polymodal.load",
            "import polymodal; polymodal.fit": "import polymodal; polymodal.fit",
        }
        found: dict[str, list[dict[str, Any]]] = {}
        for turn in range(options.repeats):
            step = first_step(table, Path(folder) / f"run{turn}")
            found.setdefault("first step", []).append(step)
            found.setdefault("polymodal --help", []).append(help_page())
            for name, code in imports.items():
                found.setdefault(name, []).append(child(["-c", IMPORT.format(code)]))
    steps = found.pop("first step")
    total, packed = median(steps, "wall"), median(steps, "packing")
    figure("command to first step, packing included", total, "s", most=12)
    figure("command to first step, without packing", total - packed, "s", most=6)
    figure("command to first step, packing included: CPU", median(steps, "cpu"), "CPU-s")
    for name, runs in found.items():
        goal = {} if "." in name else {"most": 0.3}
        beyond = " beyond torch" if name.startswith("import") else ""
        figure(f"{name}{beyond}", median(runs, "wall"), "s", **goal)
        figure(f"{name}{beyond}: CPU", median(runs, "cpu"), "CPU-s")


if __name__ == "__main__":
    main()
