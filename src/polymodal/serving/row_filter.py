"""What clients may write into a filter: comparisons of columns, and nothing that computes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from polymodal.errors import nearest
from polymodal.serving.problem import Problem

LONGEST = 500  # characters
DEEPEST = 10  # brackets in brackets
WORDS = {
    "and", "or", "not", "in", "is", "null", "like", "ilike", "between", "true", "false", "date",
    "timestamp",
}  # fmt: skip
TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<quoted>`[^`]*`)"
    r"|(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[^\W\d]\w*)"
    r"|(?P<sign><=|>=|<>|!=|[=<>(),]))"
)
EXPECTED = "comparisons of columns, as in: price < 10 AND kind = 'cat'"


def check_filter(where: str, fields: Sequence[str]) -> None:
    """Whether a filter only compares columns with values.

    The database knows functions too, some of which can be made to take all memory: these stay
    with the owner of the machine.

    Args:
        where: as SQL.
        fields: the columns, as filters write them.

    Raises:
        Problem: it has something else in it (422).

    Example:
        >>> check_filter("price < 10 AND kind IN ('cat', 'dog')", ["price", "kind"])
    """
    if len(where) > LONGEST:
        raise _wrong(f"it has {len(where):,} characters; expected at most {LONGEST}")
    start, depth, before = 0, 0, ""
    while where[start:].strip():
        found = TOKEN.match(where, start)
        if found is None:
            raise _wrong(f"{where[start:].strip()[:20]!r} came; expected {EXPECTED}")
        start, token = found.end(), found[0].strip()
        name = found["word"] or (found["quoted"] or "").strip("`")
        if name and name not in fields and (found["quoted"] or name.lower() not in WORDS):
            raise _wrong(f"there is no column {name[:60]!r}. {nearest(name, fields)}")
        if token == "(" and before in fields:
            raise _wrong(f"{before!r} stands before a bracket; expected {EXPECTED}")
        depth += (token == "(") - (token == ")")
        if depth > DEEPEST:
            raise _wrong(f"it has more than {DEEPEST} brackets in brackets")
        before = name or token


def _wrong(what: str) -> Problem:
    return Problem(422, "unreadable-filter", f"where cannot be used: {what.rstrip('.')}.")
