"""``polymodal clean``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymodal.cli.arguments import Changes, RecipeFile, Targets
from polymodal.cli.watched import watched

if TYPE_CHECKING:
    from rich.console import Console

    from polymodal.repairs.cleaning import Cleaning

LONGEST_CELL = 40
MOST_LINES = 30


def clean(
    table: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, JSONL, JSON, Parquet, glob or folder; the cleaned table with --undo."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="The cleaned table, or a folder for it; with --undo the table as it was.",
        ),
    ] = None,
    target: Targets = None,
    recipe: RecipeFile = None,
    set_: Changes = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the result of another cleaning.")
    ] = False,
    undo: Annotated[
        Path | None, typer.Option(help="A repairs.jsonl: write the table as it was.")
    ] = None,
) -> None:
    """Repair what is wrong with a table, and record every change.

    The table itself is never changed. What may be repaired is the section `clean` of a recipe:
    `polymodal recipe TABLE` shows it.

    Examples:
        polymodal clean data.csv --target label -o cleaned/

        polymodal clean data.csv -t price --set clean.fill=median --dry-run

        polymodal clean --undo cleaned/repairs.jsonl cleaned/data.csv -o original.csv
    """
    from rich.console import Console

    from polymodal.errors import RecipeError

    console = Console()
    if out is None and not dry_run:
        raise RecipeError("Name the output with -o, or say --dry-run to see what would be done.")
    if undo is not None:
        from polymodal.repairs.undo import undo as put_back

        assert out is not None or dry_run
        if out is None:
            raise RecipeError("--undo writes the table as it was: name it with -o.")
        path = put_back(undo, table, out)
        console.print(f"The table as it was: {path}", style="bold", markup=False, soft_wrap=True)
        return
    from polymodal.recipe import Recipe
    from polymodal.repairs.cleaning import clean as repair

    chosen = Recipe.load(recipe).override(set_ or [])
    found = watched(
        console,
        lambda tell: repair(
            table,
            target or None,
            recipe=chosen,
            out=None if dry_run else out,
            overwrite=overwrite,
            tell=tell,
        ),
    )
    _show(console, found)
    if found.path is None:
        console.print("Nothing was written (--dry-run).", style="bold")
        return
    console.print(f"Cleaned: {found.path}", style="bold", markup=False, soft_wrap=True)
    console.print(f"Every change: {found.record}", markup=False, soft_wrap=True)


def _show(console: Console, found: Cleaning) -> None:
    """What was repaired, what was left alone and why."""
    from rich.markup import escape
    from rich.table import Table

    repaired = Table(title=_headline(found), title_justify="left")
    for name in ("found", "column", "repair", "count", "for example"):
        repaired.add_column(name, justify="right" if name == "count" else "left")
    changes = found.summary()
    for change in changes[:MOST_LINES]:
        example = ""
        if change.example is not None:
            example = " → ".join(_told_apart(*change.example))
        repaired.add_row(
            change.why,
            escape(change.column) or "whole rows",
            escape(change.rule),
            f"{change.times:,}",
            escape(example),
        )
    if changes:
        console.print(repaired)
        if len(changes) > MOST_LINES:
            console.print(f"… and {len(changes) - MOST_LINES} more kinds of repair.")
    else:
        console.print(f"{_headline(found)}.")
    if found.left:
        left = Table(title="Left as it was", title_justify="left")
        for name in ("found", "column", "rows", "why"):
            left.add_column(name, justify="right" if name == "rows" else "left")
        for one in found.left[:MOST_LINES]:
            left.add_row(one.kind, escape(one.column) or "–", f"{one.rows:,}", escape(one.reason))
        console.print(left)
        if len(found.left) > MOST_LINES:
            console.print(f"… and {len(found.left) - MOST_LINES} more.")


def _headline(found: Cleaning) -> str:
    cells = sum(1 for r in found.repairs if r.column and r.row is not None)
    gone = sum(1 for r in found.repairs if not r.column)
    if not found.repairs:
        return "Nothing to repair"
    return f"Repaired: {cells:,} cells changed, {gone:,} of {found.rows:,} rows dropped"


def _told_apart(before: object, after: object) -> tuple[str, str]:
    """Two cells in short, about where they differ."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return _short(before), _short(after)
    pairs = enumerate(zip(before, after, strict=False))
    same = next((i for i, (a, b) in pairs if a != b), min(len(before), len(after)))
    start = max(0, same - LONGEST_CELL // 3)
    return _short(before, start), _short(after, start)


def _short(cell: object, start: int = 0) -> str:
    if cell is None:
        return "–"
    text = str(cell).replace("\n", "⏎")[start:]
    text = text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
    return f"'{'…' if start else ''}{text}'" if isinstance(cell, str) else text
