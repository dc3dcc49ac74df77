"""``polymodal serve``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from polymodal.serving.model_registry import ModelRegistry


def serve(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Run directories; several as NAME=RUN.")
    ] = None,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="Only who has one of these keys may ask.")
    ] = None,
    new_key: Annotated[
        Path | None, typer.Option(help="Add a key to this file, print it, and stop.")
    ] = None,
    key_name: Annotated[str, typer.Option(help="Who gets the new key.")] = "default",
    engine: Annotated[str, typer.Option(help="torch, or onnx where it was exported.")] = "torch",
    workers: Annotated[
        int, typer.Option(help="Processes that decode; 0 chooses.", min=0, max=256)
    ] = 0,
    threads: Annotated[
        int, typer.Option(help="Threads of the network; 0 chooses.", min=0, max=1024)
    ] = 0,
    max_batch: Annotated[int, typer.Option(help="Rows computed together.", min=1)] = 32,
    max_wait_ms: Annotated[
        float, typer.Option(help="How long they wait for each other.", min=0)
    ] = 5.0,
    max_waiting: Annotated[
        int, typer.Option(help="Rows on their way; more get a 503.", min=1)
    ] = 256,
    max_mb: Annotated[float, typer.Option(help="Size of a request.", min=0.001)] = 20.0,
    max_megapixels: Annotated[float, typer.Option(help="Of a picture.", min=0.001)] = 50.0,
    max_seconds: Annotated[float, typer.Option(help="Of a video.", min=0.1)] = 600.0,
    timeout: Annotated[float, typer.Option(help="Seconds for an answer.", min=0.1)] = 30.0,
    decode_timeout: Annotated[
        float, typer.Option(help="Seconds for decoding one row.", min=0.1)
    ] = 10.0,
    page: Annotated[bool, typer.Option(help="A page for people at /.")] = True,
    cors: Annotated[
        list[str] | None, typer.Option(help="A web address whose pages may ask; repeatable.")
    ] = None,
    index: Annotated[
        Path | None, typer.Option(help="An index of the run: /v1/search looks in it.")
    ] = None,
    watch: Annotated[
        float, typer.Option(help="Look for a new version every so many seconds; 0: never.", min=0)
    ] = 2.0,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option(help="Of the log.")
    ] = "info",
) -> None:
    """Answer over HTTP, with a page for people.

    Examples:
        polymodal serve runs/mine

        polymodal serve a=runs/first b=runs/second --port 9000

        polymodal serve --new-key keys.txt --key-name anna
    """
    if new_key is not None:
        _make_key(new_key, key_name)
        return
    if not runs:
        raise typer.BadParameter("name a run directory.", param_hint="RUNS")
    directories = named_runs(runs)
    import logging
    from dataclasses import replace
    from functools import partial

    from polymodal.errors import MissingExtra

    try:
        from polymodal.serving.application import Serving, build_application
    except ImportError as error:
        raise MissingExtra(error.name or "fastapi", "serve") from error
    from polymodal.serving.api_keys import ApiKeys
    from polymodal.serving.engines import load_engine, share_cores
    from polymodal.serving.limits import Limits
    from polymodal.serving.model_registry import ModelRegistry
    from polymodal.serving.server import listen, run

    logging.basicConfig(level=log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    limits = Limits(
        megabytes=max_mb, megapixels=max_megapixels, seconds=max_seconds,
        decode_seconds=decode_timeout, answer_seconds=timeout, waiting=max_waiting,
        batch=max_batch, batch_wait=max_wait_ms / 1000,
    )  # fmt: skip
    chosen_workers, chosen_threads = share_cores(workers, threads)
    load = partial(load_engine, kind=engine, threads=chosen_threads)
    registry = ModelRegistry(directories, load, limits=limits, workers=chosen_workers)
    serving = Serving(
        keys=None if keys is None else ApiKeys(keys), page=page, origins=tuple(cors or ()),
        watch=watch,
    )  # fmt: skip
    registry.load()
    if index is not None:
        from polymodal.serving.served_index import ServedIndex

        serving = replace(serving, index=ServedIndex.open(index, registry))
    listening = listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    app = build_application(registry, serving)
    run(app, listening, limits, started=partial(_greet, registry, address, serving.page, keys))


def named_runs(runs: list[str]) -> dict[str, Path]:
    """Name -> run directory, of ``RUN`` or ``NAME=RUN``."""
    import re

    found: dict[str, Path] = {}
    for given in runs:
        name, equals, place = given.partition("=")
        if not equals or Path(given).is_dir():
            name, place = Path(given).absolute().name, given
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}", name):
            raise typer.BadParameter(
                f"{name!r} cannot be a model's name in an address: give one of letters and "
                f"digits, as mine={place}.", param_hint="RUNS",
            )  # fmt: skip
        if name in found:
            raise typer.BadParameter(
                f"two models are called {name!r}: name them, as a=… b=….", param_hint="RUNS"
            )
        found[name] = Path(place)
    return found


def _make_key(path: Path, name: str) -> None:
    from rich.console import Console

    from polymodal.serving.api_keys import new_key

    key = new_key(path, name)
    print(key)
    Console(stderr=True, highlight=False, markup=False).print(
        f"This key of {name!r} is shown only now; {path} keeps its hash. "
        f"Start the server with --keys {path}."
    )


def _greet(registry: ModelRegistry, address: str, page: bool, keys: Path | None) -> None:
    from rich.console import Console

    from polymodal.serving.docs_page import curl
    from polymodal.serving.openapi import describe_api

    api = describe_api(registry, address)
    path = next(path for path, ways in api["paths"].items() if "post" in ways)
    line = curl(f"{address}{path}", "post", api["paths"][path]["post"])
    if keys is not None:
        line += " -H 'Authorization: Bearer KEY'"
    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for name in registry.names:
        model = registry.get(name)
        console.print(f"model  {name}, version {model.version}, by {model.engine.kind}")
    if page:
        console.print(f"page   {address}/")
    console.print(f"docs   {address}/docs")
    console.print(f"try    {line}")
