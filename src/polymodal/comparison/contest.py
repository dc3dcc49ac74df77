"""The contest itself: trains the candidates as far as they deserve, and measures them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from polymodal.assessment import Assessor
from polymodal.comparison.candidate import TREES, Candidate
from polymodal.comparison.halving import affordable, cost, rungs
from polymodal.comparison.ledger import (
    NOTHING,
    OUTCOMES,
    VALIDATION,
    Ledger,
    Size,
    Training,
    load_outcomes,
    save_outcomes,
)
from polymodal.comparison.timing import seconds_per_epoch, size
from polymodal.comparison.trees import trees_on_embeddings
from polymodal.data.modalities import Passages, Text
from polymodal.errors import RecipeError
from polymodal.evaluation import Outcome
from polymodal.evaluation.entrant import Entrant, Kind
from polymodal.evaluation.seeded_scores import Condition, SeededScores
from polymodal.experiment import patience_alone
from polymodal.model import MultimodalModel
from polymodal.train_options import TrainOptions
from polymodal.trainer import Trainer
from polymodal.training import TrainResult

TOLD = ("epoch", "validation_metric")
RESERVE = 0.85
"""Share of the minutes that is planned for; the rest is for measuring and for being wrong."""


@dataclass(frozen=True)
class Prepared:
    """One data set made ready for any candidate.

    Args:
        trainer: seed -> trains networks on it.
        assessor: measures them.
        options: of every training, resolved.
        branches: branch -> its columns.
    """

    trainer: Callable[[int], Trainer]
    assessor: Assessor
    options: TrainOptions
    branches: Mapping[str, tuple[str, ...]]


class Contest:
    """Every candidate against every other on one prepared data set.

    Args:
        prepared: the data set.
        fusions: the fusions that compete.
        alone: the single inputs that compete.
        seeds: with which the finalists are trained, as long as they may still win.
        minutes: in which all should be done; None takes the time that full trainings take.
        ledger: what was found before, and where all is kept.
        tell: is told what is being done.
    """

    def __init__(
        self,
        prepared: Prepared,
        fusions: Sequence[Candidate],
        alone: Sequence[Candidate],
        *,
        seeds: Sequence[int],
        minutes: float | None,
        ledger: Ledger,
        tell: Callable[[str], None],
    ) -> None:
        self.prepared, self.ledger, self.tell = prepared, ledger, tell
        self.fusions, self.alone = list(fusions), list(alone)
        self.seeds, self.minutes = list(seeds), minutes
        self.before, self.started = ledger.seconds, time.perf_counter()

    def run(self) -> list[Entrant]:
        """Train and measure; goes on where the ledger ends."""
        self._plan()
        finalists = self._halve()
        for candidate in [*self.alone, *finalists]:
            self._train(candidate, self.seeds[0])
        contenders = [*finalists, *self._best(self.alone)[:1]]
        for number, seed in enumerate(self.seeds[1:], 1):
            contenders = self._contenders(contenders, self.seeds[:number])
            for candidate in contenders:
                if self._time_left(candidate):
                    self._train(candidate, seed)
        entrants = [self._entrant(c) for c in [*self.fusions, *self.alone]]
        targets = self.prepared.assessor.targets.values()
        if any(isinstance(target, Text | Passages) for target in targets):
            return entrants  # trees choose among answers; they cannot write
        return [*entrants, self._trees(self._best(finalists)[0])]

    def winner(self) -> Candidate:
        """The candidate with the best validation score of those that were trained to the end.

        Of equals the one that trains faster.
        """
        finished = [
            c
            for c in [*self.alone, *self.fusions]
            if all(t.finished for t in self.ledger.trainings[c.name].values())
        ]
        cheap = sorted(finished, key=lambda c: self.ledger.costs[c.name])
        return self._best(cheap)[0]

    def named(self, name: str) -> Candidate | None:
        """The network of a name; None for what is no network."""
        return next((c for c in [*self.alone, *self.fusions] if c.name == name), None)

    def options(self, candidate: Candidate) -> TrainOptions:
        """How a candidate is trained."""
        options = self.prepared.options
        changes: dict[str, object] = {"epochs": self.ledger.epochs, "tensorboard": False}
        if candidate.kind == "alone":
            changes["patience"] = patience_alone(options)
        return options.model_copy(update=changes)

    def alone_on(self, columns: Sequence[str]) -> MultimodalModel:
        """The trained network that reads these columns only."""
        candidate = next(c for c in self.alone if c.columns == tuple(columns))
        return self.model(candidate, self.seeds[0])[0]

    def model(self, candidate: Candidate, seed: int) -> tuple[MultimodalModel, TrainResult]:
        """A candidate's network with the best weights it has so far."""
        done = self.ledger.training(candidate.name, seed)
        return self._fit(candidate, seed, until=done.epochs)

    def _plan(self) -> None:
        """Find out what an epoch of each candidate costs, and how many epochs fit the budget."""
        ledger, everyone = self.ledger, [*self.fusions, *self.alone]
        trainer, options = self.prepared.trainer(self.seeds[0]), self.prepared.options
        for candidate in everyone:
            name = candidate.name
            if name in ledger.costs or name in ledger.refused:
                continue
            try:
                model = trainer.build(candidate.recipe, candidate.columns)
            except RecipeError as error:
                if candidate.kind == "alone":
                    raise
                ledger.refused[name] = str(error)
                self.tell(f"{name} cannot fuse these inputs: {error}")
                continue
            ledger.costs[name] = seconds_per_epoch(trainer, model, options)
            ledger.sizes[name] = size(self.prepared.assessor, model)
            self._save()
        self.fusions = [c for c in self.fusions if c.name not in ledger.refused]
        if not self.fusions:
            raise RecipeError(
                "None of the fusions fits these inputs: "
                + "; ".join(f"{name}: {why}" for name, why in ledger.refused.items())
            )
        costs = [[ledger.costs[c.name] for c in part] for part in (self.fusions, self.alone)]
        if not ledger.epochs:
            assert isinstance(options.epochs, int)
            ledger.epochs = options.epochs
            if self.minutes is not None:
                budget = RESERVE * 60 * self.minutes
                ledger.epochs = affordable(
                    *costs, most=options.epochs, seeds=len(self.seeds), budget=budget
                )
            self._save()
        self.most = cost(*costs, epochs=ledger.epochs, seeds=len(self.seeds))
        self.tell(
            f"{len(self.fusions)} fusions and {len(self.alone)} single inputs, "
            f"{len(self.seeds)} seed(s), {ledger.epochs} epochs in full, "
            f"at most about {_minutes(self.most)}"
        )

    def _halve(self) -> list[Candidate]:
        """Train all fusions a little, keep the better ones, until the finalists are left."""
        left, first = self.fusions, self.seeds[0]
        for number, rung in enumerate(rungs(len(left), self.ledger.epochs)):
            if number < len(self.ledger.rungs):
                kept = self.ledger.rungs[number]["kept"]
                left = [c for c in left if c.name in kept]
                continue
            for candidate in left:
                self._train(candidate, first, until=rung.epochs)
            entered, left = [c.name for c in left], self._best(left)[: rung.keep]
            kept = [c.name for c in left]
            self.ledger.rungs.append({"epochs": rung.epochs, "entered": entered, "kept": kept})
            self._save()
            self.tell(f"after {rung.epochs} epoch(s) these go on: {', '.join(kept)}")
        return left

    def _contenders(self, candidates: Sequence[Candidate], seeds: Sequence[int]) -> list[Candidate]:
        """The best on the validation rows, and the fusions that are not clearly behind it.

        A further seed tells nothing new of a candidate that is behind by more than chance; nor of
        an input alone that does not lead, for it is simpler and advised where it is as good.
        """
        if not len(self.prepared.assessor.validation):
            return list(candidates)
        trained = {c.name: self.ledger.trainings[c.name] for c in candidates}
        said: dict[Condition, list[dict[str, Outcome]]] = {
            (name, None): [
                load_outcomes(self.ledger.place(name, seed) / VALIDATION)[NOTHING]
                for seed in seeds
                if seed in done and done[seed].finished
            ]
            for name, done in trained.items()
        }
        found = SeededScores(said)
        best = max(trained, key=lambda name: found.scores(name).mean.value)
        behind = {name for name in trained if found.gap(best, name).low > 0}
        if behind:
            self.tell(f"clearly behind {best} after {len(seeds)} seed(s): {', '.join(behind)}")
        return [
            c for c in candidates if c.name == best or (c.kind == "fusion" and c.name not in behind)
        ]

    def _best(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The best first, by the mean validation score over their seeds."""
        return sorted(candidates, key=lambda c: self._rank(c.name), reverse=True)

    def _rank(self, name: str) -> tuple[float, float]:
        """Its validation score; and of equal ones, which saturate, the lower loss is better."""
        trained = [t for t in self.ledger.trainings.get(name, {}).values() if t.epochs]
        numbers = [(t.validation, -t.loss) for t in trained] or [(float("nan"), float("nan"))]
        score, loss = np.nan_to_num(np.mean(numbers, axis=0), nan=-np.inf)
        return float(score), float(loss)

    def _train(self, candidate: Candidate, seed: int, *, until: int | None = None) -> None:
        """Bring one training to an epoch, or to its end."""
        done = self.ledger.training(candidate.name, seed)
        if done.finished or (until is not None and done.epochs >= until):
            return
        model, result = self._fit(candidate, seed, until=until)
        best = result.history[result.best_epoch - 1] if result.best_epoch else {}
        validation = best.get("validation_metric", float("nan"))
        loss = best.get("validation_loss", float("nan"))
        finished = result.ended != "paused"
        history = [{name: row[name] for name in TOLD} for row in result.history]
        self.ledger.trainings[candidate.name][seed] = Training(
            result.epochs, validation, loss, result.seconds, finished, history
        )
        if finished:
            self._measure(candidate, seed, model)
        self._save()
        self.tell(
            f"{candidate.name}, seed {seed}: {validation:.4f} after {result.epochs} of "
            f"{self.ledger.epochs} epochs, {result.seconds:.0f} s · {self._left()}"
        )

    def _fit(
        self, candidate: Candidate, seed: int, *, until: int | None
    ) -> tuple[MultimodalModel, TrainResult]:
        trainer = self.prepared.trainer(seed)
        place = self.ledger.place(candidate.name, seed)
        place.mkdir(parents=True, exist_ok=True)
        model = trainer.build(candidate.recipe, candidate.columns)
        result = trainer.fit(
            model, self.options(candidate), directory=place, resume=True, until=until
        )
        return model, result

    def _measure(self, candidate: Candidate, seed: int, model: MultimodalModel) -> None:
        """What a network says about the test part; of a finished one also without each input."""
        assessor, place = self.prepared.assessor, self.ledger.place(candidate.name, seed)
        found = {NOTHING: assessor.outcomes(model, assessor.test)}
        if self.ledger.training(candidate.name, seed).finished:
            if candidate.kind == "fusion":
                for branch, columns in model.columns.items():
                    found[branch] = assessor.outcomes(model, assessor.test, without=columns)
            told = {NOTHING: assessor.outcomes(model, assessor.validation)}
            save_outcomes(place / VALIDATION, told)
        save_outcomes(place / OUTCOMES, found)

    def _entrant(self, candidate: Candidate) -> Entrant:
        """What was found of a candidate; a loser is measured here, as far as it came."""
        trained = self.ledger.trainings[candidate.name]
        seeds = [seed for seed in self.seeds if seed in trained and trained[seed].epochs]
        for seed in seeds:
            if not (self.ledger.place(candidate.name, seed) / OUTCOMES).exists():
                self._measure(candidate, seed, self.model(candidate, seed)[0])
        return self._entered(
            candidate.name, candidate.kind, seeds, self.ledger.sizes[candidate.name]
        )

    def _entered(self, name: str, kind: Kind, seeds: Sequence[int], costs: Size) -> Entrant:
        trained = [self.ledger.trainings[name][seed] for seed in seeds]
        said = [load_outcomes(self.ledger.place(name, seed) / OUTCOMES) for seed in seeds]
        hidden = [branch for branch in said[0] if branch != NOTHING]
        return Entrant(
            name=name,
            kind=kind,
            outcomes=[one[NOTHING] for one in said],
            validation=[one.validation for one in trained],
            without={branch: [one[branch] for one in said] for branch in hidden},
            parameters=costs.parameters,
            training_seconds=float(np.mean([one.seconds for one in trained])),
            prediction_ms=costs.prediction_ms,
            rows_per_second=costs.rows_per_second,
            epochs=round(np.mean([one.epochs for one in trained])),
            of_epochs=self.ledger.epochs,
            finished=all(one.finished for one in trained),
        )

    def _trees(self, best: Candidate) -> Entrant:
        """Boosted trees on what the best fusion's encoders make of a row, and on its table.

        Further seeds are for trees that are at least as good as the network.
        """
        trained = self.ledger.trainings[best.name]
        grown = []
        for seed in self.seeds:
            if seed in trained and trained[seed].finished:
                grown.append(seed)
                if self._grow(best, seed).validation < trained[seed].validation:
                    break
        return self._entered(TREES, "trees", grown, self.ledger.sizes[TREES])

    def _grow(self, best: Candidate, seed: int) -> Training:
        """Boosted trees on the embeddings of one training, now or before."""
        done = self.ledger.training(TREES, seed)
        if done.finished:
            return done
        started, network = time.perf_counter(), self.ledger.training(best.name, seed)
        model, _ = self.model(best, seed)
        found = trees_on_embeddings(self.prepared.assessor, model, seed=seed)
        save_outcomes(self.ledger.place(TREES, seed) / OUTCOMES, found.outcomes)
        seconds = network.seconds + time.perf_counter() - started
        done = Training(network.epochs, found.validation, seconds=seconds, finished=True)
        self.ledger.trainings[TREES][seed] = done
        self.ledger.sizes[TREES] = found.size
        self._save()
        said = f"boosted trees on the embeddings of {best.name}, seed {seed}"
        self.tell(f"{said}: {found.validation:.4f}")
        return done

    def _left(self) -> str:
        """The time left at most, in words, from how far the first guesses were off."""
        costs, guessed, took = self.ledger.costs, 0.0, 0.0
        for name, seeds in self.ledger.trainings.items():
            for one in seeds.values() if name in costs else ():
                guessed, took = guessed + costs[name] * one.epochs, took + one.seconds
        left = max(self.most - guessed, 0.0) * took / max(guessed, 1e-9)
        return f"at most about {_minutes(left)} left"

    def _time_left(self, candidate: Candidate) -> bool:
        """Whether a further full training still fits."""
        if self.minutes is None:
            return True
        needed = max(t.seconds for t in self.ledger.trainings[candidate.name].values())
        fits = self.seconds + needed <= 60 * self.minutes
        if not fits:
            self.tell(f"no time for a further seed of {candidate.name}")
        return fits

    @property
    def seconds(self) -> float:
        """What the comparison took so far."""
        return self.before + time.perf_counter() - self.started

    def _save(self) -> None:
        self.ledger.seconds = self.seconds
        self.ledger.save()


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
