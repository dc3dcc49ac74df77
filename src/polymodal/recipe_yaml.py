"""YAML for recipes: safe, and without the surprises of YAML 1.1.

Plain ``no``, ``off`` and ``2020-01-31`` are text, ``1e-3`` is a number, the names of a mapping
are always text, and a name that comes twice is an error instead of a silent choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from polymodal.errors import RecipeError


class Comment(NamedTuple):
    """What is said about an option.

    Args:
        text: what stands behind its name.
        inside: what stands behind the names of its own mapping.
    """

    text: str = ""
    inside: Mapping[str, Comment] = {}


def read(text: str, source: str) -> dict[str, Any]:
    """The mapping that a YAML text holds; empty for an empty text.

    Args:
        text: YAML.
        source: where it comes from, for messages.

    Raises:
        RecipeError: the text is not YAML, or not a mapping; the message names the line.
    """
    data = read_value(text, source)
    if data is not None and not isinstance(data, dict):
        raise RecipeError(f"{source}: expected `option: value` lines, got {str(data)[:60]!r}.")
    return data or {}


def read_value(text: str, source: str) -> Any:
    """Whatever a YAML text holds.

    >>> [read_value(text, "example") for text in ("1e-3", "off", "[a, 1]", "")]
    [0.001, 'off', ['a', 1], None]
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        context = f" {error.context}" if error.context else ""
        raise RecipeError(f"{source}{place}: {error.problem}{context}.") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{source} is not YAML: {error}") from error
    except RecursionError as error:
        raise RecipeError(f"{source} is nested too deeply.") from error


def write(data: Mapping[str, Any], comments: Mapping[str, Comment] | None = None) -> str:
    """A mapping as YAML, nested mappings as blocks.

    Args:
        data: what to write.
        comments: name -> what stands behind it after a ``#``.

    >>> comments = {"seed": Comment("of all random choices"), "fusion": Comment("how")}
    >>> print(write({"seed": 0, "fusion": {"name": "concat"}}, comments))
    seed: 0  # of all random choices
    fusion:  # how
      name: concat
    <BLANKLINE>
    """
    lines = []
    for name, value in data.items():
        comment = (comments or {}).get(name, Comment())
        block = isinstance(value, Mapping) and value
        line = f"{_line(name)}:" if block else f"{_line(name)}: {_line(value)}"
        about = " ".join(comment.text.split())
        lines.append(f"{line}  # {about}" if about else line)
        if block:
            nested = write(value, comment.inside).split("\n")[:-1]
            lines += [f"  {nested_line}" for nested_line in nested]
    return "".join(f"{line}\n" for line in lines)


def _line(value: Any) -> str:
    """A value on one line."""
    return yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        allow_unicode=True,
        sort_keys=False,
        width=float("inf"),
    )[1:-2]


class _Loader(yaml.SafeLoader):
    """Plain scalars after the core schema of YAML 1.2; no aliases; no name twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # A few lines of aliases to aliases can stand for gigabytes.
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "write aliases (*name) out", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[str, Any] = {}
        for name, value in node.value:
            problem = ""
            if not isinstance(name, yaml.ScalarNode):
                problem = "a name must be text"
            elif name.value in mapping:
                problem = f"{name.value!r} comes twice"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
            mapping[name.value] = self.construct_object(value, deep=deep)
        return mapping


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what YAML 1.1 or 1.2 would not read back as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Loader.yaml_implicit_resolvers = {}
_NUMBER = r"[-+]?(0|[1-9][0-9]{0,17})"
_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    # A leading zero (a postcode, a number of a part) makes text.
    ("int", _NUMBER, list("-+0123456789")),
    (
        "float",
        rf"{_NUMBER}(\.[0-9]*([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)|[-+]?\.[0-9]+([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
)
for _tag, _pattern, _first in _SCALARS:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first
        )


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Text on one line, whatever characters it holds."""
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
