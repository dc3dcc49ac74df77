"""From a run to a smaller one, with the price of each measured."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polymodal.compression.balance_sheet import Compression
from polymodal.compression.changes import Changes
from polymodal.compression.compression_page import write_page
from polymodal.compression.price import Variant, points_lost, prices
from polymodal.compression.pruning import Sparse, remove_channels, smallest_weights
from polymodal.compression.quantisation import Int8, quantise
from polymodal.compression.student import train_student
from polymodal.compression.workbench import CALIBRATED, TOGETHER, Workbench
from polymodal.exporting.deployable import deployable
from polymodal.exporting.exporter import KINDS, Exported, export
from polymodal.exporting.parity import differences
from polymodal.onnx_runner import OnnxPredictor
from polymodal.onnx_runner.description import DESCRIPTION, digest
from polymodal.recipe_yaml import read
from polymodal.run_directory import WEIGHTS, Run, check_directory, load_run, save_run, write_json
from polymodal.training import Progress

AS_TRAINED = "as trained"
MEASURED, PAGE = "compression.json", "compression.html"
Tell = Callable[[str], None]


def compress_run(
    directory: Path | str,
    changes: Changes,
    *,
    out: Path | str | None = None,
    data: Any = None,
    max_loss: float = 1.0,
    force: bool = False,
    progress: Progress | None = None,
    tell: Tell = lambda _: None,
) -> Compression:
    """Make a smaller run of a run, measure both, and keep it if it loses little.

    The new run is a run directory like any other, with the model as ONNX in its folder ``onnx``:
    with ``int8``, that is where the 8 bits are.

    Args:
        directory: the run.
        changes: what is done to it.
        out: the new run directory; by default beside the run, named by what is done.
        data: a table to train, calibrate and measure on; None reads the run's own again.
        max_loss: points (hundredths of the headline metric) that it may lose on the test part.
        force: keep it whatever it loses.
        progress: is told how trainings go.
        tell: is told what is done.

    Raises:
        RunError: ``directory`` is no run, or ``out`` holds something.
        ExportError: the network cannot be exported, or its rows cannot be read again.
        MissingExtra: a package is not installed.
    """
    source = Path(directory)
    name = f"{source.absolute().name}-{changes.suffix}"
    target = source.absolute().with_name(name) if out is None else Path(out).absolute()
    check_directory(target, resume=False, overwrite=False)
    run = load_run(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside where it will be, so that it is moved there in one step.
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        made = _Compressor(run, source, changes, work, data, progress, tell)
        before, after = made.before(), made.after()
        tell("measuring time and memory")
        options = run.recipe.evaluation
        resampled = {"resamples": options.resamples, "seed": run.recipe.seed}
        lost = points_lost(before[0].outcomes, after[-1].outcomes, **resampled)
        found = Compression(
            target,
            force or max(score.value for score in lost.values()) <= max_loss,
            tuple(prices([*before, *after], place=work, **resampled)),
            lost,
            max_loss,
            max(len(outcome) for outcome in before[0].outcomes.values()),
            tuple(made.notes),
        )
        if found.saved:
            write_json(made.place / MEASURED, found.to_dict())
            write_page(made.place / PAGE, found, language=run.recipe.evaluation.language)
            if target.exists():
                target.rmdir()  # empty, or it would have been refused
            made.place.rename(target)
            target.chmod(0o755)
        return found
    finally:
        shutil.rmtree(work, ignore_errors=True)


class _Compressor:
    """Does to a run what is asked for, step by step."""

    def __init__(
        self,
        run: Run,
        source: Path,
        changes: Changes,
        work: Path,
        data: Any,
        progress: Progress | None,
        tell: Tell,
    ) -> None:
        self.source, self.changes, self.work, self.data = source, changes, work, data
        self.progress, self.tell = progress, tell
        self.place, self.notes = work / "run", list[str]()
        tell("decoding the rows")
        self.bench = Workbench.of(run, data, place=work / "pack")

    def before(self) -> list[Variant]:
        """The run as it was trained, by both engines."""
        self.exported = self._export(self.work / "before")
        self.tell("scoring the model as it was trained")
        exported = self._exported(AS_TRAINED, self.exported.directory)
        return [self._trained(AS_TRAINED, self.source), exported]

    def after(self) -> list[Variant]:
        """What becomes of it: as a run and as an exported model, of those that are new."""
        changes = self.changes
        if changes.distil is not None:
            self._distil(changes.distil)
        if changes.prune:
            self._prune()
        run = self.bench.run
        if changes.bf16:
            run = replace(run, model=copy.deepcopy(run.model).bfloat16())
            self.bench.run.model.load_state_dict(run.model.state_dict())  # as it will be loaded
            self.notes.append("weights are kept in bf16, and computed with in 32 bits")
        self.place.mkdir(exist_ok=True)
        save_run(self.place, replace(run, metrics={**run.metrics, "compression": changes.words}))
        retrained = changes.distil or changes.prune or changes.bf16
        if retrained:
            self.exported = self._export(self.place / "onnx")
        else:
            place = shutil.copytree(self.exported.directory, self.place / "onnx")
            self.exported = replace(self.exported, directory=Path(place))
        if changes.int8 is not None:
            self._quantise(self.exported, changes.int8)
        self.tell("scoring what became of it")
        found = [self._exported(", ".join(changes.words), self.exported.directory)]
        if retrained:
            found.insert(0, self._trained(", ".join(replace(changes, int8=None).words), self.place))
        return found

    def _export(self, out: Path) -> Exported:
        notes = () if out.parent == self.work else tuple(self.changes.words)
        return export(
            self.bench.run, KINDS["onnx"], self.bench.rows, out=out, notes=notes, tell=self.tell
        )

    def _distil(self, student: Path) -> None:
        changes = read(student.read_text("utf-8"), str(student))
        self.tell("training the student")
        run = train_student(
            self.bench.run, changes, data=self.data, out=self.work / "student",
            progress=self.progress, tell=self.tell,
        )  # fmt: skip
        self.bench = Workbench.of(run, self.data, place=self.work / "student-pack")
        self.notes.append(f"a student of {_count(run):,} weights learned from its answers")

    def _prune(self) -> None:
        changes, model = self.changes, self.bench.run.model
        before, sparse = _count(self.bench.run), None
        self.tell("pruning")
        if changes.structured:
            network = deployable(self.bench.run)
            some = [torch.from_numpy(array) for array in self._some().values()]
            _, whole = remove_channels(model, changes.prune, lambda: network(*some))
            after = _count(self.bench.run)
            self.notes.append(f"of {before:,} weights {after:,} are left")
            if whole:
                self.notes.append(f"left whole, for they could not be followed: {', '.join(whole)}")
        else:
            kept = smallest_weights(model, changes.prune)
            sparse = Sparse(model, kept)
            zeros = sum(int((~mask).sum()) for mask in kept.values())
            self.notes.append(f"{zeros:,} of {before:,} weights are zero")
        if changes.recover:
            self.tell(f"training {changes.recover} epochs more")
            better = self.bench.recover(
                changes.recover, place=self.work / "recovery", sparse=sparse, progress=self.progress
            )
            rejected = "" if better else ", which made it no better and was thrown away"
            self.notes.append(f"trained {changes.recover} epochs more{rejected}")
        if sparse is not None:
            sparse.release()

    def _quantise(self, exported: Exported, how: Int8) -> None:
        """Put a model of 8 bits in the place of the exported one."""
        self.tell(f"quantising ({how})")
        whole = self.work / "whole.onnx"
        exported.path.rename(whole)
        calibration = [*self.bench.tensors("validation", CALIBRATED)]
        quantise(whole, exported.path, how, calibration=calibration)
        rows = self.bench.rows
        packed = rows.packed(rows.held_out(CALIBRATED), targets=False)
        apart = differences(
            deployable(self.bench.run),
            KINDS["onnx"].open(exported.path),
            rows.loader(packed, batch_size=TOGETHER),
        )
        told = replace(
            exported.description,
            sha256=digest(exported.path),
            parity=apart,
            notes=tuple(self.changes.words),
        )
        write_json(exported.directory / DESCRIPTION, told.to_json())

    def _some(self) -> dict[str, np.ndarray]:
        """What the exported network takes for 32 rows."""
        return next(self.bench.tensors("test", TOGETHER))

    def _trained(self, name: str, place: Path) -> Variant:
        file, outcomes = place / WEIGHTS, self.bench.judged()
        return Variant(name, "PyTorch", place, file, outcomes, self._some())

    def _exported(self, name: str, place: Path) -> Variant:
        outcomes = self.bench.judged_by(OnnxPredictor.load(place))
        file = place / KINDS["onnx"].file
        return Variant(name, "ONNX", place, file, outcomes, self._some())


def _count(run: Run) -> int:
    return sum(parameter.numel() for parameter in run.model.parameters())
