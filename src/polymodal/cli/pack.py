"""``polymodal pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from polymodal.cli.arguments import Changes, RecipeFile, Targets
from polymodal.cli.watched import watched


def pack(
    table: Annotated[str, typer.Argument(help="A table, as train takes it.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to make.")],
    target: Targets = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    to: Annotated[
        Literal["pack", "webdataset", "datasets"],
        typer.Option(help="pack: decoded; webdataset: tar files; datasets: for that library."),
    ] = "pack",
) -> None:
    """Put a table, its media and what they decode to into one folder.

    train and compare take the folder as their table, here or on another machine. What was
    interrupted goes on with the same command.

    Examples:
        polymodal pack data.csv -o packed --target label

        polymodal train packed --target label

        polymodal pack data.csv -o shards --to webdataset
    """
    from rich.console import Console

    from polymodal.cli.show import show_findings
    from polymodal.data.export import save_datasets, write_webdataset
    from polymodal.data.table import Table
    from polymodal.portable_pack import pack_table
    from polymodal.recipe import Recipe

    console = Console()
    if to != "pack":
        write = write_webdataset if to == "webdataset" else save_datasets
        write(Table.read(table), out)
        console.print(f"Written: {out}", style="bold", soft_wrap=True, markup=False)
        return
    done = watched(
        console,
        lambda tell: pack_table(
            table,
            out,
            target or None,
            recipe=Recipe.load(recipe).override(set_ or []),
            advance=lambda n, total: tell("decoding", n, total),
        ),
    )
    show_findings(console, done.findings)
    said = f"Packed: {done.folder} ({done.rows:,} rows, {done.size / 1e6:,.1f} MB)"
    console.print(said, style="bold", soft_wrap=True, markup=False)
