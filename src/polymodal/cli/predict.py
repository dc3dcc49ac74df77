"""``polymodal predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    table: Annotated[str, typer.Argument(help="A table with the input columns.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help=".csv, .parquet or .jsonl. Default: the screen."
        ),
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

    from polymodal.errors import TableError
    from polymodal.predictor import Predictor

    endings = (".csv", ".parquet", ".jsonl")
    if output is not None and output.suffix.lower() not in endings:
        raise TableError(f"{output.name!r}: write to a file ending in {', '.join(endings)}.")
    frame = Predictor.load(run).predict(table, proba=proba, missing=missing)
    if output is None:
        frame.to_csv(sys.stdout, index=False)
    elif output.suffix.lower() == ".csv":
        frame.to_csv(output, index=False)
    elif output.suffix.lower() == ".parquet":
        frame.to_parquet(output, index=False)
    else:
        frame.to_json(output, orient="records", lines=True, force_ascii=False)
    counts = {name: count for name, count in frame.attrs["missing"].items() if count}
    said = ", ".join(f"{name}: {count:,}" for name, count in counts.items()) or "none"
    Console(stderr=True, highlight=False).print(f"{len(frame):,} rows; missing cells: {said}")
