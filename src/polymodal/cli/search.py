"""``polymodal search``."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from polymodal.cli.arguments import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from polymodal.search.found import Found
    from polymodal.search.search_index import SearchIndex

LONGEST = 60  # characters of a value in the terminal
MOST_VALUES, MOST_KEY = 3, 16


def search(
    index: Annotated[str, typer.Argument(help="An index: a folder, or an address (s3://…).")],
    image: Annotated[Path | None, typer.Option(help="Ask with a picture.")] = None,
    text: Annotated[str | None, typer.Option(help="Ask with a text, by its meaning.")] = None,
    audio: Annotated[Path | None, typer.Option(help="Ask with a sound.")] = None,
    video: Annotated[Path | None, typer.Option(help="Ask with a video.")] = None,
    ask: Annotated[
        list[str] | None, typer.Option(help="Ask with any column, as column=cell; repeatable.")
    ] = None,
    row: Annotated[
        str | None, typer.Option(help="Ask with a whole row, as JSON: '{\"price\": 3}'.")
    ] = None,
    words: Annotated[
        str | None, typer.Option(help="Words to be found in the texts (BM25); joined by ranks.")
    ] = None,
    hybrid: Annotated[
        bool, typer.Option("--hybrid", help="Find the words of --text, too.")
    ] = False,
    weight: Annotated[
        list[str] | None,
        typer.Option(help="How much a column counts, as column=2; below 0: away from it."),
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(help="Column whose cells answer; 'row' for whole rows."),
    ] = None,
    where: Annotated[
        str | None, typer.Option(help='Only rows that pass, as SQL: "price < 10".')
    ] = None,
    k: Annotated[int, typer.Option("-k", help="How many rows.")] = 10,
    rerank: Annotated[
        bool, typer.Option("--rerank", help="Order the best by what the model makes of whole rows.")
    ] = False,
    run: Annotated[Path | None, typer.Option(help="The run directory, where it has moved.")] = None,
    page: Annotated[
        Path | None, typer.Option(help="Write a page with pictures and players: FILE.html.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    json_: AsJson = False,
) -> None:
    """Find the rows most like a picture, a text, a sound, a row, or several of these at once.

    Examples:
        polymodal search emoji.index --text "red heart"

        polymodal search shoes.index --image boot.jpg --text "in red" --where "price < 50" --open

        polymodal search emoji.index --words "猫" -k 5
    """
    from rich.console import Console

    from polymodal.files import write_file
    from polymodal.predictor import Predictor
    from polymodal.search.result_view import result_page
    from polymodal.search.search_index import SearchIndex

    opened = SearchIndex.open(index, predictor=None if run is None else Predictor.load(run))
    cells: dict[str, Any] = {}
    for modality, cell in (("image", image), ("text", text), ("audio", audio), ("video", video)):
        if cell is not None:
            cells[opened.column_for(modality, text or "")] = _cell(cell)
    cells |= {name: _anchored(opened, name, cell) for name, cell in _pairs(ask, "--ask").items()}
    if row is not None:
        cells = {"": _row(row)}
    weights = _weights(opened, _pairs(weight, "--weight"))
    if hybrid and text is None:
        raise typer.BadParameter("--hybrid finds the words of --text; give one, or use --words.")
    found = opened.search(
        cells,
        weights=weights,
        within="" if within == "row" else within,
        words=words or (text if hybrid and text else ""),
        where=where,
        k=k,
        rerank=rerank,
    )
    if open_ and page is None:
        page = Path("search.html")
    if page is not None:
        write_file(
            page, result_page(opened, found, command=shlex.join(["polymodal", *sys.argv[1:]]))
        )
    if json_:
        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
    else:
        _show(Console(), opened, found)
    if page is not None and not json_:
        print(f"Page: {page}")
    if open_ and page is not None:
        typer.launch(str(page.absolute()))


def _show(console: Console, index: SearchIndex, found: Found) -> None:
    from rich.table import Table

    named = ", ".join(name for name in found.asked if name) or "a row"
    console.print(
        f"{len(found.hits)} of {len(index):,} rows, asked with {named}: "
        f"{1000 * found.seconds:.0f} ms, of which {1000 * found.seconds_encoding:.0f} ms the model",
        highlight=False,
        markup=False,
    )
    shown = _columns(index)
    keys = min(max((len(_short(hit.key)) for hit in found.hits), default=3), MOST_KEY)
    table = Table(box=None, expand=True)
    for name, width in (("", 3), ("score", 6), ("key", max(keys, 3))):
        table.add_column(name, no_wrap=True, overflow="ellipsis", width=width)
    for name in shown:
        table.add_column(name, no_wrap=True, overflow="ellipsis", ratio=1)
    for place, hit in enumerate(found.hits, 1):
        values = [_short(hit.row.get(name)) for name in shown]
        table.add_row(str(place), f"{hit.score:.3f}", _short(hit.key), *values)
    console.print(table, markup=False)


def _columns(index: SearchIndex) -> list[str]:
    """The columns a terminal can show: texts first, then values."""
    fields, texts = index.about.layout.fields, index.about.texts
    names = [name for name, field in fields.items() if field in texts]
    media = {n for n, kind in index.columns.items() if kind not in ("text", "category", "number")}
    rest = [n for n in fields if n not in names and n not in media and n != index.about.layout.key]
    return [*names, *rest][:MOST_VALUES]


def _short(value: Any) -> str:
    words = "" if value is None else " ".join(str(value).split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"


def _cell(cell: Path | str) -> str:
    if isinstance(cell, Path):
        if not cell.is_file():
            raise typer.BadParameter(f"there is no file {str(cell)!r}.")
        return str(cell.absolute())
    return cell


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    pairs = [item.partition("=") for item in given or ()]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise typer.BadParameter(f"{name!r}: write column=value.", param_hint=option)
    return {name: value for name, _, value in pairs}


def _anchored(index: SearchIndex, name: str, cell: str) -> str:
    """A cell of ``--ask``; of a media column the path from here."""
    there = index.columns.get(name) in ("image", "audio", "video", "gallery", "points")
    return _cell(Path(cell)) if there else cell


def _row(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"not JSON: {error}.", param_hint="--row") from error
    if not isinstance(found, dict):
        raise typer.BadParameter('write an object: {"column": value}.', param_hint="--row")
    return found


def _weights(index: SearchIndex, given: dict[str, str]) -> dict[str, float]:
    """Weights by column; ``image``, ``text``, ``audio`` and ``video`` name the column that asks."""
    weights = {}
    for name, value in given.items():
        try:
            number = float(value)
        except ValueError as error:
            raise typer.BadParameter(f"{value!r} is no number.", param_hint="--weight") from error
        known = name in index.columns or name not in ("image", "text", "audio", "video")
        weights[name if known else index.column_for(name)] = number
    return weights
