"""The addresses of the server, and what answers at each."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp

from polymodal.serving import docs_page, openapi
from polymodal.serving.answer_lines import AnswerLines
from polymodal.serving.api_keys import ApiKeys
from polymodal.serving.gate import Gate
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.monitoring import CONTENT_TYPE as PROMETHEUS
from polymodal.serving.problem import CONTENT_TYPE, Problem
from polymodal.serving.request_reader import broken_of, read_row
from polymodal.serving.search_route import search_route
from polymodal.serving.served_index import ServedIndex
from polymodal.serving.served_model import ServedModel
from polymodal.serving.web_page import mounted_page

Handler = Callable[[Request], Awaitable[Any]]
TASKS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, Any]]]] = {
    "predict": ServedModel.predict,
    "explain": ServedModel.explain,
    "embed": ServedModel.embed,
}
OURS = ("/v1/{rest:path}", "/-/{rest:path}", "/healthz", "/readyz", "/metrics", "/docs")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
GONE = 499  # nobody reads it; the log and the figures do


@dataclass(frozen=True)
class Serving:
    """How a server is to behave.

    Args:
        keys: who may ask; None lets everybody.
        page: whether there is a page for people at ``/``.
        origins: web addresses whose pages may ask (CORS); none unless asked for.
        watch: seconds between two looks whether a run has changed; 0 never looks.
        index: to be searched; None where there is none.
    """

    keys: ApiKeys | None = None
    page: bool = True
    origins: tuple[str, ...] = ()
    watch: float = 2.0
    index: ServedIndex | None = None


def build_application(registry: ModelRegistry, serving: Serving) -> ASGIApp:
    """The whole server as one ASGI application.

    Args:
        registry: of the models; loaded when the application starts.
        serving: how the server is to behave.
    """
    app = FastAPI(
        lifespan=partial(_lifespan, registry=registry, serving=serving),
        docs_url=None, redoc_url=None, openapi_url=None,
    )  # fmt: skip
    app.router.routes[:] = _routes(registry, serving.index)
    known = tuple(route for route in app.router.routes if isinstance(route, Route))
    for path in OURS:
        app.router.routes.append(Route(path, partial(_unknown, known), methods=METHODS))
    for kind, handler in ((Problem, _problem), (HTTPException, _http), (ClientDisconnect, _gone)):
        app.add_exception_handler(kind, handler)
    inner: ASGIApp = app
    if serving.origins:
        from starlette.middleware.cors import CORSMiddleware

        inner = CORSMiddleware(
            app, allow_origins=serving.origins, allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        )  # fmt: skip
    return Gate(inner, registry.limits, keys=serving.keys, seen=registry.monitoring.request)


@asynccontextmanager
async def _lifespan(app: FastAPI, registry: ModelRegistry, serving: Serving) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        await registry.start()
        stack.push_async_callback(registry.close)
        if serving.page:
            await stack.enter_async_context(
                mounted_page(app, registry, serving.keys, serving.index)
            )
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[Any]] = set()
        if serving.watch:
            tasks.add(asyncio.create_task(registry.watch(serving.watch)))
        with suppress(ValueError, RuntimeError, NotImplementedError, AttributeError):
            # Only in a main thread, and not on Windows.
            loop.add_signal_handler(
                signal.SIGHUP, lambda: tasks.add(asyncio.create_task(registry.reload()))
            )
        yield
        for task in tasks:
            task.cancel()


def _routes(registry: ModelRegistry, index: ServedIndex | None) -> list[Route]:
    routes = []
    for place in ("/v1", "/v1/models/{model}"):
        for task in TASKS:
            routes.append(Route(f"{place}/{task}", _answer(registry, task), methods=["POST"]))
        batch = partial(_batch, registry)
        routes.append(Route(f"{place}/predict/batch", batch, methods=["POST"]))
        routes.append(Route(f"{place}/schema", partial(_schema, registry), methods=["GET"]))
    others: dict[str, Callable[[ModelRegistry, Request], Awaitable[Any]]] = {
        "/v1/models": _models, "/healthz": _alive, "/readyz": _ready, "/metrics": _metrics,
        "/openapi.json": partial(_openapi, index), "/docs": partial(_docs, index),
    }  # fmt: skip
    routes += [Route(p, partial(h, registry), methods=["GET"]) for p, h in others.items()]
    if index is not None:
        routes.append(search_route(index))
    routes.append(Route("/-/reload", partial(_reload, registry), methods=["POST"]))
    return routes


def _answer(registry: ModelRegistry, task: str) -> Handler:
    async def answer(request: Request) -> Response:
        model = registry.get(request.path_params.get("model"))
        broken = broken_of(request)
        asked = await read_row(request, model.request, model.limits.bytes)
        found = await _unless_gone(request, TASKS[task](model, asked.cells, broken=broken))
        if asked.id is not None:
            found = {"id": asked.id, **found}
        return _json(found)

    return answer


async def _unless_gone(
    request: Request, answering: Coroutine[Any, Any, dict[str, Any]]
) -> dict[str, Any]:
    """What is answered; the work is given up when the client leaves."""
    answer = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({answer, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            raise ClientDisconnect
        return answer.result()
    finally:
        answer.cancel()
        leaving.cancel()


async def _batch(registry: ModelRegistry, request: Request) -> AnswerLines:
    broken, name = broken_of(request), request.path_params.get("model")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/x-ndjson", "application/jsonl", "application/json-lines"):
        raise Problem(
            415, "unknown-content-type",
            f"Content-Type is {kind[:60]!r}; expected application/x-ndjson, one row a line: "
            '{"inputs": {…}}.',
        )  # fmt: skip
    return AnswerLines(request, partial(registry.get, name), broken)


async def _schema(registry: ModelRegistry, request: Request) -> Response:
    model = registry.get(request.path_params.get("model"))
    fields = [
        {
            "name": field.name, "modality": field.kind, "columns": field.columns,
            "expected": field.expected, "file": field.is_file, "choices": field.choices,
        }
        for field in model.request.fields.values()
    ]  # fmt: skip
    targets = [
        {
            "name": name, "modality": modality.name,
            "labels": [str(label) for label in getattr(modality, "labels", ())],
        }
        for name, modality in model.engine.targets.items()
    ]  # fmt: skip
    return _json(
        {
            "model": model.name, "version": model.version, "engine": model.engine.kind,
            "inputs": fields, "targets": targets, "example": model.request.example,
            "columns": model.engine.schema.to_dict()["columns"],
            "same_from": model.engine.same_from,
        }
    )  # fmt: skip


async def _models(registry: ModelRegistry, _: Request) -> Response:
    models = [registry.get(name) for name in registry.names]
    return _json({"models": [{"name": m.name, "version": m.version} for m in models]})


async def _alive(_: ModelRegistry, __: Request) -> Response:
    return _json({"status": "alive"})


async def _ready(registry: ModelRegistry, _: Request) -> Response:
    models = [registry.get(name) for name in registry.names]
    idle = [model.name for model in models if not model.pool.processes]
    if idle:
        raise Problem(
            503, "not-ready", "The workers are being started.", headers={"Retry-After": "1"}
        )
    return _json({"status": "ready", "models": {m.name: m.version for m in models}})


async def _metrics(registry: ModelRegistry, _: Request) -> Response:
    return Response(registry.monitoring.text(), headers={"content-type": PROMETHEUS})


async def _openapi(
    index: ServedIndex | None, registry: ModelRegistry, request: Request
) -> Response:
    return _json(openapi.describe_api(registry, str(request.base_url), index))


async def _docs(index: ServedIndex | None, registry: ModelRegistry, request: Request) -> Response:
    api = openapi.describe_api(registry, str(request.base_url), index)
    return HTMLResponse(docs_page.render(api))


async def _reload(registry: ModelRegistry, _: Request) -> Response:
    return _json({"models": await registry.reload()})


async def _unknown(routes: tuple[Route, ...], request: Request) -> Response:
    """No such address, or not by this method."""
    allowed = {
        method
        for route in routes
        if route.matches({**request.scope, "method": "GET"})[0] is not Match.NONE
        for method in route.methods or ()
        if method != "HEAD"
    }
    if allowed:
        listed = ", ".join(sorted(allowed))
        raise Problem(
            405, "wrong-method", f"This address answers {listed} only.", headers={"Allow": listed}
        )
    raise Problem(
        404,
        "not-found",
        "There is no such address. Known: /v1/predict, /v1/predict/batch, /v1/explain, /v1/embed, "
        "/v1/schema, /v1/models, the same under /v1/models/NAME/, and /docs, which explains them.",
    )


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return Response(
        error.body(), error.status, headers={"content-type": CONTENT_TYPE, **error.headers}
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    allowed: Mapping[str, str] = error.headers or {}
    if error.status_code == 405:
        listed = ", ".join(m for m in allowed.get("Allow", "").split(", ") if m != "HEAD")
        problem = Problem(
            405, "wrong-method", f"This address answers {listed} only.", headers={"Allow": listed}
        )
    else:
        problem = Problem(error.status_code, "not-answered", str(error.detail), headers=allowed)
    return await _problem(request, problem)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=GONE)


def _json(content: Mapping[str, Any]) -> Response:
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    return Response(body, media_type="application/json")
