"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

TableArgument: TypeAlias = Annotated[
    str, typer.Argument(help="CSV, TSV, JSONL, JSON, Parquet, tar, glob or folder.")
]
TableOrRecipe: TypeAlias = Annotated[
    str | None, typer.Argument(help="A table, or a recipe (YAML) that names one.")
]
Targets: TypeAlias = Annotated[
    list[str] | None, typer.Option("--target", "-t", help="Column to predict; repeatable.")
]
Inputs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", help="Column to predict from; repeatable. Default: all."),
]
RecipeFile: TypeAlias = Annotated[Path | None, typer.Option(help="A recipe (YAML).")]
Changes: TypeAlias = Annotated[
    list[str] | None, typer.Option("--set", help="One option, as a.b=value; repeatable.")
]
OwnTable: TypeAlias = Annotated[str | None, typer.Option(help="A table of its own.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
