"""A server in a thread of the tests, and a connection to it."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest

from polymodal.serving.application import Serving, build_application
from polymodal.serving.engines import load_engine
from polymodal.serving.limits import Limits
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.served_index import ServedIndex
from polymodal.serving.server import listen, make_server

QUIET = Serving(page=False, watch=0)
Serve = Callable[..., object]


@contextmanager
def running(
    runs: Mapping[str, Path],
    limits: Limits | None = None,
    serving: Serving = QUIET,
    index: Path | None = None,
) -> Iterator[httpx.Client]:
    """A client of a server that runs as long as the context."""
    limits = limits or Limits()
    registry = ModelRegistry(runs, partial(load_engine, kind="torch"), limits=limits, workers=1)
    if index is not None:
        serving = replace(serving, index=ServedIndex.open(index, registry))
    server = make_server(build_application(registry, serving), limits)
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        began = time.monotonic()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() - began < 60
            time.sleep(0.02)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.fixture(scope="session")
def serve() -> Serve:
    """:func:`running`, for tests that want a server of their own."""
    return running


@pytest.fixture(scope="session")
def server(whole_run: Path, ink_run: Path) -> Iterator[httpx.Client]:
    """A client of a server of two models: every input and three targets; and a number."""
    with running({"whole": whole_run, "ink": ink_run}) as client:
        yield client
