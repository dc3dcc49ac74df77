"""Looking for rows like one that is sent: ``/v1/search``, where an index is served too."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polymodal.serving.problem import Problem
from polymodal.serving.row_filter import LONGEST
from polymodal.serving.served_index import MOST_HITS, MOST_WORDS, Question, ServedIndex

PLACE = "/v1/search"


class _Sent(BaseModel):
    """What may be sent; the inputs are checked by the model's own description."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    inputs: dict[str, Any] = Field(default_factory=dict)
    words: Annotated[StrictStr, Field(max_length=MOST_WORDS)] = ""
    where: Annotated[StrictStr, Field(max_length=LONGEST)] | None = None
    k: Annotated[StrictInt, Field(ge=1, le=MOST_HITS)] = 10
    within: StrictStr | None = None


def search_route(index: ServedIndex) -> Route:
    """The route of an index."""
    return Route(PLACE, partial(_search, index), methods=["POST"])


async def _search(index: ServedIndex, request: Request) -> Response:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise Problem(415, "unknown-content-type", "Send application/json.")
    try:
        sent = _Sent.model_validate_json(await request.body())
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}" for one in error.errors()
        )
        raise Problem(
            422,
            "unreadable-input",
            f'{told}. Expected {{"inputs": {{…}}, "words": "…", "where": "…", "k": 10}}.',
        ) from None
    cells: dict[str, Any] = {}
    if sent.inputs:
        cells = index.model.request.parse(json.dumps({"inputs": sent.inputs}).encode())[0]
    found = await index.search(Question(cells, sent.words, sent.where, sent.k, sent.within))
    body = json.dumps(found.to_dict(), ensure_ascii=False)
    return Response(body.encode("utf-8", "replace"), media_type="application/json")


def describe_question(index: ServedIndex) -> dict[str, Any]:
    """What may be sent, as OpenAPI has it; its inputs are ``Search_inputs``."""
    schema = _Sent.model_json_schema()
    properties = schema["properties"]
    properties["inputs"] = {"$ref": "#/components/schemas/Search_inputs"}
    properties["words"]["description"] = "To be found in the texts (BM25)."
    properties["where"]["description"] = (
        "Only rows that pass this, as in: price < 10 AND kind = 'cat'. Columns: "
        f"{', '.join(index.index.fields)}."
    )
    properties["k"]["description"] = "How many rows."
    properties["within"] |= {
        "description": 'The column whose cells answer; "" for whole rows.',
        "enum": [None, "", *index.index.columns],
    }
    return {**schema, "title": "Search", "description": "Inputs, words, or both."}
