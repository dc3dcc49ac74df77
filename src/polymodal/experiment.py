"""From a table to a measured, saved model: every stage of a training run, in order."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from polymodal.assessment import Assessment, Assessor, Train
from polymodal.build import effective
from polymodal.checks import Subject, check
from polymodal.cost import PartCost, costs
from polymodal.countdown import Countdown
from polymodal.data.dataset import Dataset
from polymodal.data.kept_packs import kept_packs
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Passages, Text
from polymodal.data.pack import Pack, pack
from polymodal.data.schema import ColumnSchema
from polymodal.data.shards import Shards
from polymodal.data.stream import Stream
from polymodal.data.table import Table
from polymodal.errors import PolymodalError, RecipeError
from polymodal.evaluation import Report, SchemaRow, write_report
from polymodal.evaluation.prediction import explained
from polymodal.files import write_file
from polymodal.frozen_features import FrozenFeatures
from polymodal.model import MultimodalModel
from polymodal.predictor import Predictor
from polymodal.preparation import dataset_of, learned
from polymodal.recipe import Recipe
from polymodal.run_directory import (
    ENVIRONMENT,
    PACK,
    RECIPE,
    REPORT,
    Run,
    check_directory,
    environment,
    save_run,
    write_json,
)
from polymodal.train_options import TrainOptions, contrastive_batch_size
from polymodal.trainer import Trainer
from polymodal.training import (
    Interrupted,
    Progress,
    SilentProgress,
    TrainResult,
    reuse_memory,
)

ROWS_COUNTED = 8
Tell = Callable[[str], None]


class Experiment:
    """One training run; call its stages in order, or :func:`fit` for all of them.

    Args:
        data: a table as :meth:`Table.read` takes it; None takes the recipe's.
        recipe: what differs from the defaults.
        out: the run directory; None keeps nothing on disk.
        validation: a table of its own for validation.
        test: a table of its own for the test.
        resume: continue the training that ``out`` holds.
        overwrite: replace the run that ``out`` holds, as soon as the new one begins to train.
        progress: is told how the training goes.
        tell: is told what is being done, a line at a time.

    Raises:
        RunError: ``out`` holds something already, or nothing that can be resumed.
    """

    def __init__(
        self,
        data: Any,
        recipe: Recipe,
        *,
        out: Path | None = None,
        validation: Any = None,
        test: Any = None,
        resume: bool = False,
        overwrite: bool = False,
        progress: Progress | None = None,
        tell: Tell = lambda line: None,
    ) -> None:
        self.recipe, self.resume = recipe, resume
        self.progress, self.tell = progress or SilentProgress(), tell
        self.seconds: dict[str, float] = {}
        self._discard: Callable[[], object] | None = None
        if out is None:
            out = Path(tempfile.mkdtemp(prefix="polymodal-"))
            self._discard = weakref.finalize(self, shutil.rmtree, out, ignore_errors=True)
        else:
            check_directory(out, resume=resume, overwrite=overwrite)
        self.directory, self.overwrite = out, overwrite
        self.stream: Stream | None = None
        # The recipe is kept in the run directory, from where a relative path would mislead.
        given = {"table": data, "validation_table": validation, "test_table": test}
        places = {name: place for name, it in given.items() if (place := _absolute(it)) is not None}
        targets = [n for n, c in recipe.columns.items() if c.role == "target"]
        targets = list(dict.fromkeys([*recipe.targets, *targets]))
        self.recipe = recipe.model_copy(update={**places, "targets": targets})
        self._data = data if data is not None else recipe.table
        if self._data is None:
            raise RecipeError("No table: give one, or name it in the recipe (table: …).")
        self._given = {
            "validation": validation if validation is not None else recipe.validation_table,
            "test": test if test is not None else recipe.test_table,
        }

    def prepare(self) -> Dataset:
        """Read the table, infer the schema, split."""
        recipe = self.recipe
        if recipe.data.stream and recipe.objective.name != "predict":
            raise RecipeError(
                f"objective = {recipe.objective.name!r} compares rows of one batch, which a stream "
                "hands out in its own order. Set data.stream=false."
            )
        if not recipe.targets and recipe.objective.name != "align":
            raise RecipeError("No target: name the column to predict (targets: [NAME]).")
        with self._timed("reading the table"):
            table = self._sample() if recipe.data.stream else Table.read(self._data)
            given = {k: Table.read(v) for k, v in self._given.items() if v is not None}
            self.dataset = dataset_of(recipe, table, recipe.targets, given=given)
        if self.stream is not None:
            parts = self.dataset.parts[: len(table)]
            self.stream.hold_out(np.flatnonzero(parts != "train"))
            self.dataset.findings.append(self.stream.finding())
        if not len(self.dataset.rows("test")):
            raise RecipeError(
                "The test part is empty: there is nothing to measure on. Set split.test above 0, "
                "or give a test table."
            )
        return self.dataset

    def build(self) -> MultimodalModel:
        """Learn vocabularies and statistics, decode every cell, build the network."""
        dataset = self.dataset
        rows = dataset.rows("train")
        with self._timed("learning the modalities"):
            self.modalities = learned(self.recipe, dataset)
        options = self._train_options(rows)
        recipe = effective(self.recipe, dataset.schema, self.modalities)
        self.recipe = recipe.model_copy(update={"train": options})
        if self.overwrite:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        # A resumed run keeps its recipe: options that do not fit it are refused further on.
        if not (self.resume and (self.directory / RECIPE).exists()):
            write_file(self.directory / RECIPE, self.recipe.to_yaml(comments=True))
        with self._timed("decoding the cells"):
            self.tell(f"decoding {len(dataset.table):,} rows")
            cells = len(dataset.table) * len(self.modalities)
            countdown = Countdown("decoding", cells, of="cells", tell=self.tell)
            self.pack: Pack = pack(
                dataset.table,
                self.modalities,
                directory=kept_packs(
                    dataset.table.folder,
                    private=self.directory / PACK,
                    most_bytes=self.recipe.data.keep_packs_gb * 1e9,
                    keep=self.recipe.data.keep_packs,
                    tell=self.tell,
                ),
                broken=self.recipe.data.broken,
                workers=self._workers,
                advance=countdown.advance,
            )
            found = explained(self.pack.findings, dataset.schema.targets)
            # Identities that training has not seen are what verification is measured on.
            meant = dataset.schema.targets if dataset.items is not None else ()
            dataset.findings += [finding for finding in found if finding.column not in meant]
        self.features = None
        if self.recipe.data.keep_features and self.stream is None:
            self.features = FrozenFeatures(
                self.pack, self.modalities, directory=self.directory / PACK, tell=self.tell
            )
        if self.stream is not None:
            self.stream.views = dataset.schema.sources
        self.trainer = Trainer(
            dataset,
            self.pack,
            self.modalities,
            features=self.features,
            stream=self.stream,
            seed=self.recipe.seed,
        )
        self.model = self.trainer.build(self.recipe)
        if self.features is not None and self.features.columns(self.model):
            reuse_memory()
            with self._timed("running frozen encoders"):
                self.features.pack_for(self.model)
        return self.model

    def train(self) -> TrainResult:
        """Train the network."""
        with self._timed("training"):
            self.result = self._train(
                self.model,
                self.directory,
                self.progress,
                options=self.recipe.train,
                resume=self.resume,
            )
        if self.stream is not None:
            self.dataset.findings += self.stream.broken_cells()
        return self.result

    def assess(self, train: Train | None = None) -> Assessment:
        """Measure it on the test part, beside baselines.

        Args:
            train: gives a network trained on some of the inputs alone; None trains one.
        """
        assessor = Assessor(
            self.dataset,
            self.pack,
            self.modalities,
            recipe=self.recipe,
            features=self.features,
        )
        threads = torch.get_num_threads()
        torch.set_num_threads(int(self.result.choices.threads.name))
        try:
            with self._timed("measuring"):
                self.assessment = assessor.assess(
                    self.model, train=train or self._train_alone, tell=self.tell
                )
        finally:
            torch.set_num_threads(threads)
        return self.assessment

    def save(self) -> Predictor:
        """Check the data, write the run directory with its report, hand the predictor out."""
        with self._timed("checking the data"):
            subject = Subject.of(self.dataset, self.modalities, self.pack, seed=self.recipe.seed)
            self.dataset.findings = check(subject, self.dataset.findings, labels=False)
        metrics = self.assessment.to_dict() | {
            "training": {
                "ended": self.result.ended,
                "steps": self.result.steps,
                "epochs": self.result.epochs,
                "best_epoch": self.result.best_epoch,
                "seconds": self.result.seconds,
                "balance": asdict(self.result.choices.balance),
            },
            "seconds": self.seconds,
            "findings": [finding.to_dict() for finding in self.dataset.findings],
        }
        run = Run(self.recipe, self.dataset.schema, self.modalities, self.model, metrics)
        if self._discard is not None:
            self._discard()
            return Predictor(run)
        write_json(self.directory / ENVIRONMENT, environment())
        language = self.recipe.evaluation.language
        write_report(self.directory / REPORT, self.report(), language=language)
        save_run(self.directory, run)
        shutil.rmtree(self.directory / PACK, ignore_errors=True)
        return Predictor(run, self.directory)

    @property
    def title(self) -> str:
        """What is learned from what, in a few words."""
        name = self._data if isinstance(self._data, str | Path) else "table"
        schema = self.dataset.schema
        return f"{Path(str(name)).stem}: {', '.join(schema.targets) or ' ↔ '.join(schema.inputs)}"

    def report(self) -> Report:
        """What the report tells."""
        found, schema = self.assessment, self.dataset.schema
        language = self.recipe.evaluation.language
        parts = ("train", "validation", "test")
        return Report(
            title=self.title,
            created=datetime.now().strftime("%Y-%m-%d %H:%M"),
            evaluation=found.evaluation,
            outcomes=list(found.outcomes.values()),
            rows={part: len(self.dataset.rows(part)) for part in parts},
            seconds=self.seconds,
            command=f"polymodal train {self.directory / RECIPE}",
            baselines=found.baselines,
            verdicts=found.verdicts,
            subsets=found.subsets,
            history=self.result.history,
            balance=self.result.choices.balance.name,
            schema=[self._schema_row(column) for column in schema.columns],
            findings=self.dataset.findings,
            recipe=self.recipe.to_yaml(comments=True),
            environment=environment() | {"computed with": str(self.result.choices)},
            model=self.costs(),
            examples=found.examples,
            sections=[] if found.matched is None else found.matched.sections(language),
        )

    def costs(self) -> list[PartCost]:
        """What each part of the network costs, on some rows of the training part."""
        rows = self.dataset.rows("train")
        schema = self.dataset.schema
        texts = {
            n: m for n in schema.targets if isinstance(m := self.modalities[n], Text | Passages)
        }
        columns = Columns({name: self.modalities[name] for name in schema.inputs}, texts)
        some = rows[:: -(-len(rows) // ROWS_COUNTED)]
        return costs(self.model, Loader(self.pack, columns, rows=some, batch_size=1))

    def _train_options(self, rows: np.ndarray) -> TrainOptions:
        """The options with all numbers; rows that are to be compared want large batches."""
        options, items = self.recipe.train, self.dataset.items
        if self.recipe.objective.name != "align" or items is None:
            return options.resolved(len(self.stream or rows))
        count = len(rows)
        if self.recipe.objective.options.get("captions", "one") == "one":
            count = len(np.unique(items[rows]))
        if options.batch_size == "auto":
            size = contrastive_batch_size(count)
            options = options.model_copy(update={"batch_size": size})
        return options.resolved(count)

    @property
    def _workers(self) -> int:
        """Threads that decode."""
        workers = self.recipe.data.workers
        return (os.cpu_count() or 1) if workers == "auto" else workers

    def _sample(self) -> Table:
        """The rows of a stream from which all is learned but the network."""
        options = self.recipe.data
        place = _absolute(self._data)
        if place is None:
            raise RecipeError("data.stream reads files: give their path, glob, folder or address.")
        process = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        shards = Shards(place)
        table, numbers = shards.sample(options.stream_sample)
        self.stream = Stream(
            shards,
            sample=numbers,
            shuffle=options.stream_shuffle,
            workers=self._workers,
            process=process,
        )
        return table

    def _schema_row(self, column: ColumnSchema) -> SchemaRow:
        part = self.recipe.column(column.name)
        network = part.encoder or part.head
        return SchemaRow(
            column.name,
            column.modality,
            column.role,
            network.name if network else "",
            column.present,
            column.missing,
            column.distinct,
            column.reason,
        )

    def _train(
        self,
        model: MultimodalModel,
        directory: Path,
        progress: Progress,
        *,
        options: TrainOptions,
        resume: bool = False,
    ) -> TrainResult:
        try:
            return self.trainer.fit(
                model, options, directory=directory, progress=progress, resume=resume
            )
        except Interrupted as error:
            if self._discard is not None:
                raise PolymodalError(
                    f"Training was interrupted after step {error.step}. Nothing was kept, because "
                    "no directory was given: with out=… it could be resumed."
                ) from error
            # Where a baseline was being trained, what can be resumed is the whole.
            raise Interrupted(self.directory, error.step) from error

    def _train_alone(self, columns: Sequence[str]) -> MultimodalModel:
        """A network that reads these columns only, trained like the whole one."""
        model = self.trainer.build(self.recipe, columns)
        with tempfile.TemporaryDirectory(prefix="polymodal-") as directory:
            self._train(model, Path(directory), SilentProgress(), options=self._options_alone())
        return model

    def _options_alone(self) -> TrainOptions:
        """The whole network's options, with what was measured for it, and less patience."""
        options, choices = self.recipe.train, self.result.choices
        return options.model_copy(
            update={
                "patience": patience_alone(options),
                "precision": choices.precision.name,
                "threads": int(choices.threads.name),
                "tensorboard": False,
            }
        )

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.perf_counter() - start, 3)


def fit(
    data: Any = None,
    target: str | Sequence[str] | None = None,
    *,
    inputs: Sequence[str] | None = None,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    validation: Any = None,
    test: Any = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Predictor:
    """Train a model on a table, measure it, and save it.

    Args:
        data: path, glob or folder, data frame, Arrow table, list of dictionaries, or anything
            with ``__arrow_c_stream__``; None takes the recipe's table.
        target: the column or columns to predict.
        inputs: the only columns to predict from; None takes all that can be used.
        recipe: what differs from the defaults: a dictionary, the path of a YAML file, or a
            :class:`Recipe`.
        validation: a table of its own for validation.
        test: a table of its own for the test.
        out: the run directory; None keeps nothing on disk.
        resume: continue the training that ``out`` holds.
        overwrite: replace what ``out`` holds.
        progress: is told how the training goes.

    Raises:
        PolymodalError: table, schema, recipe or directory do not allow it; the message says what
            to do.
    """
    experiment = Experiment(
        data,
        chosen_recipe(recipe, target, inputs),
        out=None if out is None else Path(out),
        validation=validation,
        test=test,
        resume=resume,
        overwrite=overwrite,
        progress=progress,
    )
    experiment.prepare()
    experiment.build()
    experiment.train()
    experiment.assess()
    return experiment.save()


def patience_alone(options: TrainOptions) -> int:
    """The patience of a network that reads one input, which is only there to compare with."""
    assert isinstance(options.epochs, int)
    return min(options.patience, max(5, options.epochs // 5))


def chosen_recipe(
    recipe: Recipe | Mapping[str, Any] | str | Path | None,
    target: str | Sequence[str] | None,
    inputs: Sequence[str] | None,
) -> Recipe:
    """The recipe with targets and inputs that were named beside it."""
    changes: dict[str, Any] = {}
    if target:
        changes["targets"] = [target] if isinstance(target, str) else list(target)
    if inputs is not None:
        changes["inputs"] = list(inputs)
    loaded = Recipe.load(recipe)
    return loaded.model_copy(update=changes) if changes else loaded


def _absolute(data: Any) -> str | list[str] | None:
    """The absolute path of a table, or paths; None for one that is in memory."""
    if isinstance(data, str | Path):
        return str(data) if "://" in str(data) else str(Path(data).absolute())
    if isinstance(data, list | tuple) and data and all(isinstance(d, str | Path) for d in data):
        return [str(_absolute(item)) for item in data]
    return None
