"""``polymodal index``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from polymodal.search.search_index import SearchIndex


def index(
    run: Annotated[Path | None, typer.Argument(help="A run directory.")] = None,
    table: Annotated[
        str | None, typer.Argument(help="The rows: CSV, TSV, JSONL, JSON, Parquet, tar, folder.")
    ] = None,
    out: Annotated[
        str, typer.Option("--out", help="The index: a folder, or an address (s3://…).")
    ] = "runs/index",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Input column to index; repeatable. Default: all."),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Column that names a row. Default: what the row holds.")
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Add rows, replace those with the same key.")
    ] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Make the index anew; it answers as before until then."),
    ] = False,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", help="Key of a row to remove; repeatable.")
    ] = None,
    dims: Annotated[
        int | None, typer.Option(help="Numbers kept of each vector (Matryoshka). Default: all.")
    ] = None,
    kind: Annotated[
        str, typer.Option(help="auto, ivf_pq, ivf_hnsw_sq, or exact (compares with every row).")
    ] = "auto",
    retune: Annotated[
        bool, typer.Option("--retune", help="Build and measure the indexes of vectors anew.")
    ] = False,
) -> None:
    """Put the rows of a table into a search index on disk; or say what is in one.

    Every row is kept with its own columns, a thumbnail, and a vector for each input column and for
    the whole row. Rows that were written stay, whatever happens: after an interruption, --add goes
    on.

    Examples:
        polymodal index runs/emoji emoji.csv --out emoji.index --key id

        polymodal index runs/emoji more.csv --out emoji.index --add

        polymodal index --out emoji.index --delete 1F600

        polymodal index --out emoji.index
    """
    from rich.console import Console

    from polymodal.cli.watched import watched
    from polymodal.errors import PolymodalError
    from polymodal.predictor import Predictor
    from polymodal.search.search_index import SearchIndex

    if add and replace:
        raise typer.BadParameter("--add and --replace contradict each other.")
    if (run is None) != (table is None):
        raise typer.BadParameter("name both a run directory and a table.")
    console = Console()
    try:
        if run is None or table is None:
            if add or replace:
                raise typer.BadParameter("name a run directory and a table.")
            opened = SearchIndex.open(out)
        elif add:
            opened = SearchIndex.open(out, predictor=Predictor.load(run))
            _give_way()
            said = watched(console, lambda tell: opened.add(table, tell=tell))
            console.print(
                f"{said.added:,} rows added, {said.updated:,} updated, {said.unchanged:,} there "
                "already.",
                highlight=False,
            )
        else:
            opened = watched(
                console,
                lambda tell: SearchIndex.build(
                    run, table, out, columns=column, key=key, replace=replace, dims=dims,
                    kind=kind, tell=tell,
                ),
            )  # fmt: skip
        if delete:
            console.print(f"{opened.delete(delete):,} rows removed.", highlight=False)
        if retune:
            watched(console, lambda tell: opened.tune(kind, tell=tell))
    except KeyboardInterrupt as error:
        raise PolymodalError(
            "Interrupted; the rows that were written stay. Go on with the same command and --add."
        ) from error
    _describe(console, opened)


def _give_way() -> None:
    """Let those who ask meanwhile go first, where the system knows of priorities."""
    import os

    if os.name == "posix":
        os.nice(10)


def _describe(console: Console, index: SearchIndex) -> None:
    from rich.table import Table

    from polymodal.search.result_view import measured_lines

    about = index.about
    columns = ", ".join(f"{name} ({kind})" for name, kind in about.modalities.items())
    console.print(f"{index.store.place}: {len(index):,} rows", style="bold", markup=False)
    asked = "any column asks for any" if about.aligned else "each column asks among its own"
    console.print(f"  made by {about.run}; {asked}", highlight=False, markup=False)
    console.print(f"  asks and answers: {columns}, whole rows", highlight=False, markup=False)
    console.print(f"  filters: {', '.join(index.fields)}", highlight=False, markup=False)
    if about.texts:
        console.print(f"  words of: {', '.join(about.texts)}", highlight=False, markup=False)
    if not about.whole:
        console.print(
            "  not all rows of the first table are there: it was interrupted; go on with --add",
            style="yellow",
        )
    lines = measured_lines(index)
    if not lines:
        console.print("  every row is compared with: recall is 1", highlight=False)
        return
    table = Table("vectors of", "index", "probes", "refine", "recall@10", "ms", box=None)
    for one in lines:
        table.add_row(
            one["column"],
            one["kind"] + (" (used)" if one["chosen"] else ""),
            str(one["probes"] or ""),
            str(one["refine"] or ""),
            f"{one['recall']:.3f}",
            f"{one['milliseconds']:.1f}",
        )
    console.print(table)
