"""Making ready to train (device, precision, threads), and training."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate.state import PartialState

from polymodal.encoders.pixels import channels_last
from polymodal.errors import PolymodalError, RunError
from polymodal.model import MultimodalModel
from polymodal.train_options import TrainOptions
from polymodal.training.checkpoint import Checkpoints
from polymodal.training.choices import CHOICES, Choices, choose, load_choices, save_choices
from polymodal.training.device import from_main, place
from polymodal.training.interruption import StopSignal
from polymodal.training.loop import Loop, Validate
from polymodal.training.memory import reuse_memory
from polymodal.training.progress import Progress, SilentProgress
from polymodal.training.result import NOTHING, TrainResult
from polymodal.training.source import Source
from polymodal.training.trial import Choice


def train(
    model: MultimodalModel,
    source: Source,
    options: TrainOptions,
    *,
    seed: int,
    directory: Path,
    validate: Validate,
    progress: Progress | None = None,
    device: torch.device | str | None = None,
    resume: bool = False,
    until: int | None = None,
) -> TrainResult:
    """Train a model until its epochs, its patience or its time are used up.

    A model without any weight to train is left as it is.

    Under ``torchrun`` or ``accelerate launch`` each process takes every n-th batch.

    Args:
        model: trained in place; at the end it holds the weights of the best epoch.
        source: the training batches.
        options: with ``epochs`` and ``learning_rate`` as numbers (:meth:`TrainOptions.resolved`).
        seed: of dropout and everything else that is random in a step.
        directory: where ``checkpoints/`` and ``log/`` are written.
        validate: scores a model, which is in evaluation mode, after each epoch.
        progress: is told how it goes; None shows nothing.
        device: where to train; None takes the best one there is.
        resume: go on from the last checkpoint of the directory (from the start if it has none).
        until: pause after this epoch; resumed, the training goes on as if there had been no pause.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came; everything is saved.
        RunError: a checkpoint cannot be written or read, or is that of another training.
        TrainingError: the loss or a weight became nan or infinite.
        PolymodalError: an option does not suit this model or machine.
    """
    if options.epochs == "auto" or options.learning_rate == "auto":
        raise PolymodalError(
            "train.epochs and train.learning_rate must be numbers here: "
            "use options.resolved(rows=…) with the number of training rows."
        )
    if options.balance == "auto":
        raise PolymodalError(
            "train.balance is auto, which fit and Trainer.fit resolve by trying; name one here: "
            "off, ogm_ge or gradient_blending."
        )
    # Asked once: another process may write the first checkpoint while this one gets ready.
    saved = Checkpoints(directory).last.exists()
    if saved and not resume:
        raise RunError(f"{directory} already holds a training. Resume it, or take another folder.")
    threads = torch.get_num_threads()
    try:
        with StopSignal() as stop:
            where = place(device)
            if source.steps_per_epoch < PartialState().num_processes:
                raise PolymodalError(
                    f"An epoch has {source.steps_per_epoch} batches, too few for "
                    f"{PartialState().num_processes} process(es). Use fewer processes, smaller "
                    "batches or more rows."
                )
            if where.type == "cpu":
                reuse_memory()
            channels_last(model.to(where).train())
            if not any(weight.requires_grad for weight in model.parameters()):
                return _nothing_to_train(model, progress or SilentProgress())
            path = directory / CHOICES
            # What others chose for this training before it began holds too.
            if saved or (resume and path.exists()):
                choices = load_choices(path)
            else:
                choices = _measure(model, source, options, path=path, device=where)
            torch.set_num_threads(int(choices.threads.name))
            loop = Loop(
                model,
                source,
                options,
                seed=seed,
                directory=directory,
                validate=validate,
                choices=choices,
                stop=stop,
                device=where,
                resume=saved,
            )
            return loop.run(progress or SilentProgress(), until=until)
    finally:
        torch.set_num_threads(threads)


def _nothing_to_train(model: MultimodalModel, progress: Progress) -> TrainResult:
    """A pretrained model as it came, every weight of it frozen."""
    progress.finish("Nothing to train: every weight is frozen. The model is taken as it is.")
    model.eval()
    reason = "nothing is trained"
    threads = Choice(str(torch.get_num_threads()), reason=reason)
    return TrainResult(
        ended=NOTHING,
        steps=0,
        epochs=0,
        seconds=0.0,
        best_epoch=None,
        best_metric=None,
        history=[],
        choices=Choices(Choice("fp32", reason=reason), threads),
    )


def _measure(
    model: MultimodalModel,
    source: Source,
    options: TrainOptions,
    *,
    path: Path,
    device: torch.device,
) -> Choices:
    """How to compute, as the main process finds; written to ``path``."""
    found = None
    if PartialState().is_main_process:
        alone = PartialState().num_processes == 1
        found = choose(
            model, lambda: next(source.epoch(0)), options=options, device=device, alone=alone
        )
        save_choices(found, path)
    choices = from_main(found)
    assert choices is not None
    return choices
