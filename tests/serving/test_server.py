"""Stopping: a signal that was obeyed is no failure."""

import signal
from types import SimpleNamespace
from typing import Any

import pytest

from polymodal.serving import server
from polymodal.serving.limits import Limits


def test_sigterm_that_was_obeyed_ends_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(**_: Any) -> None:
        signal.raise_signal(signal.SIGTERM)  # as uvicorn does when it has stopped

    stub = SimpleNamespace(run=stopped, started=True)
    monkeypatch.setattr(server, "make_server", lambda *_, **__: stub)
    before = signal.getsignal(signal.SIGTERM)
    listening = server.listen("127.0.0.1", 0)
    server.run(None, listening, Limits(), started=lambda: None)  # type: ignore[arg-type]
    listening.close()
    assert signal.getsignal(signal.SIGTERM) is before
