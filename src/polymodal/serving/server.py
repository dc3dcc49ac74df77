"""Starting the server and stopping it: nothing that was accepted is left unanswered."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from polymodal.errors import PolymodalError
from polymodal.serving.limits import Limits

STOP_SECONDS = 30
HEADER_SECONDS = 10.0


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        PolymodalError: the address is taken, or is none of this machine.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise PolymodalError(
            f"Cannot listen at {host}:{port}: {error.strerror or error}. Choose another --port, "
            "or stop what uses this one."
        ) from error
    # Inherited by each connection. asyncio sets it only on sockets that name TCP as their protocol;
    # without it an answer in two parts waits 40 ms for the client's acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def run(
    app: ASGIApp, listening: socket.socket, limits: Limits, *, started: Callable[[], None]
) -> None:
    """Serve until a signal comes; then answer what is inside, and return.

    Args:
        app: the application.
        listening: where clients come in.
        limits: of numbers and times.
        started: called when the first request can be answered.

    Raises:
        PolymodalError: the application did not start.
    """

    def ready() -> None:
        # Whatever is there now stays: looking through it for garbage, again and again, would stop
        # all answers for half a second.
        gc.collect()
        gc.freeze()
        started()

    server = make_server(app, limits, started=ready)
    # Uvicorn obeys a signal, and then raises it once more for whoever listened before it.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with suppress(KeyboardInterrupt):
            server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, before)
    if not server.started:
        raise PolymodalError("The server did not start; its log says why.")


def make_server(
    app: ASGIApp, limits: Limits, *, started: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """A server that can be run in any thread, and ends when ``should_exit`` is set."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        http=_impatient(AutoHTTPProtocol),
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
    )
    return _Server(config, started)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, told: Callable[[], None]) -> None:
        super().__init__(config)
        self._told = told

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._told()


def _impatient(protocol: Any) -> Any:
    """A protocol of HTTP that ends connections whose first request does not come."""

    class Impatient(protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            loop = asyncio.get_running_loop()
            self._patience = loop.call_later(HEADER_SECONDS, self._give_up, transport)

        def _give_up(self, transport: Any) -> None:
            if self.cycle is None:
                transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self._patience.cancel()
            super().connection_lost(exc)

    return Impatient
