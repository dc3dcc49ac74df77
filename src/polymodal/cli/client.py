"""``polymodal client``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polymodal.client import Client

KEY = "POLYMODAL_KEY"


def client(
    address: Annotated[str, typer.Argument(help="As `polymodal serve` prints it.")],
    task: Annotated[
        Literal["predict", "explain", "embed", "schema", "health"],
        typer.Argument(help="What to ask."),
    ] = "health",
    row: Annotated[
        str | None,
        typer.Argument(help="A row in JSON, a .json file, or a table; files are named by path."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Where the server has several.")] = None,
    key: Annotated[
        str | None, typer.Option(help=f"An API key. Default: {KEY} of the environment.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A .jsonl file for answers to a table.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option(help="Treat cells that cannot be used as missing.")
    ] = False,
) -> None:
    """Ask a server. It reads local files and sends their content.

    Examples:
        polymodal client http://127.0.0.1:8000 predict '{"photo": "a.jpg", "age": 54}'

        polymodal client http://127.0.0.1:8000 predict new.csv -o answers.jsonl
    """
    from polymodal.client import Client, read_row

    with Client(address, key=key or os.environ.get(KEY), model=model) as server:
        if task in ("schema", "health"):
            _show(server.schema() if task == "schema" else server.health())
            return
        if row is None:
            raise typer.BadParameter("give a row in JSON, or a table.", param_hint="ROW")
        if row.lstrip().startswith("{") or row.lower().endswith(".json"):
            folder = Path(row).parent if row.lower().endswith(".json") else Path()
            ask = {"predict": server.predict, "explain": server.explain, "embed": server.embed}
            _show(ask[task](read_row(row), folder=folder, skip_broken=skip_broken))
        else:
            _table(_answers(server, task, row, skip_broken), output)


def _answers(server: Client, task: str, table: str, skip: bool) -> Iterator[dict[str, Any]]:
    from polymodal.data.table import Table

    read = Table.read(table)
    cells = {name: read.cells(name) for name in read.names}
    rows = [{name: cells[name][i] for name in cells} for i in range(len(read))]
    if task == "predict":
        yield from server.predict_many(rows, folder=read.folder, skip_broken=skip)
        return
    ask = server.explain if task == "explain" else server.embed
    known = {field["name"] for field in server.schema()["inputs"]}
    for number, row in enumerate(rows):
        wanted = {name: cell for name, cell in row.items() if name in known}
        yield {"row": number, **ask(wanted, folder=read.folder, skip_broken=skip)}


def _show(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=1))


def _table(answers: Iterator[dict[str, Any]], output: Path | None) -> None:
    """One line for each row; at the end how many could not be answered."""
    from rich.console import Console

    rows, errors = 0, 0
    file = None if output is None else output.open("w", encoding="utf-8")
    try:
        for answer in answers:
            print(json.dumps(answer, ensure_ascii=False), file=file)
            rows, errors = rows + 1, errors + ("error" in answer)
    finally:
        if file is not None:
            file.close()
    console = Console(stderr=True, highlight=False, markup=False)
    console.print(f"{rows:,} rows; {errors:,} without an answer")
    if errors:
        raise typer.Exit(1)
