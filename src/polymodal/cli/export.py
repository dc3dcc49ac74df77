"""``polymodal export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console


class Kind(StrEnum):
    """What a model can be exported to."""

    onnx = "onnx"
    executorch = "executorch"
    torch = "torch"
    transformers = "transformers"


def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    to: Annotated[Kind, typer.Option(help="onnx runs nearly everywhere; executorch on phones.")] = (
        Kind.onnx
    ),
    data: Annotated[
        str | None, typer.Option(help="A table to compare answers on. Default: the run's own.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Where to write. Default: into the run.")
    ] = None,
) -> None:
    """Write the model as a file that runs without polymodal, checked on real rows.

    Examples:
        polymodal export runs/mine

        polymodal export runs/mine --to executorch --out phone

        polymodal export runs/captions --to transformers --out models/mine
    """
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False)
    if to is Kind.transformers:
        _export_folder(run, data=data, out=out, console=console)
        return
    from polymodal.exporting.exporter import export_run

    made = export_run(
        run, to.value, data=data, out=out, tell=lambda said: console.print(f"{said} …")
    )
    size = made.path.stat().st_size / 1e6
    worst = max(made.description.parity.values(), default=0.0)
    console.print(
        f"{made.path} ({size:,.2f} MB) answers as the network does: on {made.rows:,} rows, with "
        f"and without gaps, it differs by at most {worst:.1e}."
    )
    console.print(f"What goes in and what comes out: {made.directory / 'model.json'}")


def _export_folder(run: Path, *, data: str | None, out: Path | None, console: Console) -> None:
    """The adapted pretrained model for transformers."""
    from polymodal.exporting.transformers_folder import BESIDE, export_folder

    made = export_folder(run, data=data, out=out, tell=lambda said: console.print(f"{said} …"))
    size = sum(file.stat().st_size for file in made.directory.iterdir()) / 1e6
    console.print(
        f"{made.directory} ({size:,.2f} MB) writes the same text as the run on {made.alike:.0%} of "
        f"{made.rows:,} rows."
    )
    if made.beside:
        console.print(f"What was learned beside the model is in {made.directory / BESIDE}")
