"""Errors as clients get them: problem details (RFC 9457) that name field, value and remedy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Mistake:
    """What is wrong with one part of a request.

    Args:
        field: which part ("inputs.photo").
        came: what came, in plain words.
        expected: what was expected.
        remedy: what to do.
    """

    field: str
    came: str
    expected: str
    remedy: str


class Problem(Exception):
    """A request that is not answered, and why.

    Args:
        status: of HTTP.
        kind: a short name that programs can compare ("unreadable-input").
        detail: what came, what was expected, what to do.
        mistakes: one for each part of the request that is wrong.
        headers: to answer with.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.mistakes, self.headers = tuple(mistakes), dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """As RFC 9457 has it, with ``errors`` as an extension."""
        content: dict[str, Any] = {
            "type": f"urn:polymodal:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.mistakes:
            content["errors"] = [asdict(mistake) for mistake in self.mistakes]
        return content

    def body(self) -> bytes:
        """The answer's body."""
        return json.dumps(self.to_dict(), ensure_ascii=False).encode("utf-8", "replace")


def unreadable(mistakes: Sequence[Mistake]) -> Problem:
    """A request that is understood, but holds something that cannot be used (422)."""
    first = mistakes[0]
    more = f" ({len(mistakes) - 1} more in errors)" if len(mistakes) > 1 else ""
    detail = f"{first.field}: {first.came} came; expected {first.expected}. {first.remedy}{more}"
    return Problem(422, "unreadable-input", detail, mistakes=mistakes)


def too_busy(seconds: float) -> Problem:
    """More is on its way than the server holds (503)."""
    wait = max(1, round(seconds))
    return Problem(
        503,
        "too-busy",
        f"The server has as many rows on their way as it holds. Ask again in {wait} s, as "
        "Retry-After says; if it happens often, give the server more workers or --max-waiting.",
        headers={"Retry-After": str(wait)},
    )
