"""``polymodal compare``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from polymodal.cli.arguments import Changes, Inputs, OwnTable, RecipeFile, TableOrRecipe, Targets


def compare(
    table: TableOrRecipe = None,
    target: Targets = None,
    inputs: Inputs = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    fusions: Annotated[str, typer.Option(help="Which fusions: all, or names as a,b,c.")] = "all",
    seeds: Annotated[int, typer.Option(help="How often the finalists are trained.")] = 3,
    minutes: Annotated[
        float, typer.Option(help="Time for everything; 0 trains each as long as one alone.")
    ] = 20.0,
    validation: OwnTable = None,
    test: OwnTable = None,
    out: Annotated[
        Path, typer.Option(help="Where page, numbers and the winner's run are written.")
    ] = Path("runs/comparison"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the comparison that --out holds.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the comparison that --out holds.")
    ] = False,
    language: Annotated[
        Literal["en", "zh"] | None, typer.Option(help="Of the page and the answer.")
    ] = None,
) -> None:
    """Find out which fusion, and which input, is worth it on your data.

    Trains every input alone and every fusion under one budget; fusions that fall behind stop
    early. Says what to use and how sure that is, and saves the best as a run.

    Examples:
        polymodal compare data.csv --target label

        polymodal compare data.csv -t label --fusions product,gated,cross_attention --minutes 5

        polymodal compare data.csv -t label --resume
    """
    from rich.console import Console

    from polymodal.comparison import compare as run
    from polymodal.errors import RecipeError, RunError
    from polymodal.recipe import Recipe
    from polymodal.training import Interrupted

    if table is not None and table.lower().endswith((".yaml", ".yml")):
        if recipe is not None:
            raise RecipeError(f"Two recipes: {table} and {recipe}. Name one.")
        recipe, table = Path(table), None
    if language is not None:
        set_ = [*(set_ or []), f"evaluation.language={language}"]
    console = Console()
    try:
        found = run(
            table,
            target,
            inputs=inputs,
            recipe=Recipe.load(recipe).override(set_ or []),
            validation=validation,
            test=test,
            fusions=[name.strip() for name in fusions.split(",") if name.strip()],
            seeds=seeds,
            minutes=minutes or None,
            out=out,
            resume=resume,
            overwrite=overwrite,
            tell=lambda line: console.print(line, style="dim", highlight=False, markup=False),
        )
    except (Interrupted, KeyboardInterrupt) as error:
        again = shlex.join(["--resume", "--out", str(out)])
        raise RunError(
            f"Interrupted; what was found is kept. Go on with the same command and {again}."
        ) from error
    console.print(found)
    console.print(found.sentence, style="bold", highlight=False, markup=False)
    console.print(f"Page: {found.page}", style="bold", soft_wrap=True, markup=False)
