"""What every request passes first: keys, sizes, times, headers, the log; and the page's doors."""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polymodal.serving.api_keys import ApiKeys
from polymodal.serving.limits import Limits
from polymodal.serving.problem import CONTENT_TYPE, Problem
from polymodal.serving.request_reader import too_large

OURS = re.compile(r"/(v1|-|healthz|readyz|metrics|docs|openapi\.json)(/|$)")
OPEN = ("/healthz", "/readyz")
MODEL = re.compile(r"/v1/models/[^/]+/")
ROUTES = {
    *OPEN, "/metrics", "/docs", "/openapi.json", "/-/reload", "/v1/models", "/v1/schema",
    "/v1/predict", "/v1/predict/batch", "/v1/explain", "/v1/embed", "/v1/search",
}  # fmt: skip
# What the page needs of Gradio; its other doors (proxy, monitoring, code editing …) stay shut.
PAGE = re.compile(
    r"/(|config|theme\.css|manifest\.json|favicon\.ico|robots\.txt|login|logout|pwa_icon.*"
    r"|(assets|static|svelte)/.+"
    r"|gradio_api/(upload|upload_progress|queue/(join|data)|heartbeat/.+|startup-events|reset|cancel"
    r"|app_id|token|user|login_check|theme\.css|info|file=/.+))/?"
)  # fmt: skip
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
}
API_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
# Gradio writes scripts and styles into its page; nothing is loaded from elsewhere.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' blob: data:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'self'"
)
log = logging.getLogger("polymodal.serving")


class Gate:
    """An ASGI application around another one.

    The log has method, route, status and time of each request; never what was asked.

    Args:
        inner: answers what passes.
        limits: of sizes and times.
        keys: who may ask; None lets everybody.
        seen: told route, status and seconds of each request.
    """

    def __init__(
        self,
        inner: ASGIApp,
        limits: Limits,
        *,
        keys: ApiKeys | None,
        seen: Callable[[str, int, float], None],
    ) -> None:
        self._inner, self._limits, self._keys, self._seen = inner, limits, keys, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it with a problem."""
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await _Passage(self._inner, self._limits, scope, receive, send).run(
                self._refused, self._seen
            )
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refused(self, scope: Scope) -> Problem | None:
        """Why a request is not let in; None if it is."""
        path, headers = scope["path"], Headers(scope=scope)
        if not OURS.match(path):
            shut = not PAGE.fullmatch(path) or ".." in path
            return Problem(404, "not-found", "There is nothing here.") if shut else None
        if self._keys is not None and path not in OPEN:
            scheme, _, key = headers.get("authorization", "").partition(" ")
            given = headers.get("x-api-key") or (key if scheme.lower() == "bearer" else "")
            if self._keys.accepts(given.strip()) is None:
                came = "a key that is not known" if given else "no key"
                return Problem(
                    401,
                    "no-key",
                    f"This server asks for a key, and {came} came. Send the header "
                    "'Authorization: Bearer KEY'; keys are made by polymodal serve --new-key.",
                    headers={"WWW-Authenticate": "Bearer"},
                )
        return None


class _Passage:
    """One request on its way."""

    def __init__(
        self, inner: ASGIApp, limits: Limits, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._inner, self._limits, self._scope = inner, limits, scope
        self._receive, self._send = receive, send
        self._ours = bool(OURS.match(scope["path"]))
        self._name = uuid.uuid4().hex[:12]
        self._status, self._arrived, self._came = 0, 0, False
        self._problem: Problem | None = None

    async def run(
        self,
        refused: Callable[[Scope], Problem | None],
        seen: Callable[[str, int, float], None],
    ) -> None:
        before = time.perf_counter()
        try:
            problem = refused(self._scope) or self._declared_too_large()
            if problem is not None:
                await self._tell(problem)
            else:
                await self._inner(self._scope, self._receive_bounded, self._send_dressed)
        except Problem as problem:
            await self._tell(problem)
        except Exception as error:  # an edge: noted without what was asked, and answered
            log.error("request %s failed: %s", self._name, type(error).__name__, exc_info=error)
            await self._tell(_failed(self._name))
        finally:
            route, seconds = _route(self._scope["path"]), time.perf_counter() - before
            seen(route, self._status, seconds)
            level = logging.INFO if self._ours or self._status >= 400 else logging.DEBUG
            log.log(level, "%s %s %s %d %.1f ms", self._name, _method(self._scope), route,
                    self._status, 1000 * seconds)  # fmt: skip

    def _declared_too_large(self) -> Problem | None:
        declared = Headers(scope=self._scope).get("content-length", "")
        most = self._most_bytes()
        large = declared.isdecimal() and most is not None and int(declared[:18]) > most
        return too_large(self._limits.bytes) if large else None

    def _most_bytes(self) -> int | None:
        """Of the whole body; None where lines are bounded one by one."""
        # Base64 and forms are longer than the files in them.
        streamed = self._scope["path"].endswith("/batch")
        return None if streamed else int(1.4 * self._limits.bytes) + 10_000

    async def _receive_bounded(self) -> Message:
        """The next part of the body, unless it is too much or too late."""
        if self._came:  # then only a client's leaving comes, whenever that may be
            return await self._receive()
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                message = await self._receive()
        except TimeoutError:
            self._problem = _too_slow(self._limits.answer_seconds)
            raise self._problem from None
        self._came = not message.get("more_body", False)
        self._arrived += len(message.get("body", b""))
        most = self._most_bytes()
        if most is not None and self._arrived > most:
            self._problem = too_large(self._limits.bytes)
            raise self._problem
        return message

    async def _send_dressed(self, message: Message) -> None:
        """Send with our headers; what was found out meanwhile comes before what was meant."""
        if self._problem is not None and not self._status:
            await self._tell(self._problem)
        elif message["type"] != "http.response.start":
            if self._problem is None or self._status != self._problem.status:
                await self._send(message)
        else:
            self._status = message["status"]
            await self._send({**message, "headers": self._dressed(message.get("headers", ()))})

    async def _tell(self, problem: Problem) -> None:
        if self._status:  # the answer has begun: all that is left is to end it
            return
        self._status = problem.status
        body = problem.body()
        headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body))}
        raw = [(k.lower().encode(), v.encode()) for k, v in (headers | problem.headers).items()]
        start: MutableMapping[str, Any] = {
            "type": "http.response.start", "status": problem.status, "headers": self._dressed(raw),
        }  # fmt: skip
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})

    def _dressed(self, headers: Any) -> list[tuple[bytes, bytes]]:
        ours = HEADERS | {"x-request-id": self._name}
        ours["content-security-policy"] = API_POLICY if self._ours else PAGE_POLICY
        if self._ours:
            ours["cache-control"] = "no-store"
        kept = [(k, v) for k, v in headers if k.lower().decode("latin-1") not in ours]
        return kept + [(k.encode(), v.encode()) for k, v in ours.items()]


def _route(path: str) -> str:
    """A path without what a client may have written into it."""
    plain = MODEL.sub("/v1/", path)
    if plain in ROUTES:
        return plain if plain == path else plain.replace("/v1/", "/v1/models/{model}/")
    return "(unknown)" if OURS.match(path) else "(page)"


def _method(scope: Scope) -> str:
    known = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH")
    return scope["method"] if scope["method"] in known else "(other)"


def _failed(name: str) -> Problem:
    return Problem(
        500, "failed", f"Something went wrong in the server. Its log has more, under {name}."
    )


def _too_slow(seconds: float) -> Problem:
    return Problem(
        408,
        "too-slow",
        f"The request did not arrive within {seconds:g} s. Send it again, faster.",
        headers={"Connection": "close"},
    )
