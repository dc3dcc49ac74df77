"""The predictor: the object a user holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from polymodal.data.findings import Finding
from polymodal.data.loader import Columns, Loader
from polymodal.data.pack import Pack, pack
from polymodal.data.schema import PARTS
from polymodal.data.table import Table, columns_named
from polymodal.errors import TableError, nearest
from polymodal.evaluation import Evaluation, evaluate
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.prediction import (
    Answers,
    answers,
    explained,
    outcomes,
    predict_batches,
)
from polymodal.run_directory import Run, load_run, save_run

if TYPE_CHECKING:
    from pandas import DataFrame

CHUNK = 4096
BATCH = 256
log = logging.getLogger("polymodal")


class Predictor:
    """A trained model with all it needs to answer for new rows.

    Made by :func:`polymodal.fit` or :meth:`load`.

    Args:
        run: recipe, schema, modalities, network and metrics.
        directory: where the run was saved; None if it was not.
    """

    def __init__(self, run: Run, directory: Path | None = None) -> None:
        self.run, self.directory = run, directory
        accelerator = torch.accelerator.current_accelerator()
        available = accelerator is not None and torch.accelerator.is_available()
        self.device = torch.device(accelerator if available and accelerator else "cpu")
        run.model.to(self.device).eval()

    @property
    def inputs(self) -> list[str]:
        """The input columns."""
        return self.run.schema.inputs

    @property
    def targets(self) -> list[str]:
        """The target columns."""
        return self.run.schema.targets

    @property
    def metrics(self) -> dict[str, Any]:
        """What was measured at the end of training, as ``metrics.json`` holds it."""
        return self.run.metrics

    def predict(
        self,
        data: Any,
        *,
        proba: bool = False,
        missing: bool = False,
        broken: Literal["treat_as_missing", "error"] = "treat_as_missing",
    ) -> DataFrame:
        """Answer every row, in the order of the rows.

        Args:
            data: a table as :meth:`Table.read` takes it. Cells may be paths, bytes, pictures,
                arrays, or missing. Columns are found by name; others are ignored.
            proba: add a column ``target=class`` with the probability of each class or tag.
            missing: add a column ``_missing``: which inputs of the row were treated as missing.
            broken: what to do with a cell that cannot be used.

        Returns:
            A column for each target. ``attrs["missing"]`` counts the missing cells of each input.

        Raises:
            TableError: an input column is not in the table.
            SchemaError: a cell is broken, and ``broken`` is "error".
        """
        import pandas

        columns: dict[str, list[Any]] = {}
        absent: list[list[str]] = []
        table = self._read(data)
        for packed, rows, said in self._chunks(table, broken):
            found = answers(self.run.model, said)
            for name, values in self._columns(found, proba).items():
                # Not by an array: NumPy would take lists of tags for a matrix.
                ordered = dict(zip(rows.tolist(), values, strict=True))
                columns.setdefault(name, []).extend(ordered[row] for row in range(len(rows)))
            absent += packed.missing(self.inputs)
        frame = pandas.DataFrame({name: pandas.Series(cells) for name, cells in columns.items()})
        for name in frame.columns:
            if proba and name not in self.targets:
                frame[name] = frame[name].astype("float64")
        if missing:
            frame["_missing"] = absent
        frame.attrs["missing"] = {n: sum(n in row for row in absent) for n in self.inputs}
        return frame

    def evaluate(self, data: Any, *, split: str | None = None) -> Evaluation:
        """Compare the answers with the truth.

        Args:
            data: a table with the input and the target columns.
            split: "train", "validation" or "test": only the rows that the table's split column
                puts there.

        Raises:
            TableError: a column is not in the table, or no row is left.
        """
        found = self.outcomes(data, split=split)
        resamples, seed = self.run.recipe.evaluation.resamples, self.run.recipe.seed
        scores = {n: evaluate(o, resamples=resamples, seed=seed) for n, o in found.items()}
        return Evaluation(scores, rows=max(len(outcome) for outcome in found.values()))

    def outcomes(self, data: Any, *, split: str | None = None) -> dict[str, Outcome]:
        """Answers beside the truth, for each target; see :meth:`evaluate`."""
        table = self._read(data, targets=True)
        if split is not None:
            table = table.take(self._part(table, split))
        modalities = {n: self.run.modalities[n] for n in [*self.inputs, *self.targets]}
        packed = pack(table, modalities, workers=os.cpu_count() or 1)
        _tell(explained(packed.findings, self.targets))
        loader = Loader(packed, self._sources(), rows=np.arange(len(table)), batch_size=BATCH)
        rows, said, _ = predict_batches(self.run.model, loader, device=self.device)
        found = outcomes(self.run.model, said, rows, packed, self.run.modalities)
        if not found:
            raise TableError(f"No row of {table.source} has a target to compare with.")
        return found

    def embed(self, data: Any) -> np.ndarray:
        """Each row as one vector ``(rows, width)`` float32: what the fusion makes of it."""
        table = self._read(data)
        found = np.empty((len(table), self.run.model.fusion.width), np.float32)
        for start in range(0, len(table), CHUNK):
            packed = self._pack(table, start, "treat_as_missing")
            for batch in self._loader(packed):
                with torch.inference_mode():
                    vectors = self.run.model.fuse(batch.to(self.device)).vector
                found[start + batch.rows.numpy()] = vectors.float().cpu().numpy()
        return found

    def save(self, directory: Path | str) -> None:
        """Write the model into a run directory."""
        self.directory = Path(directory)
        save_run(self.directory, self.run)

    @classmethod
    def load(cls, directory: Path | str) -> Predictor:
        """Read a model from a run directory; no code of the directory is executed.

        Raises:
            RunError: it is not a run, is unfinished, from a newer version, truncated or altered.
        """
        return cls(load_run(Path(directory)), Path(directory))

    def _sources(self) -> Columns:
        return Columns({name: self.run.modalities[name] for name in self.inputs}, {})

    def _read(self, data: Any, *, targets: bool = False) -> Table:
        table = Table.read(data)
        if not len(table):
            raise TableError(f"{table.source} has no rows.")
        sources = {n: s for n, s in self.run.schema.sources.items() if n in self.inputs}
        here = set(table.names)
        table = table.with_views({n: s for n, s in sources.items() if here >= {*columns_named(s)}})
        wanted = [*self.inputs, *(self.targets if targets else ())]
        lacking = [name for name in wanted if name not in table.names]
        known = {column.name for column in self.run.schema.columns}
        unknown = [name for name in table.names if name not in known]
        if lacking and (targets or unknown or not isinstance(data, list)):
            parts = columns_named(sources.get(lacking[0], lacking[0]))
            first = next(name for name in parts if name not in table.names)
            raise TableError(
                f"{table.source} has no column {first!r}, which the model reads. "
                f"{nearest(first, table.names)} Rename it; or, if it is not known for these "
                "rows, add it empty."
            )
        empty = {name: [None] * len(table) for name in lacking}
        columns = {name: table.columns[name] for name in table.names if name not in empty}
        return Table(columns | empty, folder=table.folder, source=table.source)

    def _part(self, table: Table, split: str) -> np.ndarray:
        names = self.run.schema.named("split")
        if split not in set(PARTS.values()):
            raise TableError(f"There is no part {split!r}: use train, validation or test.")
        if not names:
            raise TableError(
                "The model was trained without a split column, so its parts are not in the table."
            )
        parts = [PARTS.get(str(cell).strip().lower()) for cell in table.cells(names[0])]
        rows = np.flatnonzero(np.array(parts) == split)
        if not len(rows):
            raise TableError(f"No row of {table.source} has {names[0]!r} = {split!r}.")
        return rows

    def _pack(self, table: Table, start: int, broken: Literal["treat_as_missing", "error"]) -> Pack:
        packed = pack(
            table.slice(start, start + CHUNK),
            self._sources().inputs,
            broken=broken,
            workers=os.cpu_count() or 1,
            first_row=start,
        )
        _tell(packed.findings, start)
        return packed

    def _loader(self, packed: Pack) -> Loader:
        rows = np.arange(packed.rows)
        return Loader(packed, self._sources(), rows=rows, batch_size=BATCH)

    def _chunks(
        self, table: Table, broken: Literal["treat_as_missing", "error"]
    ) -> Iterator[tuple[Pack, np.ndarray, dict[str, torch.Tensor]]]:
        for start in range(0, len(table), CHUNK):
            packed = self._pack(table, start, broken)
            rows, said, _ = predict_batches(
                self.run.model, self._loader(packed), device=self.device
            )
            yield packed, rows, said

    def _columns(self, found: dict[str, Answers], proba: bool) -> dict[str, list[Any]]:
        columns: dict[str, list[Any]] = {}
        for name, said in found.items():
            modality = self.run.modalities[name]
            columns[name] = modality.restore(said.answer)
            if proba and said.probabilities is not None:
                for label, share in zip(modality.labels, said.probabilities.T, strict=True):  # type: ignore[attr-defined]
                    columns[f"{name}={label}"] = share.tolist()
        return columns


def _tell(findings: Sequence[Finding], start: int = 0) -> None:
    for finding in findings:
        if finding.severity == "error":
            rows = ", ".join(str(start + row) for row in finding.rows[:3])
            log.warning(
                "column %r, %d rows (%s%s): %s; %s",
                finding.column, finding.count, rows, ", …" if finding.count > 3 else "",
                finding.what, finding.remedy,
            )  # fmt: skip
