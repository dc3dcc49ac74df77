"""The training loop: one, explicit, for every model and every source of batches."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any, NoReturn

import torch
from accelerate.state import PartialState
from torch import Tensor

from polymodal.batch import Batch
from polymodal.errors import RunError
from polymodal.model import MultimodalModel
from polymodal.train_options import TrainOptions
from polymodal.training.budget import Budget
from polymodal.training.checkpoint import Checkpoints, load_checkpoint
from polymodal.training.choices import Choices
from polymodal.training.device import from_main
from polymodal.training.interruption import Interrupted, StopSignal
from polymodal.training.journal import Journal
from polymodal.training.learner import Learner, broken_weight
from polymodal.training.mixing import Mixing
from polymodal.training.progress import Progress, SilentProgress
from polymodal.training.result import TrainingError, TrainResult
from polymodal.training.source import Source
from polymodal.training.state import State
from polymodal.training.validation import Validation

Validate = Callable[[MultimodalModel], Validation]

_LOOK_SECONDS, _LOOK_BATCHES = 0.125, 50  # how long losses may wait until they are looked at
_EVENT_SECONDS = 1.0  # between two points of a TensorBoard curve
_AGREE_STEPS = 10  # how often several processes talk about stopping
_MAY_CHANGE = {"patience", "max_minutes", "checkpoint_minutes", "tensorboard", "curves"}


class Loop:
    """One training from where its last checkpoint left it to its end."""

    def __init__(
        self,
        model: MultimodalModel,
        source: Source,
        options: TrainOptions,
        *,
        seed: int,
        directory: Path,
        validate: Validate,
        choices: Choices,
        stop: StopSignal,
        device: torch.device,
        resume: bool,
    ) -> None:
        assert options.epochs != "auto"
        self.source, self.options, self.seed, self.validate = source, options, seed, validate
        self.directory, self.choices, self.stop, self.device = directory, choices, stop, device
        self.process, self.processes = PartialState().process_index, PartialState().num_processes
        self.main = self.process == 0
        self.batches_per_epoch = source.steps_per_epoch // self.processes
        self.epochs = options.epochs
        self.full = self.epochs * math.ceil(self.batches_per_epoch / options.accumulate)
        self.budget = Budget(options.max_minutes, full=self.full)
        self.checkpoints = Checkpoints(directory)
        self.mixing = Mixing(options, seed=seed)
        self.state = State(planned=self.full)
        self.learner = Learner(
            model,
            options,
            seed=seed,
            precision=choices.precision.name,
            total_steps=lambda: self.state.planned,
        )
        if resume:
            self._load()
        self.pending: list[tuple[int, dict[str, Tensor]]] = []  # step, loss terms of a batch
        self.rows, self.waited = 0, 0.0
        self.clock = self.saved = self.told = perf_counter()

    def run(self, progress: Progress, *, until: int | None = None) -> TrainResult:
        """Train to the end, or to the end of an epoch."""
        state = self.state
        self.progress = progress if self.main else SilentProgress()
        message = f"Training stopped. The last checkpoint is in {self.directory}."
        note = f"{self.device.type}, {self.choices}"
        self.progress.start(state.planned, step=state.step, epochs=self.epochs, note=note)
        try:
            with self._open_journal() as self.journal:
                if not state.step:
                    self._save()  # a disk that cannot be written to shows now, not in an hour
                while state.finished is None and (until is None or state.epoch < until):
                    self._epoch()
                    self._end_epoch()
                # At a pause nothing further would notice that it was asked to stop.
                if state.finished is None and from_main(self.stop.asked):
                    raise Interrupted(self.directory, state.step)
            ended = state.finished or "paused"
            message = f"Training ended after {state.epoch} epochs: {ended}."
        finally:
            self.progress.finish(message)
        self.learner.synchronise()
        if state.best_epoch is not None:
            parts, _ = load_checkpoint(self.checkpoints.best)
            self.learner.take_weights(parts, averaged=True)
        self.learner.model.eval()
        return TrainResult(
            ended=ended,
            steps=state.step,
            epochs=state.epoch,
            seconds=state.seconds,
            best_epoch=state.best_epoch,
            best_metric=state.best_metric,
            history=state.history,
            choices=self.choices,
        )

    def _epoch(self) -> None:
        """Train on what is left of the running epoch."""
        state, batches, looked = self.state, self._batches(), perf_counter()
        while state.batch < self.batches_per_epoch and state.step < state.planned:
            count = min(self.options.accumulate, self.batches_per_epoch - state.batch)
            found = self.learner.step(batches, count)
            state.step += 1
            state.batch += count
            self.pending += [(state.step, terms) for terms in found]
            now = perf_counter()
            if now - looked >= _LOOK_SECONDS or len(self.pending) >= _LOOK_BATCHES:
                self._look()
                looked = now
            if now - self.saved >= 60 * self.options.checkpoint_minutes:
                self._look()
                self._save()
            if self.processes == 1 or state.step % _AGREE_STEPS == 0:
                self._agree()
        self._look()

    def _batches(self) -> Iterator[Batch]:
        """The batches of the running epoch that are left to this process, on its device."""
        skip = self.state.batch * self.processes
        batches = self.source.epoch(self.state.epoch, skip)
        mine = islice(batches, self.process, None, self.processes)
        place = skip + self.process
        while True:
            before = perf_counter()
            batch = next(mine, None)
            assert batch is not None, "the source has fewer batches than its steps_per_epoch"
            if self.device.type != "cpu":  # where it is already
                batch = batch.to(self.device)
            batch = self.mixing(batch, epoch=self.state.epoch, place=place)
            place += self.processes
            self.waited += perf_counter() - before
            self.rows += len(batch)
            yield batch

    def _look(self) -> None:
        """Fetch the losses of the last steps from the device, all at once, and look at them."""
        if not self.pending:
            return
        state, sums = self.state, self.state.sums
        terms = [term for _, named in self.pending for term in named.values()]
        numbers = iter(torch.stack(terms).tolist())
        total = 0.0
        for step, named in self.pending:
            losses = {name: next(numbers) for name in named}
            if not all(map(math.isfinite, losses.values())):
                found = ", ".join(f"{name} = {loss:.4g}" for name, loss in losses.items())
                self._fail(f"The loss is no longer finite at step {step}: {found}.")
            for name, loss in losses.items():
                state.add(f"train_loss/{name}", loss)
                state.add("train_loss", loss)
                total += loss
        mean = total / len(self.pending)
        state.add("batches", len(self.pending))
        state.add("rows", self.rows * self.processes)
        state.add("waited", self.waited)
        state.add("seconds", self._tick())
        self.pending, self.rows, self.waited = [], 0, 0.0
        batches_left = (state.planned - state.step) * self.options.accumulate
        self.progress.step(
            state.step,
            total_steps=state.planned,
            loss=mean,
            rows_per_second=sums["rows"] / sums["seconds"],
            seconds_left=batches_left * sums["seconds"] / sums["batches"],
        )
        if self.journal is not None and self.clock - self.told >= _EVENT_SECONDS:
            self.told = self.clock
            values = {"step_loss": mean, "step_learning_rate": self.learner.rate}
            self.journal.values(values, step=state.step)

    def _agree(self) -> None:
        """Between two steps: follow the time budget, and stop if asked; the main process decides.

        Raises:
            Interrupted: it was asked to stop, and has saved.
        """
        state, seconds = self.state, self.state.seconds + perf_counter() - self.clock
        planned = self.budget.fit(state.planned, step=state.step, seconds=seconds)
        if self.budget.over(seconds):
            planned = state.step
        state.planned, asked = from_main((planned, self.stop.asked))
        if asked:
            self._look()
            self._save()
            raise Interrupted(self.directory, state.step)

    def _end_epoch(self) -> None:
        """Validate, decide how to go on, save and report."""
        state, model = self.state, self.learner.evaluated
        model.eval()
        # One process validates: the others would find the same.
        found = from_main(self.validate(model) if self.main else None)
        self.learner.model.train()
        assert found is not None
        row = self._row(found) | self.learner.end_epoch(found)
        best = found.beats(state.best_metric, state.best_loss)
        state.history.append(row)
        state.epoch, state.batch, state.sums = state.epoch + 1, 0, {}
        lowest = state.lowest_loss is None or found.loss < state.lowest_loss
        state.epochs_without_progress = 0 if best or lowest else state.epochs_without_progress + 1
        if lowest:
            state.lowest_loss = found.loss
        if best:
            state.best_epoch = state.epoch
            state.best_metric, state.best_loss = found.metric, found.loss
        planned = self.budget.fit(
            state.planned, step=state.step, seconds=state.seconds, at_epoch_end=True
        )
        state.planned = from_main(planned)
        if state.step >= state.planned:
            state.finished = "completed" if state.step == self.full else "budget"
        elif (
            self.options.patience
            and state.best_epoch is not None  # without a metric there is nothing to wait for
            and state.epochs_without_progress >= self.options.patience
        ):
            state.finished = "patience"
        self._save(best=best)
        if self.journal is not None:
            self.journal.epoch(row)
        self.progress.epoch(row, metric=found.name, best=best)

    def _row(self, found: Validation) -> dict[str, float]:
        """The row of the history for the epoch that has just been validated."""
        self._tick()
        state, sums = self.state, self.state.sums
        means = {k: v / sums["batches"] for k, v in sums.items() if k.startswith("train_loss")}
        return {
            "epoch": state.epoch + 1,
            "step": state.step,
            "train_loss": means.pop("train_loss"),
            "validation_loss": found.loss,
            "validation_metric": found.metric,
            "learning_rate": self.learner.rate,
            "seconds": state.seconds,
            "rows_per_second": sums["rows"] / sums["seconds"],
            "waiting": sums["waited"] / sums["seconds"],
            **means,
            **found.further(),
        }

    def _save(self, *, best: bool = False) -> None:
        """Write a checkpoint."""
        self._tick()
        broken = broken_weight(self.learner.model)
        if broken is not None:
            self._fail(f"The weight {broken} is no longer finite at step {self.state.step}.")
        if self.main:
            parts, facts = self.learner.save()
            facts |= {"state": asdict(self.state), "setting": self._setting()}
            self.checkpoints.save(parts, facts, best=best)
        self.saved = perf_counter()

    def _load(self) -> None:
        """Go back to where the last checkpoint was written."""
        parts, facts = load_checkpoint(self.checkpoints.last)
        then, now = facts["setting"], self._setting()
        changes = [f"{k}: {then.get(k)} then, {now[k]} now" for k in now if then.get(k) != now[k]]
        if changes:
            raise RunError(
                f"{self.directory} cannot be resumed with other settings "
                f"({'; '.join(changes)}). Take the old ones, or start anew in another folder."
            )
        self.state = State(**facts["state"])
        self.learner.load(parts, facts, step=self.state.step)

    def _setting(self) -> dict[str, Any]:
        """What must be the same for a resumed training to be the same training."""
        options = self.options.model_dump(exclude=_MAY_CHANGE)
        return {
            **{f"train.{name}": value for name, value in options.items()},
            "seed": self.seed,
            "batches per epoch": self.source.steps_per_epoch,
            "processes": self.processes,
        }

    def _fail(self, what: str) -> NoReturn:
        """Give the model its last good weights back, and raise the error that says what to do."""
        restored = ""
        if self.checkpoints.last.exists():
            parts, _ = load_checkpoint(self.checkpoints.last)
            self.learner.take_weights(parts, averaged=False)
            restored = " The model has again the weights of the last checkpoint."
        raise TrainingError(
            f"{what}{restored} Try a lower train.learning_rate (now "
            f"{self.options.learning_rate:g}), train.clip: 1 (now {self.options.clip:g}) or "
            f"train.precision: fp32 (now {self.choices.precision.name}), and look for extreme "
            "numbers among the inputs and targets."
        )

    def _open_journal(self) -> contextlib.AbstractContextManager[Journal | None]:
        """The journal, which the main process keeps."""
        if not self.main:
            return contextlib.nullcontext()
        tensorboard = self.options.tensorboard
        return Journal(self.directory, self.state.history, tensorboard=tensorboard)

    def _tick(self) -> float:
        """Seconds since the last call, added to the time of the training."""
        now = perf_counter()
        passed, self.clock = now - self.clock, now
        self.state.seconds += passed
        return passed
