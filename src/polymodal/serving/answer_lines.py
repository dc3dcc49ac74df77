"""Rows in, answers out, both as lines of JSON while they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from polymodal.serving.problem import Problem
from polymodal.serving.request_reader import read_lines
from polymodal.serving.served_model import Broken, ServedModel

PATIENCE = 0.02  # seconds between two looks whether there is room


class AnswerLines:
    """An ASGI response: one line for each line of the request, in their order.

    A line that cannot be answered is answered by ``{"row": …, "error": …}``; the others go on. No
    more rows are held than the network wants, so that a client that sends faster is slowed down.

    Args:
        request: its body is read while it is answered.
        model: gives the model that answers now.
        broken: what to do with cells that cannot be used.
    """

    def __init__(self, request: Request, model: Callable[[], ServedModel], broken: Broken) -> None:
        self._request, self._model, self._broken = request, model, broken
        limits = model().limits
        self._most_bytes = limits.bytes
        window = max(1, min(2 * limits.batch, limits.waiting // 2))
        self._tasks: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(window)
        self._held = 0
        self._freed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the body ends, or the client leaves."""
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        reader = asyncio.create_task(self._read())
        try:
            while (task := await self._tasks.get()) is not None:
                body = await task
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            reader.cancel()
            while not self._tasks.empty():
                task = self._tasks.get_nowait()
                if task is not None:
                    task.cancel()

    async def _read(self) -> None:
        number = 0
        try:
            async for line in read_lines(self._request, self._most_bytes):
                while self._held and self._held + len(line) > 2 * self._most_bytes:
                    self._freed.clear()
                    await self._freed.wait()
                self._held += len(line)
                await self._tasks.put(asyncio.create_task(self._line(number, line)))
                number += 1
        except Problem as problem:
            await self._tasks.put(asyncio.create_task(_told(number, problem)))
        except ClientDisconnect:
            pass
        await self._tasks.put(None)

    async def _line(self, number: int, line: bytes) -> bytes:
        told: dict[str, Any] = {"row": number}
        try:
            model = self._model()
            cells, name = model.request.parse(line)
            if name is not None:
                told["id"] = name
            while model.inside >= model.limits.waiting:
                await asyncio.sleep(PATIENCE)
            told |= await model.predict(cells, broken=self._broken)
        except Problem as problem:
            told["error"] = problem.to_dict()
        finally:
            self._held -= len(line)
            self._freed.set()
        return _written(told)


async def _told(number: int, problem: Problem) -> bytes:
    return _written({"row": number, "error": problem.to_dict()})


def _written(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
