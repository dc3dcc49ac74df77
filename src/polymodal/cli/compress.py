"""``polymodal compress``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymodal.cli.arguments import AsJson

if TYPE_CHECKING:
    from rich.table import Table

    from polymodal.compression.balance_sheet import Compression


class How(StrEnum):
    """How a model is computed with 8 bits."""

    dynamic = "dynamic"
    static = "static"


def compress(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    int8: Annotated[
        How | None, typer.Option(help="8 bits: dynamic is safe, static makes convolutions faster.")
    ] = None,
    prune: Annotated[float, typer.Option(help="Share of the weights that go, 0 to 0.95.")] = 0.0,
    structured: Annotated[
        bool, typer.Option("--structured", help="Take out whole channels, not single weights.")
    ] = False,
    distil: Annotated[
        Path | None, typer.Option(help="A recipe that says what is smaller in a student.")
    ] = None,
    bf16: Annotated[bool, typer.Option("--bf16", help="Keep weights in 16 bits.")] = False,
    recover: Annotated[int, typer.Option(help="Epochs of training after pruning.")] = 3,
    max_loss: Annotated[float, typer.Option(help="Points of the score that may be lost.")] = 1.0,
    force: Annotated[bool, typer.Option("--force", help="Keep it whatever it loses.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The new run. Default: beside the old one.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="A table to train and measure on. Default: the run's own.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Make a smaller model of a model, and say what that costs.

    Examples:
        polymodal compress runs/mine --int8 static

        polymodal compress runs/mine --prune 0.5 --structured --int8 dynamic
    """
    from rich.console import Console

    from polymodal.compression.changes import Changes
    from polymodal.compression.compression import compress_run
    from polymodal.training.progress import RichProgress

    aside = Console(stderr=True, highlight=False, markup=False)
    changes = Changes(
        distil=distil,
        prune=prune,
        structured=structured,
        bf16=bf16,
        int8=None if int8 is None else int8.value,
        recover=recover,
    )
    found = compress_run(
        run,
        changes,
        out=out,
        data=data,
        max_loss=max_loss,
        force=force,
        progress=RichProgress(aside),
        tell=lambda said: aside.print(f"{said} …"),
    )
    if json_:
        import json

        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        console = Console(highlight=False)
        console.print(_table(found))
        for note in found.notes:
            console.print(f"  {note}", markup=False)
    for name, lost in found.lost.items():
        points = f"{lost.value:.2f} points (95% interval {lost.low:.2f} … {lost.high:.2f})"
        aside.print(f"{name}: loses {points} on {found.rows:,} test rows.")
    if not found.saved:
        aside.print(
            f"Not saved: more than {max_loss:g} points would be lost. Do less of it, train longer "
            "afterwards (--recover), allow more (--max-loss), or keep it all the same (--force)."
        )
        raise typer.Exit(1)
    aside.print(f"Saved: {found.directory} (page: {found.directory / 'compression.html'})")


def _table(found: Compression) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="On this machine, one thread", title_justify="left")
    table.add_column("variant")
    for name in found.prices[0].scores:
        table.add_column(escape(name), justify="right")
    for head in ("MB", "zipped", "memory", "one row, ms", "32 rows, ms"):
        table.add_column(head, justify="right")
    for price in found.prices:
        scores = [f"{score.words}\n{score.span}" for score in price.scores.values()]
        one, batch = (f"{a:.2f}\np95 {b:.2f}" for a, b in (price.one_ms, price.batch_ms))
        table.add_row(
            f"{escape(price.name)}\n{price.engine}",
            *scores,
            f"{price.file_mb:.2f}",
            f"{price.zipped_mb:.2f}",
            f"{price.memory_mb:.0f} MB",
            one,
            batch,
        )
    return table
