"""Show the doctests of docstrings as code in the reference pages (Griffe extension)."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

# A prompt and all that follows it up to an empty line, at one indentation.
DOCTEST = re.compile(r"^(?P<indent>[ ]*)>>> .*(?:\n(?P=indent)\S.*|\n(?P=indent)[ ]+\S.*)*", re.M)


class DoctestFences(Extension):
    """Put a fence around each doctest."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = DOCTEST.sub(_fenced, obj.docstring.value)


def _fenced(found: re.Match[str]) -> str:
    indent = found["indent"]
    return f"{indent}```pycon\n{found[0]}\n{indent}```"
