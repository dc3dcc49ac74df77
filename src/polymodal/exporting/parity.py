"""Whether an exported file answers as the network does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch

from polymodal.batch import Batch
from polymodal.exporting.deployable import Deployable, ExportError
from polymodal.exporting.model_file import Run

TOLERANCE = 1e-4
CHANCE_TO_HIDE = 0.3


def differences(
    network: Deployable,
    run: Run,
    batches: Iterable[Batch],
    *,
    one_by_one: bool = False,
) -> dict[str, float]:
    """The greatest difference between a file's answers and the network's, for each output.

    Of probabilities and decisions it is the difference itself; of numbers it is relative to the
    greatest number that the network answered.

    Args:
        network: what was exported.
        run: what runs the file.
        batches: rows to compare on.
        one_by_one: whether the file takes one row at a time.
    """
    wanted: list[list[np.ndarray]] = []
    found: list[list[np.ndarray]] = []
    for batch in batches:
        tensors = network.tensors(batch)
        with torch.inference_mode():
            wanted.append([said.numpy() for said in network(*tensors)])
        if not one_by_one:
            found.append(run(tensors))
        else:
            rows = [run([t[i : i + 1] for t in tensors]) for i in range(len(batch))]
            found.append([np.concatenate(parts) for parts in zip(*rows, strict=True)])
    specs = [t for column in network.targets for t in column.tensors.values()]
    worst = {}
    for i, spec in enumerate(specs):
        if spec.dtype in ("int64", "bool"):
            continue  # follows from the probabilities, but for ties
        right = np.concatenate([said[i] for said in wanted]).astype(np.float64)
        said = np.concatenate([said[i] for said in found]).astype(np.float64)
        scale = 1.0 if spec.name.endswith(".probabilities") else max(np.abs(right).max(), 1e-9)
        # What is not a number is as far off as can be.
        worst[spec.name] = float(np.nan_to_num(np.abs(right - said), nan=np.inf).max() / scale)
    return worst


def check_parity(worst: Mapping[str, float], tolerance: float = TOLERANCE) -> None:
    """Refuse a file whose answers are not those of the network.

    Raises:
        ExportError: a difference exceeds the tolerance; the message has the figures.
    """
    wrong = {name: value for name, value in worst.items() if not value <= tolerance}
    if wrong:
        figures = ", ".join(f"{name}: {value:.2g}" for name, value in wrong.items())
        raise ExportError(
            f"The exported file does not answer as the trained network does: {figures} (at most "
            f"{tolerance:g} is allowed). It was not kept. Another fusion or encoder may export "
            "exactly; please report this with the recipe of the run."
        )


def with_gaps(batch: Batch, generator: torch.Generator) -> Batch:
    """The same rows with cells hidden by chance."""
    inputs = {}
    for name, field in batch.inputs.items():
        kept = torch.rand(len(field.present), generator=generator) >= CHANCE_TO_HIDE
        inputs[name] = replace(field, present=field.present & kept)
    return replace(batch, inputs=inputs)


def varied(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Each batch as it is, and with cells hidden by chance."""
    generator = torch.Generator().manual_seed(0)
    for batch in batches:
        yield batch
        yield with_gaps(batch, generator)
