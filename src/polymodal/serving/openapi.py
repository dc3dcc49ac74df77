"""The description of the API that programs read: made from the models that are served now."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.problem import CONTENT_TYPE
from polymodal.serving.search_route import PLACE, describe_question
from polymodal.serving.served_index import ServedIndex
from polymodal.serving.served_model import ServedModel

SUMMARIES = {
    "predict": "Answer one row",
    "explain": "Answer one row, and again without each of its inputs",
    "embed": "One row as a vector",
}
PROBLEMS = {
    "400": "No JSON, or no form", "401": "No key that is known", "408": "It came too slowly",
    "413": "Too large", "415": "Another kind of content",
    "422": "A part of it cannot be used; errors names it", "503": "Too busy; see Retry-After",
    "504": "It took too long",
}  # fmt: skip
BROKEN = {
    "name": "broken", "in": "query", "required": False,
    "description": "What to do with a cell that cannot be used.",
    "schema": {"type": "string", "enum": ["error", "treat_as_missing"], "default": "error"},
}  # fmt: skip


def describe_api(
    registry: ModelRegistry, address: str, index: ServedIndex | None = None
) -> dict[str, Any]:
    """OpenAPI 3.1 of what the server answers now.

    Args:
        registry: of the models.
        address: of the server, as the client reached it.
        index: that is served too.
    """
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Problem": _problem_schema()}
    for number, name in enumerate(registry.names):
        model = registry.get(name)
        places = (["/v1"] if number == 0 else []) + [f"/v1/models/{name}"]
        schemas |= _row_schemas(model)
        for place in places:
            paths |= _model_paths(model, place)
    if index is not None:
        schemas |= _search_schemas(index, schemas)
        paths[PLACE] = {"post": _search(index)}
    plain = {"/v1/models": "The models", "/healthz": "Alive?", "/readyz": "Ready to answer?",
             "/metrics": "Figures for Prometheus"}  # fmt: skip
    for path, summary in plain.items():
        kind = "text/plain" if path == "/metrics" else "application/json"
        done = {"200": {"description": "Yes", "content": {kind: {"schema": {}}}}}
        paths[path] = {"get": {"summary": summary, "responses": done | _problems("401", "503")}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "polymodal", "version": metadata.version("polymodal"),
            "description": "Answers of trained models. What is not known may be left out.",
        },
        "servers": [{"url": address.rstrip("/")}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }  # fmt: skip


def _model_paths(model: ServedModel, place: str) -> dict[str, Any]:
    paths = {}
    for task, summary in SUMMARIES.items():
        if not (model.engine.embeds if task == "embed" else model.engine.answers):
            continue
        content: dict[str, Any] = {
            "application/json": {
                "schema": {"$ref": f"#/components/schemas/{_row(model)}"},
                "example": model.request.example,
            },
            "multipart/form-data": {"schema": _form(model)},
        }
        paths[f"{place}/{task}"] = {"post": _operation(summary, content, _answer(task))}
    lines: dict[str, Any] = {"application/x-ndjson": {"schema": {"type": "string"}}}
    if model.engine.answers:
        paths[f"{place}/predict/batch"] = {
            "post": _operation("Answer many rows: one JSON row a line, one answer a line", lines,
                               lines["application/x-ndjson"]["schema"],
                               kind="application/x-ndjson")
        }  # fmt: skip
    done = {"200": {"description": "Columns", "content": {"application/json": {"schema": {}}}}}
    paths[f"{place}/schema"] = {
        "get": {"summary": "Inputs and targets", "responses": done | _problems("401", "503")}
    }
    return paths


def _search(index: ServedIndex) -> dict[str, Any]:
    content: dict[str, Any] = {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Search"},
            "example": index.example,
        }
    }
    words = {"type": "string"}
    hit = {
        "key": words, "score": {"type": "number"}, "row": {"type": "object"},
        "thumbnail": {"type": ["string", "null"], "description": "A data URI."},
        "places": {"type": "object", "additionalProperties": {"type": "integer"}},
    }  # fmt: skip
    answer = {
        "hits": {"type": "array", "items": {"type": "object", "properties": hit}},
        "within": {"type": "array", "items": words}, "where": {"type": ["string", "null"]},
        "seconds": {"type": "number"}, "seconds_encoding": {"type": "number"},
    }  # fmt: skip
    told = _operation(
        "The rows most like what is sent, the best first", content,
        {"type": "object", "properties": answer},
    )  # fmt: skip
    return {**told, "parameters": []}


def _search_schemas(index: ServedIndex, schemas: dict[str, Any]) -> dict[str, Any]:
    inputs = schemas[f"{_row(index.model)}_inputs"]
    may = {n: about for n, about in inputs["properties"].items() if n in index.fields}
    return {
        "Search": describe_question(index),
        "Search_inputs": {**inputs, "properties": may, "title": "Search_inputs"},
    }


def _operation(
    summary: str, content: dict[str, Any], answer: dict[str, Any], *, kind: str = "application/json"
) -> dict[str, Any]:
    done = {"200": {"description": "The answer", "content": {kind: {"schema": answer}}}}
    return {
        "summary": summary,
        "parameters": [BROKEN],
        "requestBody": {"required": True, "content": content},
        "responses": done | _problems(*PROBLEMS),
    }


def _problems(*statuses: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": PROBLEMS[status], "content": {CONTENT_TYPE: {"schema": schema}}}
        for status in statuses
    }


def _row(model: ServedModel) -> str:
    return f"Row_{model.name}"


def _row_schemas(model: ServedModel) -> dict[str, Any]:
    name = _row(model)
    row = model.request.row.model_json_schema(ref_template="#/components/schemas/{model}")
    inputs = row.pop("$defs")["Inputs"]
    row["properties"]["inputs"] = {"$ref": f"#/components/schemas/{name}_inputs"}
    return {name: row | {"title": name}, f"{name}_inputs": inputs | {"title": f"{name}_inputs"}}


def _form(model: ServedModel) -> dict[str, Any]:
    fields = model.request.fields.values()
    file = {"type": "string", "format": "binary"}
    return {
        "type": "object",
        "properties": {
            f.name: {**(file if f.is_file else {"type": "string"}), "description": f.expected}
            for f in fields
        },
    }


def _answer(task: str) -> dict[str, Any]:
    head: dict[str, Any] = {
        "id": {"type": ["string", "integer"]},
        "model": {"type": "string"}, "version": {"type": "string"},
        "missing": {"type": "array", "items": {"type": "string"}},
        "notes": {"type": "array", "items": {"type": "string"}},
    }  # fmt: skip
    if task == "embed":
        head["embedding"] = {"type": "array", "items": {"type": "number"}}
    else:
        head["answers"] = {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "value": {},
                    "score": {"type": "number", "description": "Of texts."},
                    "probabilities": {
                        "type": "object", "additionalProperties": {"type": "number"},
                    },
                },
                "required": ["value"],
            },
        }  # fmt: skip
    if task == "explain":
        head["influence"] = {"type": "object", "additionalProperties": {"type": "object"}}
    return {"type": "object", "properties": head}


def _problem_schema() -> dict[str, Any]:
    words = {"type": "string"}
    mistake = {"field": words, "came": words, "expected": words, "remedy": words}
    return {
        "type": "object",
        "description": "RFC 9457",
        "properties": {
            "type": words, "title": words, "status": {"type": "integer"}, "detail": words,
            "errors": {"type": "array", "items": {"type": "object", "properties": mistake}},
        },
        "required": ["type", "title", "status", "detail"],
    }  # fmt: skip
