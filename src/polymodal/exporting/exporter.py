"""From a run to a model file with its description, checked on real rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.pack import Pack
from polymodal.errors import MissingExtra, nearest
from polymodal.exporting.deployable import LEAST_LENGTH, Deployable, ExportError, deployable
from polymodal.exporting.executorch_file import ExecutorchFile
from polymodal.exporting.model_file import ModelFile
from polymodal.exporting.onnx_file import OnnxFile
from polymodal.exporting.parity import check_parity, differences, varied
from polymodal.exporting.real_rows import RealRows
from polymodal.exporting.torch_file import TorchFile
from polymodal.files import write_file
from polymodal.onnx_runner.description import DESCRIPTION, Description, digest
from polymodal.run_directory import Run, load_run, write_json

KINDS: dict[str, ModelFile] = {
    kind.name: kind for kind in (OnnxFile(), ExecutorchFile(), TorchFile())
}
EXAMPLE_ROWS, CHECKED_ROWS, CHECKED_ONE_BY_ONE = 3, 128, 16
BATCH = 32


@dataclass(frozen=True)
class Exported:
    """What was written.

    Args:
        directory: holds the model file and its description.
        description: of the model.
        rows: real rows that the answers were compared on.
    """

    directory: Path
    description: Description
    rows: int

    @property
    def path(self) -> Path:
        """The model file."""
        return self.directory / self.description.file


def export_run(
    directory: Path | str,
    to: str = "onnx",
    *,
    data: Any = None,
    out: Path | str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a run.

    Args:
        directory: the run.
        to: "onnx", "executorch" or "torch".
        data: a table whose rows the answers are compared on; None reads the run's own again.
        out: where to write; None writes into the run, to a folder named like ``to``.
        tell: is told what is done.

    Raises:
        RunError: it is no run.
        ExportError: the model cannot be exported, or the file does not answer as the network
            does; what was there before is untouched.
        MissingExtra: a package for this kind of file is not installed.
    """
    if to not in KINDS:
        raise ExportError(f"There is no kind of file {to!r}. {nearest(to, KINDS)}")
    place = Path(directory)
    run = load_run(place)
    rows = RealRows.of(run, data)
    return export(run, KINDS[to], rows, out=place / to if out is None else Path(out), tell=tell)


def export(
    run: Run,
    kind: ModelFile,
    rows: RealRows,
    *,
    out: Path,
    notes: tuple[str, ...] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Export a run that is in memory; see :func:`export_run`.

    Args:
        run: what was trained.
        kind: of the file.
        rows: the rows to compare on.
        out: the folder to write to.
        notes: how the model was changed, for people.
        tell: is told what is done.
    """
    if not run.schema.targets:
        raise ExportError("The run has no target: there is no answer to export.")
    network = deployable(run)
    chosen = rows.held_out(CHECKED_ONE_BY_ONE if kind.fixed else CHECKED_ROWS)
    packed = rows.packed(chosen, targets=False)
    loader = rows.loader(packed, batch_size=BATCH)
    if kind.fixed:
        network.fix_lengths(_greatest_lengths(network, packed))
    some = np.arange(1 if kind.fixed else min(EXAMPLE_ROWS, packed.rows))
    example = network.tensors(loader.batch(some))
    out.mkdir(parents=True, exist_ok=True)
    worst: dict[str, float] = {}

    def fill(path: Path) -> None:
        tell(f"writing {kind.file}")
        _write(kind, network, example, path)
        tell(f"comparing answers on {packed.rows:,} rows")
        batches = [*loader, loader.batch(np.arange(1))]
        worst.update(differences(network, kind.open(path), varied(batches), one_by_one=kind.fixed))
        check_parity(worst)

    write_file(out / kind.file, fill)
    description = described(network, kind, out / kind.file, parity=worst, notes=notes)
    write_json(out / DESCRIPTION, description.to_json())
    return Exported(out, description, packed.rows)


def described(
    network: Deployable,
    kind: ModelFile,
    path: Path,
    *,
    parity: dict[str, float],
    notes: tuple[str, ...] = (),
) -> Description:
    """The description of a model file.

    Args:
        network: what was exported.
        kind: of the file.
        path: the file.
        parity: how far its answers are from the network's.
        notes: how the model was changed, for people.
    """
    inputs, targets = ([c.name for c in columns] for columns in (network.inputs, network.targets))
    return Description(
        file=path.name,
        sha256=digest(path),
        inputs=network.inputs,
        targets=network.targets,
        batch=1 if kind.fixed else None,
        title=f"{', '.join(inputs)} -> {', '.join(targets)}",
        versions={"polymodal": metadata.version("polymodal"), **kind.versions()},
        parity=parity,
        notes=notes,
    )


def _greatest_lengths(network: Deployable, packed: Pack) -> dict[str, int]:
    """Of each ragged column the greatest length that is there."""
    stores = {c.name: packed.stores[c.name] for c in network.inputs if "mask" in c.tensors}
    return {
        name: int(store.lengths(np.arange(store.distinct)).max(initial=LEAST_LENGTH))
        for name, store in stores.items()
    }


def _write(kind: ModelFile, network: Deployable, example: tuple[Any, ...], path: Path) -> None:
    try:
        kind.write(network, example, path)
    except (MissingExtra, OSError):
        raise
    except Exception as error:  # exporters raise errors of every kind
        reason = str(error.__cause__ or error).strip().splitlines()
        raise ExportError(
            f"This network cannot be exported to {kind.name}: {type(error).__name__}: "
            f"{reason[0][:300] if reason else ''}. Its parts: encoders "
            f"{[type(e).__name__ for e in network.model.encoders.values()]}, fusion "
            f"{type(network.model.fusion).__name__}. Try another kind of file, or another encoder."
        ) from error
