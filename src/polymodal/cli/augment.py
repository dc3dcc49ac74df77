"""``polymodal augment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polymodal.cli.arguments import Changes, RecipeFile, TableArgument, Targets


def augment(
    table: TableArgument,
    show: Annotated[Path, typer.Option(help="The page (.html) or picture (.png) to write.")],
    target: Targets = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    examples: Annotated[int, typer.Option(min=1, max=50, help="Cells of each column.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the variations.")] = 0,
) -> None:
    """Show cells of a table beside the random variations that training sees.

    For a column that the recipe does not vary, one of each variation that there is.

    Examples:
        polymodal augment data.csv --show augment.html

        polymodal augment data.csv --recipe recipe.yaml --show augment.png
    """
    from rich.console import Console

    from polymodal.augmentation import augmented_columns
    from polymodal.evaluation.augmentation_page import write_augmentation
    from polymodal.recipe import Recipe

    chosen = Recipe.load(recipe).override(set_ or [])
    columns = augmented_columns(
        table, recipe=chosen, target=target or None, examples=examples, seed=seed
    )
    write_augmentation(show, columns, title=f"{Path(table).name}: what training sees")
    console = Console()
    for column in columns:
        words = "as the recipe varies it" if column.chosen else "not varied by the recipe"
        console.print(f"  {column.name} ({column.modality}): {words}", markup=False)
    console.print(f"Written: {show}", style="bold", markup=False, soft_wrap=True)
