"""Training networks on one prepared data set: the whole one, its rivals, its candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from polymodal.balance_pilot import choose_balance
from polymodal.batch import ITEM
from polymodal.build import build_model
from polymodal.data.dataset import Dataset
from polymodal.data.item_loader import ItemLoader, alike_rows
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack
from polymodal.data.stream import Stream, StreamLoader
from polymodal.errors import RecipeError
from polymodal.evaluation import HIGHER_IS_BETTER, Outcome
from polymodal.evaluation.metrics import headline, headline_value
from polymodal.evaluation.prediction import Predicted, outcomes, predict_alone, predict_batches
from polymodal.frozen_features import FrozenFeatures
from polymodal.heads.embedding_head import EmbeddingHead
from polymodal.matching import compared
from polymodal.model import MultimodalModel
from polymodal.recipe import Recipe
from polymodal.train_options import TrainOptions
from polymodal.training import Checkpoints, Progress, TrainResult, Validation, train
from polymodal.training.distillation import Taught
from polymodal.training.source import Source


class Trainer:
    """Builds and trains networks on one prepared data set, whose cells are decoded once for all.

    Args:
        dataset: the table with its parts.
        pack: its decoded columns.
        modalities: column -> fitted modality.
        features: what frozen encoders make of the cells; None lets them run at each step.
        stream: where training batches come from, if not from the pack.
        seed: of the first weights, the order of the rows and all else that is random.
    """

    def __init__(
        self,
        dataset: Dataset,
        pack: Pack,
        modalities: Mapping[str, Modality],
        *,
        features: FrozenFeatures | None = None,
        stream: Stream | None = None,
        seed: int,
    ) -> None:
        self.dataset, self.pack, self.modalities = dataset, pack, modalities
        self.features, self.stream, self.seed = features, stream, seed
        self.lessons: dict[str, torch.Tensor] = {}
        """What a teacher says of each row of the table; see :class:`Taught`."""

    def build(self, recipe: Recipe, columns: Sequence[str] | None = None) -> MultimodalModel:
        """An untrained network; the same again for the same recipe, columns and seed.

        Args:
            recipe: which encoders, fusion and heads.
            columns: the only input columns it reads; None for all.
        """
        schema = self.dataset.schema
        for name in schema.inputs:
            if columns is not None and name not in columns:
                schema = schema.ignore(name, "hidden")
        torch.manual_seed(self.seed)
        return build_model(recipe, schema, self.modalities)

    def fit(
        self,
        model: MultimodalModel,
        options: TrainOptions,
        *,
        directory: Path,
        progress: Progress | None = None,
        resume: bool = False,
        until: int | None = None,
    ) -> TrainResult:
        """Train a network on the training part, and keep its best weights on the validation part.

        With ``balance: auto`` pilots come first (see :func:`choose_balance`). A network that reads
        one branch has nothing to balance.

        Args:
            model: reads any of the data set's inputs; trained in place.
            options: resolved (:meth:`TrainOptions.resolved`).
            directory: where ``checkpoints/`` and ``log/`` are written.
            progress: is told how it goes; None shows nothing.
            resume: go on from the last checkpoint of the directory.
            until: pause after this epoch; None trains to the end.

        Raises:
            Interrupted: Ctrl-C or SIGTERM came; everything is saved in ``directory``.
            PolymodalError: see :func:`polymodal.training.train`.
        """
        source: Source = self.source(model, options)
        if self.lessons:
            source = Taught(source, self.lessons)
        held_out = self._batches(model, "validation", model.rows_at_once, training=False)
        compares = self._compares(model)
        if compares and options.balance not in ("off", "auto"):
            raise RecipeError(
                f"train.balance = {options.balance!r} weighs what inputs say of a target; columns "
                "and identities are compared instead. Set train.balance=off."
            )
        if compares and options.mix != "off" and ITEM in model.targets:
            raise RecipeError(
                f"train.mix = {options.mix!r} mixes what rows answer; aligned columns answer "
                "nothing. Set train.mix=off."
            )
        if compares:
            options = options.model_copy(update={"balance": "off"})

        def fit(options: TrainOptions, place: Path, until: int | None, resume: bool) -> TrainResult:
            wanted = options.curves or options.balance == "gradient_blending"
            alone = wanted and len(model.branches) > 1 and not compares
            return train(
                model,
                source,
                options,
                seed=self.seed,
                directory=place,
                validate=lambda trained: self._validate(trained, held_out, alone=alone),
                progress=progress,
                resume=resume,
                until=until,
            )

        if options.balance == "auto" and len(model.branches) == 1:
            options = options.model_copy(update={"balance": "off"})
        if options.balance == "auto" and (resume or not Checkpoints(directory).last.exists()):
            options = choose_balance(
                model,
                options,
                directory=directory,
                fit=lambda tried, place, until: fit(tried, place, until, True),
                judge=lambda: self._outcomes(model, self._predicted(model, held_out)),
                seed=self.seed,
            )
            resume = True  # where the winner's pilot ended
        return fit(options, directory, until, resume)

    def source(
        self, model: MultimodalModel, options: TrainOptions
    ) -> Loader | StreamLoader | ItemLoader:
        """The training batches, with the columns that a model reads and every target.

        Args:
            model: reads any of the data set's inputs.
            options: resolved.
        """
        assert isinstance(options.batch_size, int), "resolve the options first"
        head = self._compares(model)
        if head is not None:
            return self._items(model, options.batch_size, together=head.together)
        if self.stream is not None:
            columns, size = self._columns(model), options.batch_size
            return self.stream.loader(columns, batch_size=size, seed=self.seed)
        return self._batches(model, "train", options.batch_size, training=True)

    def _batches(
        self, model: MultimodalModel, part: str, batch_size: int, *, training: bool
    ) -> Loader:
        return Loader(
            self._pack(model),
            self._columns(model),
            rows=self.dataset.rows(part),
            batch_size=batch_size,
            seed=self.seed,
            training=training,
        )

    def _items(
        self, model: MultimodalModel, batch_size: int, *, together: int | None
    ) -> ItemLoader:
        """Training batches of rows that are to be compared."""
        items = self.dataset.items
        assert items is not None
        aligns = ITEM in model.targets
        return ItemLoader(
            self._pack(model),
            self._columns(model),
            rows=self.dataset.rows("train"),
            items=items,
            batch_size=batch_size,
            together=together,
            seed=self.seed,
            alike=alike_rows(self.pack, model.columns, items) if aligns else None,
        )

    def _compares(self, model: MultimodalModel) -> EmbeddingHead | None:
        """The head whose vectors are compared; None where a target is predicted."""
        heads = (model.head(target) for target in model.targets)
        return next((head for head in heads if isinstance(head, EmbeddingHead)), None)

    def _pack(self, model: MultimodalModel) -> Pack:
        return self.pack if self.features is None else self.features.pack_for(model)

    def _columns(self, model: MultimodalModel) -> Columns:
        """What a model reads, and every target."""
        names = [name for columns in model.columns.values() for name in columns]
        return Columns(
            {name: self.modalities[name] for name in names},
            {name: self.modalities[name] for name in self.dataset.schema.targets},
        )

    def _validate(self, model: MultimodalModel, batches: Loader, *, alone: bool) -> Validation:
        if self._compares(model) is not None:
            return compared(model, batches, self.dataset, self.pack)
        if not alone:
            return self._judged(model, self._predicted(model, batches))
        device = next(model.parameters()).device
        together, each = predict_alone(model, batches, device=device)
        curves = {branch: self._judged(model, said) for branch, said in each.items()}
        return replace(self._judged(model, together), alone=curves)

    def _predicted(self, model: MultimodalModel, batches: Loader) -> Predicted:
        return predict_batches(model, batches, device=next(model.parameters()).device)

    def _outcomes(self, model: MultimodalModel, said: Predicted) -> dict[str, Outcome]:
        return outcomes(
            model, said.predictions, said.rows, self.pack, self.modalities, table=self.dataset.table
        )

    def _judged(self, model: MultimodalModel, said: Predicted) -> Validation:
        """The score of what a network said: its loss, and the mean of its headline metrics."""
        found = self._outcomes(model, said)
        scores = {name: headline_value(outcome) for name, outcome in found.items()}
        named = [headline(outcome) for outcome in found.values()]
        # Every headline metric is better when higher, so their mean ranks several targets.
        assert all(HIGHER_IS_BETTER[metric] for metric in named)
        known = [score for score in scores.values() if not np.isnan(score)]
        metric = float(np.mean(known)) if known else float("nan")
        name = named[0] if len(named) == 1 else "mean score"
        extra = scores if len(scores) > 1 else {}
        return Validation(sum(said.losses.values()), metric, True, name, extra)
