"""``polymodal inspect``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from polymodal.cli.arguments import AsJson, Changes, RecipeFile, TableArgument, Targets
from polymodal.cli.watched import watched


def inspect(
    table: TableArgument,
    target: Targets = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    json_: AsJson = False,
    page: Annotated[
        Path | None, typer.Option(help="Write a page with pictures and charts: FILE.html.")
    ] = None,
    labels: Annotated[
        bool, typer.Option("--labels/--no-labels", help="Look for wrong labels, too (slower).")
    ] = True,
) -> None:
    """Show what a table holds, what is wrong with it, and what would be trained.

    Examples:
        polymodal inspect data.csv

        polymodal inspect photos/ --target label --page photos.html
    """
    from rich.console import Console

    from polymodal.cli.show import show_findings, show_schema
    from polymodal.inspection import inspect as look
    from polymodal.recipe import Recipe

    chosen = Recipe.load(recipe).override(set_ or [])
    # Where JSON is printed, nothing else may be.
    found = watched(
        Console(stderr=True),
        lambda tell: look(table, target or None, recipe=chosen, labels=labels, tell=tell),
    )
    if page is not None:
        found.write_page(page, command=_command(table, target or [], page))
    if json_:
        import json

        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
        return
    console = Console()
    if page is not None:
        console.print(f"Page: {page}", highlight=False, markup=False)
    show_schema(console, found.schema, found.rows)
    show_findings(console, found.findings)
    if found.recipe is None:
        console.print("Name a column to predict with --target to see what would be trained.")
        return
    console.print("What would be trained:", style="bold")
    for name, column in found.recipe.columns.items():
        part = column.encoder or column.head
        if part is not None and column.role in ("input", "target"):
            arrow = "→" if column.role == "input" else "←"
            console.print(f"  {name} {arrow} {part.name}", highlight=False, markup=False)
    train = found.recipe.train
    console.print(
        f"  fusion: {found.recipe.fusion.name}; {train.epochs} epochs of batches of "
        f"{train.batch_size}, {train.optimizer} at {train.learning_rate:g}",
        highlight=False,
    )


def _command(table: str, targets: list[str], page: Path) -> str:
    """How the page is made again."""
    named = [part for target in targets for part in ("--target", target)]
    return shlex.join(["polymodal", "inspect", table, *named, "--page", str(page)])
