"""A model that answers rows, run by ONNX Runtime alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from polymodal.data.media import without_remarks
from polymodal.errors import MissingExtra, RunError, TableError
from polymodal.onnx_runner.description import DESCRIPTION, Description
from polymodal.onnx_runner.tensors import Broken, InputColumn

FOLDER = "onnx"
BATCH = 32
log = logging.getLogger("polymodal")


class Output(NamedTuple):
    """What a network said about one target of B rows.

    Args:
        answer: ``(B,)`` class numbers or values, or ``(B, L)`` bool.
        probabilities: ``(B, C)`` or ``(B, L)``; None where the target has none.
    """

    answer: np.ndarray
    probabilities: np.ndarray | None


class OnnxPredictor:
    """What ``polymodal export RUN --to onnx`` wrote, ready to answer.

    It needs NumPy, ONNX Runtime and what reads the cells (Pillow, soundfile, tokenizers), and
    loads neither PyTorch nor pandas nor Arrow.

    Args:
        description: of the model.
        path: the model file.
        threads: threads of one answer; 0 lets ONNX Runtime take every core.

    Raises:
        MissingExtra: ONNX Runtime is not installed.
        RunError: ONNX Runtime cannot read the file.

    Example:
        >>> from polymodal.onnx_runner import OnnxPredictor
        >>> model = OnnxPredictor.load("runs/mine")  # doctest: +SKIP
        >>> model.predict([{"photo": "a.jpg", "question": "What is it?"}])  # doctest: +SKIP
        [{'answer': 'a cat'}]
    """

    def __init__(self, description: Description, path: Path, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", "onnx") from error
        self.description = description
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's own errors have no public base but this
            raise RunError(f"ONNX Runtime cannot run {str(path)!r}: {error}") from error
        self._columns = [InputColumn(column) for column in description.inputs]
        self._targets = {column.name: column.built() for column in description.targets}

    @classmethod
    def load(cls, directory: Path | str, *, threads: int = 0) -> OnnxPredictor:
        """Read an exported model; no code of the directory is executed.

        Args:
            directory: what ``export`` wrote (``RUN/onnx``), or the run it is in.
            threads: threads of one answer; 0 lets ONNX Runtime take every core.

        Raises:
            RunError: there is no exported model, or it is incomplete or altered.
        """
        place = Path(directory)
        if not (place / DESCRIPTION).exists() and (place / FOLDER / DESCRIPTION).exists():
            place = place / FOLDER
        description = Description.read(place)
        return cls(description, place / description.file, threads=threads)

    @property
    def inputs(self) -> list[str]:
        """The input columns."""
        return [column.name for column in self._columns]

    @property
    def targets(self) -> list[str]:
        """The target columns."""
        return list(self._targets)

    def predict(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        proba: bool = False,
        missing: bool = False,
        broken: Broken = "treat_as_missing",
        folder: Path | str = ".",
        batch_size: int = BATCH,
    ) -> list[dict[str, Any]]:
        """Answer every row, in the order of the rows.

        Args:
            rows: column -> cell. Cells may be paths, bytes, pictures, arrays, or missing: None,
                empty, or not there at all.
            proba: add ``target=class``, the probability of each class or tag.
            missing: add ``_missing``: which inputs of the row were treated as missing.
            broken: what to do with a cell that cannot be used.
            folder: where relative paths start.
            batch_size: rows that are computed together.

        Returns:
            For each row, target -> answer.

        Raises:
            TableError: an input is in no row, and something like it is.
            SchemaError: a cell is broken, and ``broken`` is "error".
        """
        listed = rows if isinstance(rows, Sequence) else list(rows)
        if any(not isinstance(row, Mapping) for row in listed):
            raise TableError("Rows are a list of dictionaries, column -> cell.")
        for column in self._columns:
            column.check_known(listed)
        answers: list[dict[str, Any]] = []
        for start in range(0, len(listed), batch_size):
            some = listed[start : start + batch_size]
            cells = self.decode(some, broken=broken, folder=folder, first_row=start)
            found = self._for_people(self.compute(cells), proba=proba)
            for row, answer in enumerate(found):
                absent = [name for name in self.inputs if cells[name][row] is None]
                answers.append(answer | ({"_missing": absent} if missing else {}))
        return answers

    def decode(
        self,
        rows: Sequence[Mapping[str, Any]],
        *,
        broken: Broken = "treat_as_missing",
        folder: Path | str = ".",
        first_row: int = 0,
    ) -> dict[str, list[np.ndarray | None]]:
        """The decoded cells of each input column; None where a row has none.

        Args:
            rows: column -> cell.
            broken: what to do with a cell that cannot be used.
            folder: where relative paths start.
            first_row: number of the first row, for messages.

        Raises:
            SchemaError: a cell is broken, and ``broken`` is "error".
        """
        place, found = Path(folder).absolute(), {}
        with without_remarks():
            for column in self._columns:
                cells = column.decode(rows, folder=place, broken=broken, first=first_row)
                for row, reason in cells.broken.items():
                    log.warning(
                        "column %r, row %d: %s; treated as missing",
                        column.name, first_row + row, reason,
                    )  # fmt: skip
                found[column.name] = cells.arrays
        return found

    def compute(self, cells: Mapping[str, Sequence[np.ndarray | None]]) -> dict[str, Output]:
        """Each target's answers, for rows whose cells are decoded.

        Args:
            cells: input column -> for each row the decoded cell, or None.
        """
        tensors: dict[str, np.ndarray] = {}
        for column in self._columns:
            tensors |= column.tensors(cells[column.name])
        return self.run(tensors)

    def run(self, tensors: Mapping[str, np.ndarray]) -> dict[str, Output]:
        """Each target's answers, for the network's tensors by their names."""
        targets = self.description.targets
        names = [t.name for column in targets for t in column.tensors.values()]
        found = dict(zip(names, self._session.run(names, dict(tensors)), strict=True))
        outputs = {}
        for column in targets:
            shares = column.tensors.get("probabilities")
            outputs[column.name] = Output(
                found[column.tensors["answer"].name], None if shares is None else found[shares.name]
            )
        return outputs

    def _for_people(self, outputs: Mapping[str, Output], *, proba: bool) -> list[dict[str, Any]]:
        """What the network's outputs mean, row by row."""
        columns: dict[str, list[Any]] = {}
        for column in self.description.targets:
            said = outputs[column.name]
            columns[column.name] = self._targets[column.name].restore(said.answer)
            if proba and said.probabilities is not None:
                names = [f"{column.name}={label}" for label in column.labels]
                shares = said.probabilities.T.astype(float).tolist()
                columns |= dict(zip(names, shares, strict=True))
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
