"""The predictor: the object a user holds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from polymodal.batch import ITEM
from polymodal.data.findings import Finding
from polymodal.data.items import ITEM_COLUMN, LISTS, unfolded
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Passages, Text
from polymodal.data.pack import Pack, pack
from polymodal.data.schema import PARTS
from polymodal.data.table import Table, columns_named
from polymodal.errors import PolymodalError, RunError, TableError, nearest
from polymodal.evaluation import Evaluation, evaluate
from polymodal.evaluation.embedding import (
    Kind,
    branch_of,
    embed_batches,
    kept_as,
    mean_of_each,
    normalised,
)
from polymodal.evaluation.identity_pairs import SameOrNot
from polymodal.evaluation.outcome import Outcome
from polymodal.evaluation.prediction import (
    Answers,
    Texts,
    answers,
    explained,
    outcomes,
    predict_batches,
)
from polymodal.evaluation.writing import decoding_with, several, stream
from polymodal.evaluation.zero_shot import label_shares, prompts
from polymodal.heads import TextHead
from polymodal.heads.alignment import Alignment
from polymodal.heads.generation import Decoding
from polymodal.run_directory import Run, load_run, save_run

if TYPE_CHECKING:
    from pandas import DataFrame

CHUNK = 4096
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
            proba: add a column ``target=class`` with the probability of each class or tag; of a
                text ``target=score``, the geometric mean of its tokens' probabilities.
            missing: add a column ``_missing``: which inputs of the row were treated as missing.
            broken: what to do with a cell that cannot be used.

        Returns:
            A column for each target. ``attrs["missing"]`` counts the missing cells of each input.

        Raises:
            TableError: an input column is not in the table.
            SchemaError: a cell is broken, and ``broken`` is "error".
        """
        import pandas

        if ITEM in self.run.model.targets:
            raise PolymodalError(
                "The model aligns columns, and predicts nothing: use embed, zero_shot, or an index "
                "made of its vectors."
            )
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

    def generate(
        self,
        row: Mapping[str, Any],
        target: str | None = None,
        *,
        stop: Sequence[str] = (),
        **options: float,
    ) -> Iterator[str]:
        """The text of one row, piece by piece as it is written.

        Args:
            row: input column -> cell.
            target: the text, where there are several.
            stop: the text ends before the first of these.
            options: how it is written, where that differs from the recipe: ``beams``,
                ``length_penalty``, ``temperature``, ``top_k``, ``top_p``, ``seed``.

        Raises:
            TableError: the target is no text.
            RecipeError: there is no such option.
        """
        name, modality, decoding = self._writer(target, options)
        batch = next(iter(self._loader(self._pack(self._read([row]), 0, "treat_as_missing"))))
        return stream(
            self.run.model, batch.to(self.device), name, modality, decoding=decoding, stop=stop
        )

    def candidates(
        self, data: Any, target: str | None = None, *, best: int = 5, **options: float
    ) -> list[list[tuple[str, float]]]:
        """Several texts of each row, the best first, each with its score (see :meth:`predict`).

        Args:
            data: a table as :meth:`Table.read` takes it.
            target: the text, where there are several.
            best: texts of each row, found by as many beams; or drawn, with a ``temperature``.
            options: as for :meth:`generate`.

        Raises:
            TableError: the target is no text.
            RecipeError: there is no such option.
        """
        name, modality, decoding = self._writer(target, options)
        table = self._read(data)
        found: list[list[tuple[str, float]]] = [[] for _ in range(len(table))]
        for start in range(0, len(table), CHUNK):
            for batch in self._loader(self._pack(table, start, "treat_as_missing")):
                rows, batch = batch.rows.tolist(), batch.to(self.device)
                said = several(self.run.model, batch, name, modality, best=best, decoding=decoding)
                for row, texts in zip(rows, said, strict=True):
                    found[start + row] = texts
        return found

    def _writer(
        self, target: str | None, options: Mapping[str, float]
    ) -> tuple[str, Text | Passages, Decoding]:
        """The text that is to be written, and how."""
        texts = [n for n in self.targets if isinstance(self.run.modalities[n], Text | Passages)]
        name = target if target is not None or len(texts) != 1 else texts[0]
        if name not in texts:
            what = f"{name!r} is no text that" if name else "There is no single text"
            raise TableError(f"{what} the model writes. {nearest(name or '', texts)}")
        modality, head = self.run.modalities[name], self.run.model.head(name)
        assert isinstance(modality, Text | Passages) and isinstance(head, TextHead)
        return name, modality, decoding_with(head, options)

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
        if self.aligned:
            raise PolymodalError(
                f"The model was trained with objective={self.run.recipe.objective.name}: its "
                "vectors are compared, and what that is worth is in its report and metrics.json."
            )
        table = self._read(data, targets=True)
        if split is not None:
            table = table.take(self._part(table, split))
        modalities = {n: self.run.modalities[n] for n in [*self.inputs, *self.targets]}
        packed = pack(table, modalities, workers=os.cpu_count() or 1)
        _tell(explained(packed.findings, self.targets))
        texts = {n: m for n in self.targets if isinstance(m := modalities[n], Text | Passages)}
        columns = replace(self._sources(), targets=texts)
        loader = Loader(
            packed, columns, rows=np.arange(len(table)), batch_size=self.run.model.rows_at_once
        )
        rows, said, _ = predict_batches(self.run.model, loader, device=self.device)
        found = outcomes(self.run.model, said, rows, packed, self.run.modalities, table=table)
        if not found:
            raise TableError(f"No row of {table.source} has a target to compare with.")
        return found

    @property
    def embeds(self) -> list[str]:
        """The input columns that :meth:`embed` can make vectors of, one by one."""
        model = self.run.model
        return [name for branch in model.encoded for name in model.columns[branch]]

    @property
    def aligned(self) -> bool:
        """Whether the vectors of all columns, and of whole rows, can be compared."""
        return self.run.model.aligned

    def embed(
        self,
        data: Any,
        column: str | None = None,
        *,
        normalise: bool = True,
        dims: int | None = None,
        kind: Kind = "float32",
    ) -> np.ndarray:
        """Each row as one vector ``(rows, width)``, in the order of the rows.

        Args:
            data: a table as :meth:`Table.read` takes it; for one column, it is all that the table
                must hold. Where columns are aligned, a cell may hold several captions of a
                picture, as in training: its vector is the mean of theirs.
            column: the vectors of this input column alone; None for the whole row.
            normalise: make each vector one of length 1, so that a dot product is a cosine.
            dims: only the first so many numbers (of a model that was trained with
                ``matryoshka``, these say the most).
            kind: how numbers are kept; see :func:`polymodal.evaluation.embedding.kept_as`.

        Returns:
            The vectors; zero where the row has no such cell, or one that cannot be read.

        Raises:
            TableError: a column is not in the table, or ``column`` is not among :attr:`embeds`.
            PolymodalError: there are fewer dimensions than ``dims``, or no such ``kind``.
            RunError: a pretrained head reads all columns by itself, and no encoder makes vectors.
        """
        if not self.embeds:
            raise RunError(
                "This model has no vectors: its pretrained head reads every column by itself. "
                "Embed with a model that has encoders, as one of --objective align has."
            )
        if column is not None and column not in self.embeds:
            raise TableError(f"The model reads no {column!r}. {nearest(column, self.embeds)}")
        model = self.run.model
        names = self.inputs if column is None else model.columns[branch_of(model, column)]
        wanted = names if column is None else [column]
        table, whose = self._one_by_one(data, wanted)
        table = self._read(table, inputs=wanted, all_of=names)
        parts = []
        for start in range(0, len(table), CHUNK):
            packed = self._pack(table, start, "treat_as_missing", names)
            loader = self._loader(packed, names)
            rows, vectors = embed_batches(model, loader, column, device=self.device)
            parts.append(vectors[np.argsort(rows)])
        found = np.concatenate(parts)
        if whose is not None:
            found = mean_of_each(found, whose)
        if dims is not None and not 1 <= dims <= found.shape[1]:
            raise PolymodalError(f"dims is {dims}; a vector has {found.shape[1]} numbers.")
        found = found[:, :dims]
        return kept_as(normalised(found) if normalise else found, kind)

    def zero_shot(
        self,
        data: Any,
        column: str,
        labels: Sequence[str],
        *,
        text_column: str,
        templates: str | Sequence[str] = "{}",
    ) -> DataFrame:
        """Name each cell by that label whose words are nearest; no class was trained for it.

        Args:
            data: a table that holds ``column``.
            column: the cells to be named, of a model trained with ``objective=align``.
            labels: what they may be called.
            text_column: the aligned text column, as which the labels are read.
            templates: what a label is put into ("a photo of a {}"); of several, the mean counts.

        Returns:
            A column ``label`` and one for each label with its probability; missing where the cell
            is.

        Raises:
            PolymodalError: the model aligns no columns, or labels or templates are not usable.
        """
        import pandas

        head = next(iter(self.run.model.heads.values()))
        if not isinstance(head, Alignment):
            raise PolymodalError(
                "Naming cells by words needs a model trained with objective=align; this one "
                f"was trained with objective={self.run.recipe.objective.name}."
            )
        asked = prompts(labels, templates)
        rows = [{text_column: text} for texts in asked for text in texts]
        words = self.embed(rows, text_column).reshape(len(labels), -1, head.width).mean(1)
        shares = label_shares(self.embed(data, column), normalised(words), scale=head.scale)
        known = ~np.isnan(shares[:, 0])
        best = np.where(known, np.nan_to_num(shares).argmax(1), -1)
        named = [labels[i] if i >= 0 else None for i in best]
        return pandas.DataFrame({"label": named, **dict(zip(labels, shares.T, strict=True))})

    def verify(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> SameOrNot:
        """Whether two rows are of the same identity.

        Args:
            first: input column -> cell; columns may be lacking.
            second: likewise.

        Raises:
            PolymodalError: the model was not trained with ``objective=verify``, or a row has
                nothing that it reads.
        """
        measured = self.metrics.get("verification")
        if measured is None:
            raise PolymodalError(
                "Comparing identities needs a model trained with objective=verify; this one was "
                f"trained with objective={self.run.recipe.objective.name}."
            )
        vectors = self.embed([dict(first), dict(second)])
        for row, vector in zip((first, second), vectors, strict=True):
            if not vector.any():
                raise PolymodalError(
                    f"{dict(row)} holds nothing that the model could read: it reads "
                    f"{', '.join(self.inputs)}."
                )
        score, threshold = float(vectors[0] @ vectors[1]), float(measured["threshold"])
        return SameOrNot(score >= threshold, score, threshold)

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

    def _one_by_one(self, data: Any, names: Sequence[str]) -> tuple[Any, np.ndarray | None]:
        """A row for each of several captions in a cell, as in training, and where it came from."""
        if ITEM not in self.run.model.targets:
            return data, None
        kept = [name for name in names if self.run.schema[name].modality in LISTS]
        table = Table.read(data)
        single = unfolded(table, names, kept=kept)
        if single is table:
            return data, None
        whose = np.array(single.cells(ITEM_COLUMN))
        lacking = [n for n in names if n not in single.names] if isinstance(data, list) else []
        empty = {name: [None] * len(single) for name in lacking}
        return Table(single.columns | empty, folder=single.folder, source=single.source), whose

    def _sources(self, names: Sequence[str] | None = None) -> Columns:
        chosen = self.inputs if names is None else names
        return Columns({name: self.run.modalities[name] for name in chosen}, {})

    def _read(
        self,
        data: Any,
        *,
        targets: bool = False,
        inputs: Sequence[str] | None = None,
        all_of: Sequence[str] = (),
    ) -> Table:
        """The table with every column that is read.

        Args:
            data: as a user gives it.
            targets: whether the targets must be there, too.
            inputs: the columns that must be there; None for all inputs.
            all_of: columns that are added empty where they are not there.
        """
        table = Table.read(data)
        if not len(table):
            raise TableError(f"{table.source} has no rows.")
        read = [*self.inputs, *(self.targets if targets else ())]
        sources = {n: s for n, s in self.run.schema.sources.items() if n in read}
        here = set(table.names)
        table = table.with_views({n: s for n, s in sources.items() if here >= {*columns_named(s)}})
        wanted = [*(self.inputs if inputs is None else inputs), *(self.targets if targets else ())]
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
        lacking += [n for n in all_of if n not in table.names and n not in lacking]
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

    def _pack(
        self,
        table: Table,
        start: int,
        broken: Literal["treat_as_missing", "error"],
        names: Sequence[str] | None = None,
    ) -> Pack:
        packed = pack(
            table.slice(start, start + CHUNK),
            self._sources(names).inputs,
            broken=broken,
            workers=os.cpu_count() or 1,
            first_row=start,
        )
        _tell(packed.findings, start)
        return packed

    def _loader(self, packed: Pack, names: Sequence[str] | None = None) -> Loader:
        rows = np.arange(packed.rows)
        return Loader(
            packed, self._sources(names), rows=rows, batch_size=self.run.model.rows_at_once
        )

    def _chunks(
        self, table: Table, broken: Literal["treat_as_missing", "error"]
    ) -> Iterator[tuple[Pack, np.ndarray, dict[str, torch.Tensor | Texts]]]:
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
            if proba and said.scores is not None:
                columns[f"{name}=score"] = said.scores.tolist()
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
