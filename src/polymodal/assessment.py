"""What a trained model is worth: scores beside baselines, ablation, mistakes, a verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polymodal.data.dataset import Dataset
from polymodal.data.findings import Finding
from polymodal.data.heatmap import spotlit
from polymodal.data.loader import Columns, Loader
from polymodal.data.media import Shown
from polymodal.data.modalities import Audio, Image, Modality, Passages, Text
from polymodal.data.pack import Pack
from polymodal.errors import CellError
from polymodal.evaluation import (
    Evaluation,
    Example,
    Outcome,
    Score,
    TargetScores,
    Verdict,
    boosted_trees,
    evaluate,
    mean,
    most_frequent,
    most_frequent_text,
    nearest_text,
    probe,
    verdict,
)
from polymodal.evaluation.ablation import subsets
from polymodal.evaluation.attended import attended, heard
from polymodal.evaluation.features import table_features
from polymodal.evaluation.hearing import Hearing
from polymodal.evaluation.prediction import outcomes, pooled_features, predict_batches
from polymodal.evaluation.text_scores import missing_packages
from polymodal.frozen_features import FrozenFeatures
from polymodal.matching import Matched, Matcher
from polymodal.model import MultimodalModel
from polymodal.recipe import Recipe

MOST_BASELINE_ROWS = 10_000
MOST_ABLATION_ROWS = 10_000
MOST_WORDS_SHOWN = 16

Train = Callable[[Sequence[str]], MultimodalModel]
"""Trains a model on some of the input columns alone."""


@dataclass
class Assessment:
    """What was measured on the test part.

    Args:
        outcomes: target -> what the model said.
        evaluation: its scores.
        baselines: target -> name -> scores of other ways of answering.
        verdicts: target -> how the model compares with the best of them.
        subsets: target -> sets of input columns left visible, with the headline score of each.
        examples: target -> "worst" or "surest_right" -> rows as a person wants to see them.
        matched: where nothing was predicted, how well columns or identities are told apart.
    """

    outcomes: dict[str, Outcome]
    evaluation: Evaluation
    baselines: dict[str, dict[str, TargetScores]] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    subsets: dict[str, list[tuple[tuple[str, ...], Score]]] = field(default_factory=dict)
    examples: dict[str, dict[str, list[Example]]] = field(default_factory=dict)
    matched: Matched | None = None

    def to_dict(self) -> dict[str, Any]:
        """As ``metrics.json`` holds it."""

        def score(value: Score) -> dict[str, float | None]:
            return {k: v if np.isfinite(v) else None for k, v in value._asdict().items()}

        return {
            "test": self.evaluation.to_dict(),
            "rows": self.evaluation.rows,
            "baselines": {
                target: {
                    name: Evaluation({target: scores}, 0).to_dict()[target]
                    for name, scores in named.items()
                }
                for target, named in self.baselines.items()
            },
            "subsets": {
                target: [{"inputs": list(names), **score(value)} for names, value in found]
                for target, found in self.subsets.items()
            },
            "verdicts": {
                target: {"kind": said.kind, "best_other": said.name, "text": said.sentence("en")}
                for target, said in self.verdicts.items()
            },
            **({} if self.matched is None else self.matched.to_dict()),
        }


class Assessor:
    """Assesses models on the test part of one data set.

    Args:
        dataset: the table with its parts.
        pack: its decoded columns.
        modalities: column -> fitted modality.
        recipe: says what to measure.
        features: what frozen encoders make of the cells; None lets them run for each score.
    """

    def __init__(
        self,
        dataset: Dataset,
        pack: Pack,
        modalities: Mapping[str, Modality],
        *,
        recipe: Recipe,
        features: FrozenFeatures | None = None,
    ) -> None:
        self.dataset, self.pack, self.modalities = dataset, pack, modalities
        self.recipe, self.options, self.features = recipe, recipe.evaluation, features
        schema = dataset.schema
        self.inputs = {name: modalities[name] for name in schema.inputs}
        self.targets = {name: modalities[name] for name in schema.targets}
        self.train, self.test = dataset.rows("train"), dataset.rows("test")
        self.validation = dataset.rows("validation")

    def assess(
        self, model: MultimodalModel, *, train: Train, tell: Callable[[str], None]
    ) -> Assessment:
        """Everything the recipe asks for.

        Args:
            model: the trained network.
            train: trains a network on some of the inputs alone.
            tell: is told what is being done.
        """
        tell("scoring the test part")
        if self.dataset.items is not None:
            return Assessment({}, Evaluation({}, len(self.test)), matched=self._matched(model))
        found = self.outcomes(model, self.test)
        scores = {name: self._scores(outcome) for name, outcome in found.items()}
        result = Assessment(found, Evaluation(scores, len(self.test)))
        self._tell_of_scores_left_out(found)
        rivals = {name: self._constant(outcome) for name, outcome in found.items()}
        if self.options.trees:
            tell("baseline: boosted trees")
            for name, outcome in found.items():
                text = outcome.task == "text"
                rivals[name] |= self._neighbour(outcome) if text else self._trees(outcome)
        if len(model.branches) > 1 and self.options.single_modalities != "off":
            for branch in model.branches:
                tell(f"baseline: {branch} alone")
                if self.options.single_modalities == "probe":
                    # A linear model chooses among answers; it cannot write.
                    alone = {
                        n: self._probe(model, branch, o)
                        for n, o in found.items()
                        if o.task != "text"
                    }
                else:
                    alone = self.outcomes(train(model.columns[branch]), self.test)
                for name, outcome in alone.items():
                    rivals[name][branch] = outcome
        if self.options.subsets and len(self.inputs) > 1:
            tell("ablation: the score with inputs hidden")
            result.subsets = self._subsets(model)
        for name, outcome in found.items():
            result.baselines[name] = {n: self._scores(o) for n, o in rivals[name].items()}
            result.verdicts[name] = verdict(
                outcome,
                rivals[name],
                subsets=result.subsets.get(name, ()),
                resamples=self.options.resamples,
                seed=self.recipe.seed,
            )
            result.examples[name] = self._examples(model, outcome)
        return result

    def _matched(self, model: MultimodalModel) -> Matched:
        matcher = Matcher(self.dataset, self.pack, self.modalities, recipe=self.recipe)
        held_out = self.batches(model, self.validation)
        return matcher.match(model, held_out=held_out, test=self.batches(model, self.test))

    def _tell_of_scores_left_out(self, found: Mapping[str, Outcome]) -> None:
        lacking = missing_packages()
        for name, outcome in found.items():
            if outcome.task == "text" and lacking:
                finding = Finding(
                    "not_checked",
                    "note",
                    column=name,
                    what=f"some scores of texts are left out: {', '.join(lacking)} not installed",
                    remedy="pip install 'polymodal[generate]', then polymodal evaluate",
                )
                self.dataset.findings.append(finding)

    def outcomes(
        self, model: MultimodalModel, rows: np.ndarray, without: Sequence[str] = ()
    ) -> dict[str, Outcome]:
        """What a model says about some rows, beside the truth."""
        device = next(model.parameters()).device
        batches = self.batches(model, rows)
        order, said, _ = predict_batches(model, batches, device=device, without=without)
        back = np.argsort(order)
        said = {name: prediction[back] for name, prediction in said.items()}
        table = self.dataset.table
        return outcomes(model, said, order[back], self.pack, self.modalities, table=table)

    def batches(self, model: MultimodalModel, rows: np.ndarray, *, cells: bool = False) -> Loader:
        """Some rows, with the columns that a model reads, and of the targets the texts.

        Args:
            model: the network that will read them.
            rows: which rows.
            cells: hand out the cells themselves, where features of them are kept, too.
        """
        names = [name for columns in model.columns.values() for name in columns]
        texts = {n: m for n, m in self.targets.items() if isinstance(m, Text | Passages)}
        columns = Columns({name: self.inputs[name] for name in names}, texts)
        pack = self.pack if cells or self.features is None else self.features.pack_for(model)
        return Loader(pack, columns, rows=rows, batch_size=model.rows_at_once)

    def _probe(self, model: MultimodalModel, branch: str, outcome: Outcome) -> Outcome:
        """A linear model on what one branch's encoder, trained with the others, makes of a row."""
        rows, truth = self.sample(outcome)
        device = next(model.parameters()).device
        order = np.argsort(rows)
        train, test = (
            pooled_features(model, self.batches(model, part), device=device)[branch]
            for part in (rows, outcome.rows)
        )
        return probe(train, truth[order], test, outcome, seed=self.recipe.seed)

    def _scores(self, outcome: Outcome) -> TargetScores:
        return evaluate(outcome, resamples=self.options.resamples, seed=self.recipe.seed)

    def _truth(self, target: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows that have the target, and its values there."""
        store = self.pack.stores[target]
        kept = rows[store.index[rows] >= 0]
        truth = np.asarray(store.values[store.index[kept]])
        return kept, truth.astype(bool) if truth.ndim > 1 else truth

    def _texts(self, target: str, rows: np.ndarray) -> tuple[np.ndarray, list[tuple[str, ...]]]:
        """The rows that have a text as target, and its references there."""
        modality = self.targets[target]
        assert isinstance(modality, Text | Passages)
        kept = rows[self.pack.stores[target].index[rows] >= 0]
        cells = self.dataset.table.cells(target, kept)
        return kept, [modality.references(cell) for cell in cells]

    def _neighbour(self, outcome: Outcome) -> dict[str, Outcome]:
        rows = self.train
        if len(rows) > MOST_BASELINE_ROWS:
            chance = np.random.default_rng(self.recipe.seed)
            rows = chance.permutation(rows)[:MOST_BASELINE_ROWS]
        rows, texts = self._texts(outcome.target, rows)
        train = table_features(self.pack, self.inputs, rows)
        test = table_features(self.pack, self.inputs, outcome.rows)
        found = nearest_text([*train.values()], texts, [*test.values()], outcome)
        return {"nearest_neighbour": found}

    def _constant(self, outcome: Outcome) -> dict[str, Outcome]:
        if outcome.task == "text":
            _, texts = self._texts(outcome.target, self.train)
            return {"most_frequent": most_frequent_text(texts, outcome)}
        _, truth = self._truth(outcome.target, self.train)
        if outcome.task == "regression":
            return {"mean": mean(truth.astype(np.float64), outcome)}
        return {"most_frequent": most_frequent(truth, outcome)}

    def sample(self, outcome: Outcome) -> tuple[np.ndarray, np.ndarray]:
        """At most 10,000 training rows with the target, and its values there."""
        rows, truth = self._truth(outcome.target, self.train)
        if len(rows) > MOST_BASELINE_ROWS:
            rng = np.random.default_rng(self.recipe.seed)
            kept = rng.permutation(len(rows))[:MOST_BASELINE_ROWS]
            rows, truth = rows[kept], truth[kept]
        return rows, truth.astype(np.float64) if outcome.task == "regression" else truth

    def _trees(self, outcome: Outcome) -> dict[str, Outcome]:
        rows, truth = self.sample(outcome)
        train = table_features(self.pack, self.inputs, rows)
        test = table_features(self.pack, self.inputs, outcome.rows)
        simple = [name for name, m in self.inputs.items() if m.tabular]
        groups = {"boosted_trees": list(self.inputs)}
        if simple and len(simple) < len(self.inputs):
            groups["boosted_trees_tabular"] = simple
        return {
            name: boosted_trees(
                np.concatenate([train[c] for c in columns], axis=1),
                truth,
                np.concatenate([test[c] for c in columns], axis=1),
                outcome,
                seed=self.recipe.seed,
            )
            for name, columns in groups.items()
        }

    def _subsets(self, model: MultimodalModel) -> dict[str, list[tuple[tuple[str, ...], Score]]]:
        rows = self.test
        if len(rows) > MOST_ABLATION_ROWS:
            rows = np.random.default_rng(self.recipe.seed).choice(
                rows, MOST_ABLATION_ROWS, replace=False
            )
        found: dict[str, list[tuple[tuple[str, ...], Score]]] = {}
        for names in subsets(list(self.inputs)):
            hidden = [name for name in self.inputs if name not in names]
            for target, outcome in self.outcomes(model, rows, without=hidden).items():
                found.setdefault(target, []).append((names, self._scores(outcome).headline))
        return found

    def _examples(self, model: MultimodalModel, outcome: Outcome) -> dict[str, list[Example]]:
        half = (self.options.examples + 1) // 2
        chosen = {"worst": outcome.worst(self.options.examples)}
        chosen["surest_right"] = outcome.surest_right(half)
        return {
            kind: [
                self._example(outcome, int(place))._replace(looks=looks, hearing=hearing)
                for place, looks, hearing in zip(
                    places,
                    self._looks(model, outcome, places),
                    self._hearings(model, outcome, places),
                    strict=True,
                )
            ]
            for kind, places in chosen.items()
        }

    def _looks(
        self, model: MultimodalModel, outcome: Outcome, places: np.ndarray
    ) -> list[list[tuple[str, Shown]]]:
        """The first picture of some rows, once for each word, lit where it was looked at."""
        pictures = [name for name in model.branches if isinstance(self.inputs.get(name), Image)]
        if outcome.task != "text" or not pictures or not len(places):
            return [[] for _ in places]
        name, rows, target = pictures[0], outcome.rows[places], outcome.target
        batch = self.batches(model, rows).batch(rows).to(next(model.parameters()).device)
        found = attended(model, batch, target, name, self.targets[target])
        shown = [dict(self._cells(int(row)))[name] for row in rows]
        return [
            [
                (look.word, Shown("image", spotlit(picture.content, look.grid)))
                for look in looks[:MOST_WORDS_SHOWN]
                if picture is not None and isinstance(picture.content, bytes)
            ]
            for looks, picture in zip(found, shown, strict=True)
        ]

    def _hearings(
        self, model: MultimodalModel, outcome: Outcome, places: np.ndarray
    ) -> list[Hearing | None]:
        """When in the first sound of some rows each word was heard."""
        sounds = {n: m for n in model.branches if isinstance(m := self.inputs.get(n), Audio)}
        if outcome.task != "text" or not sounds or not len(places):
            return [None] * len(places)
        name, sound = next(iter(sounds.items()))
        rows, target = outcome.rows[places], outcome.target
        batches = self.batches(model, rows, cells=True)  # for their length in time
        batch = batches.batch(rows).to(next(model.parameters()).device)
        return heard(model, batch, target, name, (self.targets[target], sound))

    def _example(self, outcome: Outcome, place: int) -> Example:
        row = int(outcome.rows[place])
        cells = self._cells(row)
        shares = outcome.probabilities
        sure = None
        if shares is not None and outcome.task == "classification":
            sure = float(shares[place].max())
        if outcome.scores is not None:
            sure = float(outcome.scores[place])
        return Example(
            row,
            _say(outcome, outcome.truth[place]),
            _say(outcome, outcome.answer[place]),
            sure,
            cells,
        )

    def _cells(self, row: int) -> list[tuple[str, Shown | None]]:
        """A row's inputs as a person wants to see them; None where absent or broken."""
        cells: list[tuple[str, Shown | None]] = []
        for name, modality in self.inputs.items():
            cell = self.dataset.table.cells(name, [row])[0]
            shown = None
            if cell is not None:
                try:
                    shown = modality.show(
                        self.dataset.table.media(cell) if modality.media else cell
                    )
                except CellError:
                    shown = None  # broken, and reported as a finding
            cells.append((name, shown))
        return cells


def _say(outcome: Outcome, value: Any) -> str:
    if outcome.task == "text":
        # A line for each reference: those of several lines become one.
        texts = [" ".join(text.splitlines()) for text in np.atleast_1d(value)]
        return "\n".join(text for text in texts if text)
    if outcome.task == "classification":
        return outcome.labels[int(value)]
    if outcome.task == "tagging":
        return ", ".join(outcome.labels[i] for i in np.flatnonzero(value)) or "–"
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
