"""Columns aligned on frozen towers: their features kept, against run at each step.

Both ways train the same projections from the same weights on the same rows, in fp32, on one
thread, one after the other in one process. An epoch is timed from its first step to the end of
its checkpoint, validation included. The towers are an EfficientNet-Lite0 and a BERT of six layers
of 384 (the sizes of all-MiniLM-L6-v2), with random weights, which cost what trained ones cost.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from frozen_features import Clock, random_bert, random_cnn
from measuring import arguments, figure, title
from tables import pictures_table

from polymodal.experiment import Experiment
from polymodal.recipe import Recipe

COLUMNS = {"image": "image", "sentence": "text"}


def main() -> None:
    options = arguments(__doc__, rows=240, epochs=3)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        table = pictures_table(folder / "table", options.rows, size=224)
        models = {
            "image": str(random_cnn(folder / "cnn")),
            "sentence": str(random_bert(folder / "bert")),
        }
        title(f"image ↔ sentence aligned on frozen towers, {options.rows} rows, one thread")
        found = {}
        for keep in (True, False):
            recipe = {
                "objective": "align",
                "inputs": list(COLUMNS),
                "columns": {
                    name: {
                        "modality": kind,
                        "encoder": {"name": "pretrained", "model": models[name]},
                    }
                    for name, kind in COLUMNS.items()
                },
                "data": {"keep_features": keep},
                "train": {"epochs": options.epochs, "batch_size": 64, "precision": "fp32",
                          "threads": 1, "patience": 0, "tensorboard": False},
                "evaluation": {"examples": 0, "resamples": 50},
            }  # fmt: skip
            found[keep] = aligned(table, Recipe.load(recipe), folder / f"run {keep}")
    kept, live = found[True], found[False]
    figure("features of every cell, once", kept["features"], "s")
    for i, unit in enumerate(("CPU-s", "s")):
        figure("epoch, towers run at each step", live["epoch"][i], unit)
        figure("epoch, features kept", kept["epoch"][i], unit)
        figure("epoch: faster by", live["epoch"][i] / kept["epoch"][i], "x", least=20)
    figure("largest difference of a vector's number",
           float(np.abs(kept["vectors"] - live["vectors"]).max()), most=1e-5)  # fmt: skip


def aligned(table: Any, recipe: Recipe, out: Path) -> dict[str, Any]:
    """One of the two ways: its times, and the vectors of some cells after training."""
    clock = Clock()
    run = Experiment(table, recipe, out=out, progress=clock, tell=lambda line: print("  ", line))
    run.prepare()
    run.build()
    run.train()
    run.assess()
    predictor, some = run.save(), run.dataset.table.slice(0, 32)
    return {
        "features": run.seconds.get("running frozen encoders", 0.0),
        "epoch": np.median(clock.times, axis=0),
        "vectors": np.stack([predictor.embed(some, column) for column in COLUMNS]),
    }


if __name__ == "__main__":
    main()
