"""``polymodal train``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from polymodal.cli.arguments import Changes, Inputs, OwnTable, RecipeFile, TableOrRecipe, Targets


def train(
    table: TableOrRecipe = None,
    target: Targets = None,
    inputs: Inputs = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    validation: OwnTable = None,
    test: OwnTable = None,
    out: Annotated[Path | None, typer.Option(help="The run directory. Default: runs/NAME.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the training that --out holds.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that --out holds.")
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Decode while training: tables of any size.")
    ] = False,
    objective: Annotated[
        Literal["predict", "align", "verify"] | None,
        typer.Option(help="Predict targets, align inputs (no target), or verify identities."),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="For --objective verify: the column that says whose it is.")
    ] = None,
    language: Annotated[
        Literal["en", "zh"] | None, typer.Option(help="Of the report and the scores.")
    ] = None,
) -> None:
    """Train a model, measure it on rows it has not seen, and write a report.

    Examples:
        polymodal train data.csv --target label

        polymodal train data.csv -t price --set train.epochs=5 --set columns.photo.encoder=resnet

        polymodal train recipe.yaml --out runs/mine

        polymodal train data.csv --objective align -i image -i caption

        polymodal train faces.csv --objective verify --identity person -i photo

        polymodal train --resume --out runs/mine
    """
    from rich.console import Console

    from polymodal.cli.show import show_assessment, show_findings, show_model, show_schema
    from polymodal.errors import RecipeError, RunError
    from polymodal.experiment import Experiment, chosen_recipe
    from polymodal.recipe import Recipe
    from polymodal.run_directory import MANIFEST, RECIPE, REPORT
    from polymodal.training import Interrupted, RichProgress

    if table is not None and table.lower().endswith((".yaml", ".yml")):
        if recipe is not None:
            raise RecipeError(f"Two recipes: {table} and {recipe}. Name one.")
        recipe, table = Path(table), None
    if resume and out is None:
        raise RecipeError("--resume continues the training in a directory: name it with --out.")
    if resume and not (set_ or overwrite) and out is not None and (out / MANIFEST).exists():
        # No error: whoever starts a training again and again until it is done gets here.
        said = f"The training in {out} is finished: nothing to resume. Report: {out / REPORT}"
        Console().print(said, soft_wrap=True, markup=False, highlight=False)
        return
    if resume and recipe is None and out is not None and (out / RECIPE).exists():
        recipe = out / RECIPE
    elif resume and recipe is None and table is None:
        raise RunError(f"There is no training in {str(out)!r} that could be resumed.")
    chosen = Recipe.load(recipe)
    if stream:
        set_ = [*(set_ or []), "data.stream=true"]
    if language is not None:
        set_ = [*(set_ or []), f"evaluation.language={language}"]
    if objective is not None and objective != chosen.objective.name:
        set_ = [f"objective={objective}", *(set_ or [])]
    if identity is not None:
        target = [identity, *(target or [])]
    chosen = chosen_recipe(chosen.override(set_ or []), target, inputs)
    console = Console()
    experiment = Experiment(
        table,
        chosen,
        out=out or _free_directory(table or chosen.table),
        validation=validation,
        test=test,
        resume=resume,
        overwrite=overwrite,
        progress=RichProgress(console),
        tell=lambda line: console.print(line, style="dim", highlight=False, markup=False),
    )
    try:
        dataset = experiment.prepare()
        rows = {part: len(dataset.rows(part)) for part in ("train", "validation", "test")}
        show_schema(console, dataset.schema, rows)
        experiment.build()
        show_findings(console, dataset.findings)
        show_model(console, experiment.costs())
        experiment.train()
        assessment = experiment.assess()
        experiment.save()
    except (Interrupted, KeyboardInterrupt) as error:
        again = ["polymodal", "train", "--resume", "--out", str(experiment.directory)]
        if not (experiment.directory / RECIPE).exists():
            raise RunError("Interrupted before the training began; nothing was written.") from error
        step = f" after step {error.step}" if isinstance(error, Interrupted) else ""
        raise RunError(f"Interrupted{step}. Go on with: {shlex.join(again)}") from error
    show_assessment(console, assessment, experiment.recipe.evaluation.language)
    report = f"Report: {experiment.directory / REPORT}"
    console.print(report, style="bold", soft_wrap=True, markup=False)


def _free_directory(table: object) -> Path:
    """``runs/NAME``, with a number behind it where that is taken."""
    first = table[0] if isinstance(table, list) and table else table
    path = Path(str(first or "run"))
    stem = path.parent.name if path.stem in ("data", "*") and path.parent.name else path.stem
    names = (Path("runs") / (stem if n == 1 else f"{stem}-{n}") for n in range(1, 10_000))
    return next(path for path in names if not path.exists())
