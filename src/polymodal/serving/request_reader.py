"""From the body of an HTTP request to the cells of a row: JSON, forms, and lines of JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, cast

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from polymodal.serving.problem import Problem
from polymodal.serving.request_model import RequestModel
from polymodal.serving.served_model import Broken

MOST_PARTS = 200  # of a form


class Asked(NamedTuple):
    """What a request asks.

    Args:
        cells: field -> cell.
        id: what the client calls the row.
    """

    cells: dict[str, Any]
    id: str | int | None = None


async def read_row(request: Request, model: RequestModel, most: int) -> Asked:
    """The row of a request.

    Args:
        request: with a body of JSON or a form.
        model: what may be sent.
        most: bytes of one part.

    Raises:
        Problem: another kind of content (415), no JSON or form (400), or not what is expected.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        return Asked(*model.parse(await request.body()))
    if kind == "multipart/form-data":
        return Asked(model.parse_cells(await _form(request, model, most)))
    came = repr(kind[:60]) if kind else "nothing"
    raise Problem(
        415,
        "unknown-content-type",
        f"Content-Type is {came}; expected application/json or multipart/form-data.",
        headers={"Accept-Post": "application/json, multipart/form-data"},
    )


def broken_of(request: Request) -> Broken:
    """What to do with cells that cannot be used: ``?broken=``.

    Raises:
        Problem: it is not one of the two ways (422).
    """
    unknown = sorted(set(request.query_params) - {"broken"})
    if unknown:
        raise Problem(
            422, "unknown-option", f"There is no option {unknown[0][:60]!r}. Known: broken."
        )
    given = request.query_params.get("broken", "error")
    if given not in ("error", "treat_as_missing"):
        raise Problem(
            422,
            "unknown-option",
            f"broken is {given[:60]!r}; expected error or treat_as_missing.",
        )
    return cast(Broken, given)


async def read_lines(request: Request, most: int) -> AsyncIterator[bytes]:
    """The lines of a body while it arrives, without empty ones.

    Raises:
        Problem: a line is longer than ``most`` bytes (413).
    """
    rest = bytearray()
    async for chunk in request.stream():
        *whole, tail = chunk.split(b"\n")
        for part in whole:
            line = bytes(rest) + part
            rest.clear()
            if len(line) > most:
                raise too_large(most)
            if line.strip():
                yield line
        rest += tail
        if len(rest) > most:
            raise too_large(most)
    if rest.strip():
        yield bytes(rest)


def too_large(most: int) -> Problem:
    """The body, or a line of it, is too long."""
    return Problem(
        413,
        "too-large",
        f"More than {most / 1e6:g} MB came, which is what one row may have. Send smaller media "
        "(the model looks at small copies anyway), or start the server with a larger --max-mb.",
    )


async def _form(request: Request, model: RequestModel, most: int) -> dict[str, Any]:
    try:
        form = await request.form(max_files=MOST_PARTS, max_fields=MOST_PARTS, max_part_size=most)
    except (HTTPException, ValueError, KeyError) as error:
        said = str(getattr(error, "detail", error))[:200]
        raise Problem(
            400, "not-a-form", f"The form cannot be read: {said}. Was it sent as a whole?"
        ) from error
    try:
        found: dict[str, Any] = {}
        for name in form:
            cells = [await _part(name, part, model) for part in form.getlist(name)]
            cells = [cell for cell in cells if cell != ""]
            if cells:
                found[name] = cells[0] if len(cells) == 1 else cells
        return found
    finally:
        await form.close()


async def _part(name: str, part: UploadFile | str, model: RequestModel) -> Any:
    field = model.fields.get(name)
    if isinstance(part, UploadFile):
        content = await part.read()
        if field is None or field.is_file:
            return content if content or part.filename else ""
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise Problem(
                422, "unreadable-input", f"inputs.{name}: a file that is not text in UTF-8 came; "
                f"expected {field.expected}.",
            ) from error  # fmt: skip
    if field is not None and field.is_file and part.lstrip()[:1] == "[":
        try:
            return json.loads(part)
        except (ValueError, RecursionError):
            return part  # checking will say what is wrong with it
    return part
