"""Which fusion, and which input, is worth it on this table: measured, with the winner saved."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from polymodal.assessment import Assessor
from polymodal.build import effective
from polymodal.comparison.candidate import ALL, Candidate, alone, fused
from polymodal.comparison.contest import Contest, Prepared
from polymodal.comparison.ledger import CANDIDATES, LEDGER, Ledger
from polymodal.errors import RecipeError, RunError
from polymodal.evaluation import Language
from polymodal.evaluation.comparison_page import Details, write_comparison
from polymodal.evaluation.standings import Standings, standings
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.model import MultimodalModel
from polymodal.predictor import Predictor
from polymodal.recipe import Recipe
from polymodal.run_directory import REPORT, environment, write_json
from polymodal.trainer import Trainer
from polymodal.training.choices import choose
from polymodal.training.device import place

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import ConsoleOptions
    from rich.table import Table as RichTable

PAGE, RESULT, WINNER = "comparison.html", "comparison.json", "winner"
WIDTH, WIDTH_OF_BRANCH = 90, 14
"""Characters that the table needs; in a narrower terminal the page shows what it leaves out."""
OURS = {PAGE, RESULT, WINNER, LEDGER, CANDIDATES}


@dataclass(frozen=True)
class Comparison:
    """What a comparison came to; print it, or look at its page.

    Args:
        standings: how each candidate did.
        winner: the candidate to use, which is saved: the one with the best validation score, or
            a single input where fusing is not shown to be worth it.
        directory: holds the page, the numbers as JSON, and the winner's run.
        language: of its words.
    """

    standings: Standings
    winner: str
    directory: Path
    language: Language = "en"

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.directory / PAGE

    @property
    def sentence(self) -> str:
        """What to use, why, and how sure that is."""
        return self.standings.sentence(self.language)

    def predictor(self) -> Predictor:
        """The winner, ready to predict."""
        return Predictor.load(self.directory / WINNER)

    def __rich_console__(
        self, console: RichConsole, options: ConsoleOptions
    ) -> Iterator[RichTable]:
        wide = options.max_width >= WIDTH + WIDTH_OF_BRANCH * len(self.standings.branches)
        yield self.standings.table(self.language, without=wide)

    def __str__(self) -> str:
        return f"{self.standings}\n{self.sentence}"


def compare(
    data: Any = None,
    target: str | Sequence[str] | None = None,
    *,
    inputs: Sequence[str] | None = None,
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    validation: Any = None,
    test: Any = None,
    fusions: Iterable[str] | str = ALL,
    seeds: int = 3,
    minutes: float | None = 20.0,
    out: str | Path = "runs/comparison",
    resume: bool = False,
    overwrite: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Measure every input alone and many ways of fusing them, and save the best as a run.

    All candidates share the decoded cells and one budget. Fusions are halved successively: most
    stop early, two are trained to the end, like every input alone, and those of them that may still
    win with every seed. The winner is the one with the best validation score; the test part only
    tells how good it is.

    Args:
        data: a table as :func:`polymodal.fit` takes it; None takes the recipe's.
        target: the column or columns to predict.
        inputs: the only columns to predict from; None takes all that can be used.
        recipe: what differs from the defaults, for every candidate.
        validation: a table of its own for validation.
        test: a table of its own for the test.
        fusions: their names, or "all"; "stacking" is the ensemble with learned weights.
        seeds: how many times the finalists are trained, unless they are clearly behind.
        minutes: in which all should be done, so that trainings get fewer epochs where need be;
            None trains them as long as one training alone.
        out: where the page, the numbers and the winner's run are written.
        resume: go on with the comparison that ``out`` holds.
        overwrite: replace the comparison that ``out`` holds.
        tell: is told what is being done, a line at a time.

    Raises:
        PolymodalError: table, recipe or directory do not allow it; the message says what to do.
        Interrupted: Ctrl-C or SIGTERM came; with ``resume`` it goes on from there.
    """
    if seeds < 1:
        raise RecipeError(f"seeds is {seeds}; it must be at least 1.")
    if minutes is not None and not minutes > 0:
        raise RecipeError(f"minutes is {minutes}; it must be above 0.")
    directory = Path(out)
    _check(directory, resume=resume, overwrite=overwrite)
    names = [fusions] if isinstance(fusions, str) else list(fusions)
    given = chosen_recipe(recipe, target, inputs)
    if given.objective.name != "predict":
        raise RecipeError(
            f"objective = {given.objective.name!r}: fusions are compared by how well they predict "
            "a target. Train it with polymodal train, or set objective=predict."
        )
    fused(given, {}, names)  # a wrong name shows now, not when everything is decoded
    winner = directory / WINNER
    experiment = Experiment(
        data,
        given,
        out=winner,
        validation=validation,
        test=test,
        resume=winner.exists(),
        tell=tell,
    )
    setting = {"fusions": names, "seeds": seeds, "minutes": minutes}
    setting |= {"recipe": experiment.recipe.to_dict()}
    ledger = Ledger.open(directory, setting)
    asked = experiment.recipe
    experiment.prepare()
    model = experiment.build()
    if len(model.branches) < 2:
        raise RecipeError(
            f"There is one input only ({', '.join(model.branches)}; numbers, categories and tags "
            "count as one): nothing to fuse, and nothing to compare. Train it: polymodal train."
        )
    prepared, threads = _prepared(experiment, model), torch.get_num_threads()
    assert isinstance(prepared.options.threads, int)
    candidates = asked.model_copy(update={"train": prepared.options})
    first = experiment.recipe.seed
    contest = Contest(
        prepared,
        fused(candidates, prepared.branches, names),
        alone(candidates, prepared.branches),
        seeds=range(first, first + seeds),
        minutes=minutes,
        ledger=ledger,
        tell=tell,
    )
    torch.set_num_threads(prepared.options.threads)
    try:
        entrants = contest.run()
        options = experiment.recipe.evaluation
        found = standings(
            entrants,
            winner=contest.winner().name,
            seconds=contest.seconds,
            resamples=options.resamples,
            seed=first,
        )
        best = contest.named(found.advice().use) or contest.winner()
        tell(f"saving {best.name}")
        _save_winner(experiment, contest, best)
    finally:
        torch.set_num_threads(threads)
    write_json(directory / RESULT, found.to_dict())
    write_comparison(
        directory / PAGE,
        found,
        title=experiment.title,
        created=datetime.now().strftime("%Y-%m-%d %H:%M"),
        command=_command(experiment, names, seeds, minutes),
        details=Details(
            rungs=[(rung["epochs"], rung["entered"], rung["kept"]) for rung in ledger.rungs],
            report=f"{WINNER}/{REPORT}",
            saved=best.name,
            refused=ledger.refused,
            history={name: seeds[first].history for name, seeds in ledger.trainings.items()},
            recipe=candidates.to_yaml(),
            environment=environment(),
        ),
        language=options.language,
    )
    shutil.rmtree(directory / CANDIDATES, ignore_errors=True)
    return Comparison(found, best.name, directory, options.language)


def _check(directory: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a directory in which something would be lost, or nothing can be resumed."""
    shown = repr(str(directory))
    if resume and overwrite:
        raise RunError("Resume a comparison or overwrite it: both at once contradict each other.")
    names = {path.name for path in directory.iterdir()} if directory.is_dir() else set()
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{shown} is a file; a comparison needs a directory.")
    foreign = sorted(name for name in names - OURS if not name.startswith("."))
    if names and not resume and not overwrite:
        raise RunError(
            f"{shown} is not empty. Choose another directory, continue with --resume, or replace "
            "it with --overwrite."
        )
    if foreign:
        raise RunError(
            f"{shown} holds {foreign[0]!r}, which is no part of a comparison. Choose another "
            "directory."
        )
    if resume and RESULT in names:
        raise RunError(f"The comparison in {shown} is finished. Its page is {PAGE}.")
    if overwrite:
        for name in names & OURS:
            place = directory / name
            shutil.rmtree(place) if place.is_dir() else place.unlink()


def _prepared(experiment: Experiment, model: MultimodalModel) -> Prepared:
    """The data set for the contest, with how to compute measured once for all candidates."""
    dataset, pack, modalities = experiment.dataset, experiment.pack, experiment.modalities
    features, stream = experiment.features, experiment.stream

    @cache
    def trainer(seed: int) -> Trainer:
        return Trainer(dataset, pack, modalities, features=features, stream=stream, seed=seed)

    options = experiment.recipe.train
    device = place(None)
    model.to(device).train()
    source = trainer(experiment.recipe.seed).source(model, options)
    choices = choose(
        model, lambda: next(source.epoch(0)), options=options, device=device, alone=True
    )
    changes = {"precision": choices.precision.name, "threads": int(choices.threads.name)}
    return Prepared(
        trainer,
        Assessor(dataset, pack, modalities, recipe=experiment.recipe, features=features),
        options.model_copy(update=changes),
        {name: tuple(columns) for name, columns in model.columns.items()},
    )


def _save_winner(experiment: Experiment, contest: Contest, best: Candidate) -> None:
    """Hand the winner's network to the experiment, which measures and saves it like any other."""
    schema = experiment.dataset.schema
    for name in schema.inputs:
        if name not in best.columns:
            schema = schema.ignore(name, "not worth its cost, as a comparison found")
    experiment.dataset.schema = schema
    recipe = best.recipe.model_copy(update={"train": contest.options(best)})
    experiment.recipe = effective(recipe, schema, experiment.modalities)
    # The first seed's: the saved recipe, with its split, gives this very model again.
    experiment.model, experiment.result = contest.model(best, recipe.seed)
    experiment.assess(train=contest.alone_on)
    experiment.save()


def _command(
    experiment: Experiment, names: Sequence[str], seeds: int, minutes: float | None
) -> str:
    table = experiment.recipe.table
    words = ["polymodal", "compare", str(table if isinstance(table, str) else "TABLE")]
    for target in experiment.recipe.targets:
        words += ["--target", target]
    words += ["--fusions", ",".join(names), "--seeds", str(seeds)]
    words += [] if minutes is None else ["--minutes", f"{minutes:g}"]
    return shlex.join(words)
