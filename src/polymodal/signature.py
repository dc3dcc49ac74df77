"""The options of a class, read from its constructor: no class is described a second time.

Names, types and defaults come from the signature, explanations from the ``Args:`` of the class's
docstring. Values are checked strictly: text is never taken for a number, nor true for 1.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import typing
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from polymodal.errors import RecipeError, nearest
from polymodal.mistake import Mistake, mistakes

REQUIRED = inspect.Parameter.empty
"""Default of an option that has none."""


@dataclass(frozen=True)
class Option:
    """One option of a class.

    Args:
        type: its resolved type hint.
        default: its default, or ``REQUIRED``.
        about: what it does, in one line.
    """

    type: Any
    default: Any
    about: str


def options_of(cls: type, hidden: Collection[str] = ()) -> dict[str, Option]:
    """What a user may choose of a class: the arguments of its constructor that are options.

    Those are the keyword-only ones that are not ``hidden``; besides ``model``, and ``width``
    where it has a default, in any position. All others are facts of the data or of the network.

    Args:
        cls: any class with a typed constructor.
        hidden: arguments that come from the data although they are keyword-only.
    """
    hints = typing.get_type_hints(cls.__init__, include_extras=True)  # type: ignore[misc]
    about = explanations(cls)
    return {
        name: Option(hints[name], argument.default, about.get(name, ""))
        for name, argument in inspect.signature(cls).parameters.items()
        if name not in hidden
        and (
            argument.kind is argument.KEYWORD_ONLY
            or name == "model"
            or (name == "width" and argument.default is not REQUIRED)
        )
    }


def explanations(cls: type) -> dict[str, str]:
    """The ``Args:`` of a class's Google-style docstring, one line for each argument.

    >>> class Cnn:
    ...     '''A stack of convolutions.
    ...
    ...     Args:
    ...         width: size of the
    ...             pooled vector.
    ...         depth: number of stages.
    ...     '''
    >>> explanations(Cnn)
    {'width': 'size of the pooled vector.', 'depth': 'number of stages.'}
    """
    text = inspect.cleandoc(cls.__doc__ or "") + "\n"
    section = re.search(r"^Args:\n((?: +.*\n|\n)*)", text, re.MULTILINE)
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section[1].splitlines() if section else []:
        entry = re.fullmatch(r" {4}(\w+(?:, \w+)*)(?: \(.*?\))?: *(.*)", line)
        if entry:
            names = entry[1].split(", ")
            found |= dict.fromkeys(names, entry[2])
        elif line.strip():
            found |= {name: f"{found[name]} {line.strip()}".strip() for name in names}
    return found


def check(
    options: Mapping[str, Option], values: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Mistake]]:
    """Compare values with options.

    Args:
        options: what there is, from :func:`options_of`.
        values: option -> value, as a recipe holds it.

    Returns:
        The right values, as their types want them (a list becomes a tuple where one is asked
        for), and what is wrong with the others.
    """
    right: dict[str, Any] = {}
    wrong: list[Mistake] = []
    for name, value in values.items():
        if name not in options:
            wrong.append(Mistake((name,), f": unknown option. {nearest(name, options)}"))
            continue
        try:
            right[name] = _adapter(options[name].type).validate_json(to_json(value))
        except ValidationError as error:
            wrong += [mistake.under(name) for mistake in mistakes(error, value)]
    for name, option in options.items():
        if option.default is REQUIRED and name not in values:
            text = f": it has no default: give one. {option.about}".rstrip()
            wrong.append(Mistake((name,), text))
    return right, wrong


@cache
def _adapter(hint: Any) -> TypeAdapter[Any]:
    return TypeAdapter(hint, config=ConfigDict(strict=True, allow_inf_nan=False))


def to_json(value: Any) -> str:
    """A recipe's value as JSON: there pydantic is strict and still takes a list for a tuple.

    Raises:
        RecipeError: it is, or holds, something that no recipe can hold.
    """
    try:
        return json.dumps(value, default=os.fspath)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecipeError(
            "A recipe holds text, numbers, true, false, null, lists and mappings of these, "
            f"not {value!r:.60} ({error})."
        ) from error
