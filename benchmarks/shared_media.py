"""Training where many rows share a picture: each encoded once per batch, against once per row.

Both train the same network from the same weights on the same rows, one thread, in the same
precision. The rows are those of a part of the pictures, so that the slow way ends in time.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import arguments, figure, title

from polymodal.build import build_model
from polymodal.data.loader import Columns, Loader
from polymodal.evaluation import measure
from polymodal.evaluation.prediction import outcomes, predict_batches
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.model import MultimodalModel
from polymodal.training import Validation, train


class Clock:
    """Batches of a loader, and the CPU-seconds of each epoch's steps."""

    def __init__(self, loader: Loader) -> None:
        self.loader, self.seconds, self.encoded = loader, [], []
        self.steps_per_epoch = loader.steps_per_epoch

    def epoch(self, number: int, skip: int = 0) -> Any:
        """As a loader does; the time runs from the first batch to the validation."""
        self.started = time.process_time()
        for batch in self.loader.epoch(number, skip):
            self.encoded.append(len(batch.inputs["image"].values))
            yield batch

    def stop(self) -> None:
        """The epoch's steps are done."""
        self.seconds.append(time.process_time() - self.started)


def main() -> None:
    options = arguments(__doc__, pictures=700, epochs=10)
    torch.set_num_threads(1)
    chosen = chosen_recipe(
        {"train": {"threads": 1, "epochs": options.epochs, "schedule": "one_cycle",
                   "learning_rate": 0.003, "batch_size": 256, "patience": 0}},
        ["answer"], ["image", "question"],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        run = Experiment(options.data, chosen, out=Path(folder) / "run")
        run.prepare()
        run.build()
        images = run.pack.stores["image"].index
        rows = run.dataset.rows("train")
        kept = np.random.default_rng(0).permutation(np.unique(images[rows]))[: options.pictures]
        rows = rows[np.isin(images[rows], kept)]
        title(f"shared media: {options.data.name}, {len(rows):,} rows on {len(kept):,} pictures, "
              f"{options.epochs} epochs, one thread")  # fmt: skip
        shared = fitted(run, rows, Path(folder) / "shared", share=True)
        alone = fitted(
            run, rows, Path(folder) / "alone", share=False, precision=shared["precision"]
        )
    for name, found in (("shared", shared), ("not shared", alone)):
        what = f"{name}: pictures encoded per batch of 256"
        figure(what, found["encoded"])
        figure(f"{name}: CPU-s of an epoch (median)", found["seconds"], "s")
        figure(f"{name}: test accuracy", found["accuracy"])
    figure(
        "not shared / shared: time of an epoch", alone["seconds"] / shared["seconds"], "x", least=3
    )
    figure("shared - not shared: accuracy", shared["accuracy"] - alone["accuracy"], least=-0.01)


def fitted(
    run: Experiment, rows: np.ndarray, directory: Path, *, share: bool, precision: str = "auto"
) -> dict[str, Any]:
    inputs = {name: run.modalities[name] for name in run.dataset.schema.inputs}
    targets = {name: run.modalities[name] for name in run.dataset.schema.targets}

    def loader(rows: np.ndarray, *, training: bool) -> Loader:
        columns = Columns(inputs, targets)
        return Loader(run.pack, columns, rows=rows, batch_size=256, training=training,
                      share=share or not training)  # fmt: skip

    def accuracy(model: MultimodalModel, part: str) -> float:
        found = predict_batches(model, loader(run.dataset.rows(part), training=False))
        outcome = outcomes(model, found[1], found[0], run.pack, run.modalities)["answer"]
        return measure(outcome)["accuracy"]

    clock = Clock(loader(rows, training=True))

    def validate(model: MultimodalModel) -> Validation:
        clock.stop()
        return Validation(0.0, accuracy(model, "validation"), True, "accuracy")

    torch.manual_seed(0)
    model = build_model(run.recipe, run.dataset.schema, run.modalities)
    options = run.recipe.train.model_copy(update={"precision": precision})
    result = train(model, clock, options, seed=0, directory=directory, validate=validate)
    return {
        "seconds": float(np.median(clock.seconds)),
        "encoded": float(np.mean(clock.encoded)),
        "accuracy": accuracy(model, "test"),
        "precision": result.choices.precision.name,
    }


if __name__ == "__main__":
    main()
