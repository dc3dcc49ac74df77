"""``polymodal evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from polymodal.cli.arguments import AsJson


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    table: Annotated[str, typer.Argument(help="A table with the targets.")],
    split: Annotated[
        str | None, typer.Option(help="Only this part of the table's split column.")
    ] = None,
    json_: AsJson = False,
    language: Annotated[Literal["en", "zh"], typer.Option(help="Of the scores.")] = "en",
) -> None:
    """Compare a model's answers with the truth, with 95 % intervals.

    Examples:
        polymodal evaluate runs/mine new.csv

        polymodal evaluate runs/mine data.csv --split test
    """
    import json

    from rich.console import Console

    from polymodal.predictor import Predictor

    found = Predictor.load(run).evaluate(table, split=split)
    if json_:
        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        Console().print(found.table(language))
