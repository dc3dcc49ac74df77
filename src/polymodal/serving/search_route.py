"""Looking for rows like one that is sent: ``/v1/search``, where an index is served too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polymodal.errors import PolymodalError
from polymodal.search.search_index import SearchIndex
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.problem import Problem

AT_ONCE = 4
MOST_HITS = 100


class _Question(BaseModel):
    """What may be sent; the inputs are checked by the model's own description."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    inputs: dict[str, Any] = Field(default_factory=dict)
    words: Annotated[StrictStr, Field(max_length=1000)] = ""
    k: Annotated[StrictInt, Field(ge=1, le=MOST_HITS)] = 10
    within: StrictStr | None = None


def search_route(place: Path, registry: ModelRegistry) -> Route:
    """The route of an index that the first model's run has made.

    Args:
        place: the folder of the index, as ``polymodal index`` wrote it.
        registry: of the models; the first one decodes what is asked.

    Raises:
        PolymodalError: there is no index, or its model is gone.
    """
    index = SearchIndex.open(place)
    index.predictor  # noqa: B018  # loaded now, not at the first question
    answer = partial(_search, index, registry, asyncio.Semaphore(AT_ONCE))
    endpoint: Callable[[Request], Awaitable[Response]] = answer
    return Route("/v1/search", endpoint, methods=["POST"])


async def _search(
    index: SearchIndex, registry: ModelRegistry, turns: asyncio.Semaphore, request: Request
) -> Response:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise Problem(415, "unknown-content-type", "Send application/json.")
    try:
        question = _Question.model_validate_json(await request.body())
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()
        )
        raise Problem(
            422,
            "unreadable-input",
            f'{told}. Expected {{"inputs": {{…}}, "words": "…", "k": 10}}.',
        ) from None
    cells: dict[str, Any] = {}
    if question.inputs:
        model = registry.get()
        written = json.dumps({"inputs": question.inputs}).encode()
        given = model.request.parse(written)[0]
        # Decoded by a worker first: what would break a process breaks that one.
        await model.check(given)
        cells = model.request.columns(given)
    look = partial(index.search, cells, words=question.words, k=question.k, within=question.within)
    try:
        async with turns:
            found = await asyncio.to_thread(look)
    except PolymodalError as error:
        raise Problem(422, "cannot-search", str(error)) from error
    hits = [hit.to_dict() for hit in found.hits]
    body = json.dumps({"hits": hits, "seconds": round(found.seconds, 6)}, ensure_ascii=False)
    return Response(body.encode("utf-8", "replace"), media_type="application/json")
