"""What the page uploads: kept in one folder, and read from nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polymodal.serving.problem import Problem

ASKING = ("/queue/join",)


class OnlyUploads:
    """An ASGI application around Gradio's: no paths and addresses but those of uploads.

    Gradio would fetch an address that stands where an uploaded file should.

    Args:
        inner: Gradio's application.
        folder: where uploads are.
    """

    def __init__(self, inner: ASGIApp, folder: Path) -> None:
        self._inner, self._folder = inner, folder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look at what asks the model, and let all else pass."""
        asks = scope["type"] == "http" and scope["path"].rstrip("/").endswith(ASKING)
        if not asks or scope["method"] != "POST":
            await self._inner(scope, receive, send)
            return
        body, more = bytearray(), True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self._check(bytes(body))
        told = False

        async def again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._inner(scope, again, send)

    def _check(self, body: bytes) -> None:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise Problem(400, "not-json", "The page sent something that is no JSON.") from None
        if not isinstance(content, dict) or not isinstance(content.get("data"), list):
            raise Problem(422, "unreadable-input", "The page sent no data.")
        for path in _paths(content):
            if not inside(path, self._folder):
                raise Problem(
                    422, "unreadable-input", "The server opens no paths and no addresses: upload "
                    "the file.",
                )  # fmt: skip


def inside(path: object, folder: Path) -> bool:
    """Whether a path is of a file in a folder."""
    if not isinstance(path, str) or "\0" in path:
        return False
    found = Path(os.path.realpath(path))
    return found.is_relative_to(folder.resolve()) and found.is_file()


def _paths(content: Any) -> list[object]:
    """What stands where a path would, however deep."""
    found: list[object] = []
    waiting = [content]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found += [v for k, v in one.items() if k == "path" and v is not None]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found
