"""A pretrained model that a run has adapted, as a folder that transformers reads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from polymodal.backbone import merge
from polymodal.exporting.deployable import ExportError
from polymodal.exporting.real_rows import RealRows
from polymodal.files import write_file
from polymodal.heads import TextHead
from polymodal.heads.adapted_network import AdaptedNetwork
from polymodal.heads.prompted import Prompted
from polymodal.run_directory import Run, load_run

NAME = "transformers"
"""What ``--to`` calls it, and the folder of the run that it is written to."""
BESIDE = "projections.safetensors"
"""What was learned beside the model, which transformers does not know."""
CHECKED_ROWS, LEAST_ALIKE = 32, 0.9


@dataclass(frozen=True)
class ExportedFolder:
    """What was written.

    Args:
        directory: the folder.
        rows: real rows whose texts were compared.
        alike: share of them on which the folder writes the same text as the run.
        beside: whether something was learned that transformers does not know.
    """

    directory: Path
    rows: int
    alike: float
    beside: bool


def export_folder(
    directory: Path | str,
    *,
    data: Any = None,
    out: Path | str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> ExportedFolder:
    """Write the pretrained model of a run, adapted as it is, for transformers.

    Small matrices of LoRA are added into the weights they stand beside. The folder holds weights,
    configuration and the files of tokenizer and processor: it can be the ``model`` of another
    recipe. What was learned beside the model (projections of other encoders, the end of a text)
    goes to ``projections.safetensors``.

    Args:
        directory: the run.
        data: a table whose rows the texts are compared on; None reads the run's own again.
        out: where to write; None writes into the run.
        tell: is told what is done.

    Raises:
        RunError: it is no run.
        ExportError: no pretrained model writes a target, or the folder does not write what the
            run writes; what was there before is untouched.
        MissingExtra: transformers or peft is not installed.
    """
    place = Path(directory)
    folder = place / NAME if out is None else Path(out)
    if out is not None and folder.exists() and (folder.is_file() or any(folder.iterdir())):
        raise ExportError(f"{str(folder)!r} is not an empty folder. Choose another one.")
    run = load_run(place)
    target, head = _writer(run)
    rows = RealRows.of(run, data)
    chosen = rows.held_out(CHECKED_ROWS)
    packed = rows.packed(chosen, targets=False)
    loader = rows.loader(packed, batch_size=run.model.rows_at_once)

    def texts() -> Tensor:
        with torch.inference_mode():
            return torch.cat([head.answer(run.model(batch)[target]) for batch in loader])

    tell(f"writing {packed.rows:,} texts")
    wanted = texts()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".saving-") as temporary:
        staging = Path(temporary) / "model"
        tell("writing the model")
        beside = _save(head, staging)
        tell(f"comparing texts on {packed.rows:,} rows")
        found = (texts() == wanted).all(1).float()
        alike = float(found.mean())
        if alike < LEAST_ALIKE:
            raise ExportError(
                f"The model writes another text than the run on {int((1 - found).sum())} of "
                f"{len(found)} rows once LoRA is part of its weights, so it was not kept. Train "
                "with dtype: float32, in which sums lose less."
            )
        shutil.rmtree(folder, ignore_errors=True)
        staging.replace(folder)
    return ExportedFolder(folder, len(found), alike, beside)


def _writer(run: Run) -> tuple[str, TextHead]:
    """The target that a pretrained model writes, and its head."""
    heads = {name: run.model.head(name) for name in run.schema.targets}
    texts = {name: head for name, head in heads.items() if isinstance(head, TextHead)}
    found = [(name, head) for name, head in texts.items() if isinstance(head, Prompted)]
    if len(found) == 1:
        return found[0]
    kinds = ", ".join(f"{name} by {type(head).__name__}" for name, head in heads.items())
    raise ExportError(
        f"--to {NAME} writes out the pretrained model of one target with the head causal_lm, "
        f"image_text_to_text or speech_to_text. This run predicts {kinds or 'nothing'}."
    )


def _save(head: TextHead, folder: Path) -> bool:
    """Write a head's model, and run it from there on; whether something was learned beside it."""
    assert isinstance(head, Prompted)
    adapted = next(m for m in head.modules() if isinstance(m, AdaptedNetwork))
    inside = {id(weight) for weight in adapted.parameters()}
    every = head.named_parameters()
    beside = {name: w.detach().cpu() for name, w in every if id(w) not in inside}
    network = adapted.network
    merge(network)
    folder.mkdir(parents=True)
    for name, text in head.config["files"].items():
        write_file(folder / name, text)
    network.save_pretrained(folder)
    if beside:
        save_file({name: weight.contiguous() for name, weight in beside.items()}, folder / BESIDE)
    again = type(network).from_pretrained(folder, dtype=network.dtype)
    network.load_state_dict(again.state_dict())
    return bool(beside)
