"""polymodal beside hand-written PyTorch and other frameworks, on one small table of three kinds.

The table: scikit-learn's digits as 64 x 64 PNG files with noise, a sentence and two numbers (see
tables.py), 1,797 rows. Every contender is a process of its own on one thread, in turn, once for
each seed; medians are shown. "Training" is the whole way from the table on the disk to the fitted
model, with validation after each epoch; "prediction" from file names to labels, decoding included.

--peer-python PATH runs AutoGluon, Ludwig, pytorch-widedeep and the Trainer of transformers with
that Python, where they are installed there; several PATHs are separated by commas.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import HERE, arguments, child, title
from tables import digits_table

# Adapter -> the package it needs.
PEERS = {
    "hf_trainer": "transformers",
    "autogluon": "autogluon.multimodal",
    "ludwig": "ludwig",
    "widedeep": "pytorch_widedeep",
}
# What the contender says -> heading, and whether more is better.
COLUMNS = {
    "rate": ("train rows/CPU-s", True),
    "one": ("one prediction ms", False),
    "batch": ("batch rows/CPU-s", True),
    "import": ("import CPU-s", False),
    "peak": ("peak MB", False),
    "accuracy": ("accuracy", True),
}


def installed(python: str, package: str) -> bool:
    code = f"import json, {package}; print(json.dumps({{'ok': True}}))"
    return bool(child(["-c", code], python=python).get("ok"))


def main() -> None:
    options = arguments(__doc__, epochs=12, seeds=3, peer_python=None, contenders=None)
    contenders = {"ours": sys.executable, "by_hand": sys.executable}
    pythons = [sys.executable, *(options.peer_python or "").split(",")]
    for python in filter(None, pythons):
        for name, package in PEERS.items():
            if name not in contenders and installed(python, package):
                contenders[name] = python
    if options.contenders:
        contenders = {n: p for n, p in contenders.items() if n in options.contenders.split(",")}
    title(f"peers: {', '.join(contenders)}; {options.epochs} epochs, {options.seeds} seeds")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(options.seeds):
            table = digits_table(Path(folder) / str(seed), seed=seed)
            for name, python in contenders.items():
                script = str(HERE / "peers" / "contender.py")
                said = child(
                    [script, name, str(table), str(seed), str(options.epochs)], python=python
                )
                if "error" in said:
                    print(f"{name}, seed {seed}: {said['error']}")
                else:
                    found[name].append(said)
    medians = {
        name: {column: statistics.median(run[column] for run in runs) for column in COLUMNS}
        for name, runs in found.items()
        if runs
    }
    if medians:
        show(medians)


def show(medians: dict[str, dict[str, float]]) -> None:
    best = {
        column: (max if more else min)(said[column] for said in medians.values())
        for column, (_, more) in COLUMNS.items()
    }
    print("".join([f"{'':<12}", *(f"{heading:>20}" for heading, _ in COLUMNS.values())]))
    for name, said in medians.items():
        marked = (
            f"{said[column]:>18.4g}{' *' if said[column] == best[column] else '  '}"
            for column in COLUMNS
        )
        print(f"{name:<12}" + "".join(marked))
    print("* best of its column")
    behind = [COLUMNS[c][0] for c in COLUMNS if "ours" in medians and medians["ours"][c] != best[c]]
    print(
        "polymodal is first in every column."
        if not behind
        else f"polymodal is behind in: {', '.join(behind)}."
    )


if __name__ == "__main__":
    main()
