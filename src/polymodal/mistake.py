"""What is wrong with a recipe, in words: pydantic's reports with paths and nearest names."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from polymodal.errors import nearest

_PLAIN = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
"""Pydantic's kinds of error -> what was expected, in plain words."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong with a recipe.

    Args:
        path: the names that lead to the option.
        text: what is wrong with it and what is allowed.
    """

    path: tuple[str, ...]
    text: str

    def under(self, *outer: str) -> Mistake:
        """The same mistake seen from further out."""
        return Mistake((*outer, *self.path), self.text)

    def __str__(self) -> str:
        return dotted(self.path) + self.text


def mistakes(
    error: ValidationError, data: Any, model: type[BaseModel] | None = None
) -> list[Mistake]:
    """What pydantic found, one mistake for each place.

    Args:
        error: pydantic's report.
        data: what was checked.
        model: what it was checked against, to suggest the names of its options.
    """
    found: list[Mistake] = []
    places: dict[tuple[str, ...], list[Any]] = {}  # of the members of a union, or just of one type
    for entry in error.errors(include_url=False):
        path = _path(entry["loc"], data)
        match entry["type"]:
            case "mistakes":
                found += [mistake.under(*path) for mistake in entry["ctx"]["mistakes"]]
            case "missing":
                name = str(entry["loc"][-1])
                found.append(Mistake((*path, name), ": it has no default: give one."))
            case "extra_forbidden":
                known = _names(model, path[:-1]) if model else ()
                found.append(Mistake(path, f": unknown option. {nearest(path[-1], known)}"))
            case "value_error":
                found.append(Mistake(path, f": {entry['ctx']['error']}"))
            case _:
                places.setdefault(path, []).append(entry)
    for path, entries in places.items():
        if not any(other[: len(path)] == path != other for other in places):
            value = data
            for key in path:
                value = value[int(key) if isinstance(value, list | tuple) else key]
            found.append(Mistake(path, f" = {_shown(value)}: {_allowed(entries, value)}"))
    return sorted(found, key=lambda mistake: mistake.path)


def report(wrong: Collection[Mistake]) -> None:
    """Hand mistakes to pydantic, from within a validator; :func:`mistakes` takes them out."""
    if wrong:
        text = "; ".join(map(str, wrong))
        raise PydanticCustomError("mistakes", "{text}", {"text": text, "mistakes": wrong})


def dotted(path: Iterable[str]) -> str:
    """A path as a person writes it: names that hold a dot stand in quotes.

    >>> dotted(["columns", "a.b", "encoder"])
    'columns."a.b".encoder'
    """
    return ".".join(f'"{name}"' if re.search(r"[.=]|^$", name) else name for name in path)


def _path(location: tuple[int | str, ...], data: Any) -> tuple[str, ...]:
    """Where in the data: pydantic's location without the names it gives to a union's members."""
    path: list[str] = []
    for key in location:
        inside = isinstance(data, dict) and key in data
        if inside or (isinstance(data, list | tuple) and isinstance(key, int)):
            data = data[key]
            path.append(str(key))
    return tuple(path)


def _names(model: Any, path: tuple[str, ...]) -> Iterable[str]:
    """The options of the model that a path leads to."""
    for name in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            model = model.model_fields[name].annotation
        else:
            model = typing.get_args(model)[-1]  # the values of a mapping
    return model.model_fields


def _allowed(entries: list[Any], value: Any) -> str:
    """What the errors at one place say is allowed there."""
    if isinstance(value, str) and all(entry["type"] == "literal_error" for entry in entries):
        listed = " or ".join(entry["ctx"]["expected"] for entry in entries)
        return nearest(value, [name.strip("'") for name in re.split(", | or ", listed)])
    expected = [
        _PLAIN.get(entry["type"], entry["msg"].removeprefix("Input should be "))
        for entry in entries
    ]
    quotes = " (put it in quotes)" if isinstance(value, int | float) and "text" in expected else ""
    return f"it should be {' or '.join(dict.fromkeys(expected))}{quotes}."


def _shown(value: Any) -> str:
    """A value as YAML has it, short enough for a message."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
