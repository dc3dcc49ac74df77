"""``polymodal predict``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pandas import DataFrame


def predict(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    table: Annotated[str, typer.Argument(help="A table with the input columns.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help=".csv, .parquet or .jsonl. Default: the screen."),
    ] = None,
    proba: Annotated[
        bool, typer.Option("--proba", help="Add the probability of each class.")
    ] = False,
    missing: Annotated[
        bool, typer.Option("--missing", help="Add which inputs were treated as missing.")
    ] = False,
) -> None:
    """Answer every row of a table, in its order.

    Examples:
        polymodal predict runs/mine new.csv

        polymodal predict runs/mine new.csv -o answers.parquet --proba
    """
    import sys

    from rich.console import Console

    endings = (".csv", ".parquet", ".jsonl")
    if output is not None and output.suffix.lower() not in endings:
        raise typer.BadParameter(
            f"{output.name!r}: write to a file ending in {', '.join(endings)}.",
            param_hint="--output",
        )
    if output is not None and not output.absolute().parent.is_dir():
        raise typer.BadParameter(
            f"there is no folder {str(output.parent)!r}.", param_hint="--output"
        )
    from polymodal.predictor import Predictor

    frame = Predictor.load(run).predict(table, proba=proba, missing=missing)
    if output is None:
        _flat(frame).to_csv(sys.stdout, index=False)
    elif output.suffix.lower() == ".csv":
        _flat(frame).to_csv(output, index=False)
    elif output.suffix.lower() == ".parquet":
        frame.to_parquet(output, index=False)
    else:
        frame.to_json(output, orient="records", lines=True, force_ascii=False)
    counts = {name: count for name, count in frame.attrs["missing"].items() if count}
    said = ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "none"
    console = Console(stderr=True, highlight=False, markup=False)
    console.print(f"{len(frame):,} rows; missing cells: {said}")


def _flat(frame: DataFrame) -> DataFrame:
    """The frame with lists (tags, missing inputs) as CSV can hold them: ``a;b``."""
    return frame.map(lambda cell: ";".join(cell) if isinstance(cell, list) else cell)
