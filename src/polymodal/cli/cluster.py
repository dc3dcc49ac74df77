"""``polymodal cluster``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from polymodal.cli.arguments import AsJson

if TYPE_CHECKING:
    import pyarrow
    from rich.console import Console

    from polymodal.clustering.clustering import Clustering

ENDINGS = (".csv", ".parquet", ".jsonl")


def cluster(
    source: Annotated[
        str, typer.Argument(help="A run directory, whose vectors are compared; or a table.")
    ],
    table: Annotated[
        str | None, typer.Argument(help="The rows, if a run directory comes first.")
    ] = None,
    k: Annotated[str, typer.Option("--k", help="How many groups, or auto.")] = "auto",
    method: Annotated[
        Literal["kmeans", "hdbscan", "spectral"], typer.Option(help="How groups are made.")
    ] = "kmeans",
    column: Annotated[
        list[str] | None,
        typer.Option("--column", help="Compare rows by this column; repeatable. Default: all."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="Column to compare groups with; it does not count otherwise."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Column that names a row.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Each row's group: .csv, .parquet or .jsonl."),
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page with a map to hover over: FILE.html.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    json_: AsJson = False,
) -> None:
    """Find groups of rows that are alike, name them, and say how sure they are.

    With a run, rows are compared by what its model makes of them. With a table alone, by hand-made
    features: colours, bands, words, values.

    Examples:
        polymodal cluster runs/emoji emoji.csv --page map.html

        polymodal cluster data.csv --label kind --k 8 -o groups.csv
    """
    import json

    from rich.console import Console

    from polymodal.cli.watched import watched
    from polymodal.clustering.cluster_view import cluster_page
    from polymodal.clustering.clustering import cluster as find
    from polymodal.files import write_file
    from polymodal.predictor import Predictor

    if output is not None and output.suffix.lower() not in ENDINGS:
        raise typer.BadParameter(
            f"{output.name!r}: write to a file ending in {', '.join(ENDINGS)}.",
            param_hint="--output",
        )
    if k != "auto" and not k.isdigit():
        raise typer.BadParameter(f"{k!r}: a number, or auto.", param_hint="--k")
    run = None if table is None else Predictor.load(source)
    data = source if table is None else table
    console = Console(stderr=json_)
    found = watched(
        console,
        lambda tell: find(
            data,
            run,
            k="auto" if k == "auto" else int(k),
            method=method,
            columns=column or None,
            labels=label or None,
            key=key,
            seed=seed,
            tell=tell,
        ),
    )
    if output is not None:
        _write(output, found.to_table())
    if page is not None:
        title = f"{Path(data).name}: groups of rows that are alike"
        command = shlex.join(["polymodal", *sys.argv[1:]])
        html = watched(
            console,
            lambda tell: cluster_page(found, title=title, command=command, tell=tell, seed=seed),
        )
        write_file(page, html)
    if json_:
        print(json.dumps(_as_dict(found), ensure_ascii=False, indent=1))
    else:
        _show(console, found)
    for what, path in (("Groups", output), ("Page", page)):
        if path is not None:
            console.print(f"{what}: {path}", highlight=False, markup=False)


def _show(console: Console, found: Clustering) -> None:
    from rich.table import Table

    from polymodal.clustering.cluster_view import facts

    console.print(f"Compared by {found.vectors.made_by}", highlight=False, markup=False)
    table = Table("", "rows", "group", box=None)
    for number, name in enumerate(found.names):
        table.add_row(str(number), f"{found.size(number):,}", name)
    outside = int((found.groups < 0).sum())
    if outside:
        table.add_row("", f"{outside:,}", "in no group", style="dim")
    console.print(table, markup=False)
    for name, (value, meaning) in facts(found).items():
        console.print(f"{name} {value}: {meaning}", highlight=False, markup=False)
    for one in found.alone:
        scores = ", ".join(f"ARI with {a.label} {a.ari:.2f}" for a in one.agreements)
        console.print(
            f"  {one.compared_by} alone: silhouette {one.silhouette:.2f}"
            + (f", {scores}" if scores else ""),
            highlight=False,
            markup=False,
        )


def _as_dict(found: Clustering) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "compared_by": found.vectors.made_by,
        "method": found.method,
        "groups": [
            {"cluster": number, "name": name, "rows": found.size(number)}
            for number, name in enumerate(found.names)
        ],
        "silhouette": found.silhouette,
        "stability": found.stability,
        "agreements": [asdict(one) for one in found.agreements],
        "alone": [asdict(one) for one in found.alone],
        "tried": found.tried,
    }


def _write(path: Path, rows: pyarrow.Table) -> None:
    import json

    from pyarrow import csv, parquet

    from polymodal.files import write_file

    ending = path.suffix.lower()
    if ending == ".csv":
        write_file(path, lambda place: csv.write_csv(rows, str(place)))
    elif ending == ".parquet":
        write_file(path, lambda place: parquet.write_table(rows, str(place)))
    else:
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows.to_pylist())
        write_file(path, "".join(lines))
