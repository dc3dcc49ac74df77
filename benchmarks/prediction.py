"""What ``Predictor.predict`` costs, beside the bare network on tensors that are ready.

Three networks (a picture, a sentence and two numbers each): small ones on pictures of 32 and 64
pixels, and a residual network on 96. Batches of 256 distinct rows, the cells as arrays in memory;
and the same as files, whose decoding the bare network never does: both are shown. One thread.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import arguments, figure, interleaved, title
from PIL import Image
from tables import pictures_table

import polymodal as pm
from polymodal.data.pack import pack
from polymodal.predictor import BATCH

SHORT = {
    "train": {"epochs": 1, "threads": 1, "precision": "fp32", "tensorboard": False},
    "evaluation": {"single_modalities": "off", "trees": False, "subsets": False, "resamples": 20},
}


def milliseconds(contenders: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median time on the wall of each, in turn: a person waits for a clock, not for a CPU."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 20):
        for name, run in contenders.items():
            before = time.perf_counter()
            run()
            if turn >= 20:
                times[name].append(1000 * (time.perf_counter() - before))
    return {name: statistics.median(found) for name, found in times.items()}


def batches(predictor: Any, rows: list[dict[str, Any]]) -> list[Any]:
    """The rows as the tensors that the network takes."""
    inputs = {name: predictor.run.modalities[name] for name in predictor.inputs}
    packed = pack(pm.Table.read(rows), inputs, broken="error")
    return list(
        pm.Loader(packed, pm.Columns(inputs, {}), rows=np.arange(len(rows)), batch_size=BATCH)
    )


def compare(folder: Path, size: int, encoder: str, rows: int) -> None:
    table = pictures_table(folder, rows, size=size)
    predictor = pm.fit(table, "kind", recipe=SHORT | {"columns": {"image": {"encoder": encoder}}})
    model = predictor.run.model
    known = pm.Table.read(table)
    columns = {name: known.cells(name) for name in predictor.inputs}
    files = [
        dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
    ]
    files = [row | {"image": str(folder / row["image"])} for row in files]
    arrays = [row | {"image": np.array(Image.open(row["image"]))} for row in files]
    ready = batches(predictor, arrays)
    assert sum(len(batch.inputs["image"].values) for batch in ready) == rows

    def bare() -> None:
        with torch.inference_mode():
            for batch in ready:
                model(batch)

    name = f"{encoder} {size} px"
    found = interleaved(
        {
            "forward": bare,
            "arrays": lambda: predictor.predict(arrays),
            "files": lambda: predictor.predict(files),
        },
        repeats=5,
    )
    speed = {kind: rows / seconds for kind, seconds in found.items()}
    for kind, rate in speed.items():
        figure(f"{name}: {kind}, rows per CPU-second", rate)
    figure(f"{name}: arrays / forward", speed["arrays"] / speed["forward"], "x", least=0.9)
    figure(f"{name}: files / forward (decoding included)", speed["files"] / speed["forward"], "x")
    single(predictor, arrays[0], files[0], name)


def single(predictor: Any, array: dict[str, Any], file: dict[str, Any], name: str) -> None:
    """One row alone."""
    (ready,) = batches(predictor, [array])
    model = predictor.run.model
    picture = array | {"image": Image.fromarray(array["image"])}

    def bare() -> None:
        with torch.inference_mode():
            model(ready)

    found = milliseconds(
        {
            "forward": bare,
            "array": lambda: predictor.predict([array]),
            "picture": lambda: predictor.predict([picture]),
            "file": lambda: predictor.predict([file]),
        },
        repeats=100,
    )
    figure(f"{name}: one row, forward", found["forward"], "ms")
    for kind in ("array", "picture", "file"):
        figure(
            f"{name}: one row, {kind}, beyond forward", found[kind] - found["forward"], "ms", most=3
        )


def main() -> None:
    options = arguments(__doc__, rows=4 * BATCH)
    torch.set_num_threads(1)
    title(f"prediction: {options.rows:,} rows, batches of {BATCH}, one thread")
    with tempfile.TemporaryDirectory() as folder:
        for size, encoder in ((32, "cnn"), (64, "cnn"), (96, "resnet")):
            compare(Path(folder) / str(size), size, encoder, options.rows)


if __name__ == "__main__":
    main()
