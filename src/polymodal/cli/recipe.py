"""``polymodal recipe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from polymodal.cli.arguments import Changes, Targets


def recipe(
    source: Annotated[str, typer.Argument(help="A run directory, or a table.")],
    target: Targets = None,
    set_: Changes = None,
) -> None:
    """Print the effective recipe: every option with its value, and what it does.

    Examples:
        polymodal recipe data.csv --target label > recipe.yaml

        polymodal recipe runs/mine
    """
    from polymodal.run_directory import RECIPE

    if (Path(source) / RECIPE).is_file():
        from polymodal.recipe import Recipe

        print(Recipe.load(Path(source) / RECIPE).to_yaml(comments=True), end="")
        return
    from polymodal.build import effective
    from polymodal.data.schema import infer_schema
    from polymodal.data.table import Table
    from polymodal.recipe import Recipe

    chosen = Recipe.load({"table": str(Path(source).absolute()), "targets": target or []})
    chosen = chosen.override(set_ or [])
    roles = {name: column.role for name, column in chosen.columns.items() if column.role}
    named = {name: c.modality.name for name, c in chosen.columns.items() if c.modality}
    schema = infer_schema(
        Table.read(source), chosen.targets, inputs=chosen.inputs, roles=roles, modalities=named
    )
    print(effective(chosen, schema).to_yaml(comments=True), end="")
