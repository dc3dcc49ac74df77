"""Peak memory of a whole training (schema, packing, one epoch, test) on more and more rows.

Each run is a process of its own, on one thread; the pictures are 64 x 64 PNG files. Where the
stages begin, the memory so far is printed too, so that a growing one shows itself.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measuring import arguments, child, figure, peak_megabytes, title
from tables import pictures_table

STAGES = ("imports", "prepare", "build", "train", "assess", "save")


def run(table: str, out: str) -> None:
    """One training; prints the peak after each stage as JSON."""
    import torch

    from polymodal.experiment import Experiment, chosen_recipe

    torch.set_num_threads(1)
    recipe = {
        "train": {"epochs": 1, "threads": 1, "batch_size": 128, "precision": "fp32"},
        "evaluation": {"single_modalities": "off"},
    }
    experiment = Experiment(table, chosen_recipe(recipe, ["kind"], None), out=Path(out))
    peaks = {"imports": peak_megabytes()}
    for stage in STAGES[1:]:
        getattr(experiment, stage)()
        peaks[stage] = peak_megabytes()
    print(json.dumps(peaks))


def main() -> None:
    options = arguments(__doc__, few=2_000, many=20_000)
    title(f"memory: {options.few:,} against {options.many:,} rows of 64 x 64 pictures, one epoch")
    peaks = []
    for rows in (options.few, options.many):
        with tempfile.TemporaryDirectory() as folder:
            table = pictures_table(Path(folder) / "data", rows)
            found = child([__file__, "--one", str(table), str(Path(folder) / "run")])
        if "error" in found:
            raise SystemExit(found["error"])
        peaks.append(found)
        for stage in STAGES:
            figure(f"{rows:,} rows: peak up to the end of {stage!r}", found[stage], "MB")
    growth = 100 * (peaks[1]["save"] / peaks[0]["save"] - 1)
    figure("growth of the peak", growth, "%", most=10)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run(*sys.argv[2:])
    else:
        main()
