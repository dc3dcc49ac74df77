"""Prompts: words around what a pretrained model reads of each row."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from polymodal.errors import RecipeError, nearest

ROW = "row"
"""The name, in a prompt, of what the fusion made of the row."""
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


class Piece(NamedTuple):
    """A piece of a prompt: words, or the column that stands there.

    Args:
        text: the words, or the column's name.
        column: whether it is a column.
    """

    text: str
    column: bool


def pieces(prompt: str) -> list[Piece]:
    """The pieces of a prompt, in order; words between columns are one piece.

    Args:
        prompt: words with ``{column}`` where a column stands; ``{{`` and ``}}`` are braces.

    Raises:
        RecipeError: a brace stands alone.

    Example:
        >>> [piece.text for piece in pieces("{photo} Question: {question}")]
        ['photo', ' Question: ', 'question']
    """
    found: list[Piece] = []
    words, end = "", 0
    for part in _PART.finditer(prompt):
        words += _words(prompt[end : part.start()], prompt)
        end = part.end()
        if part[1] is None:
            words += part[0][0]
            continue
        found += [Piece(words, False)] if words else []
        found.append(Piece(part[1].strip(), True))
        words = ""
    words += _words(prompt[end:], prompt)
    return [*found, Piece(words, False)] if words else found


def _words(text: str, prompt: str) -> str:
    if "{" in text or "}" in text:
        raise RecipeError(
            f"The prompt {prompt!r} has a brace without its partner. A column is written "
            "{name}; write {{ and }} for braces."
        )
    return text


def columns_of(prompt: str) -> list[str]:
    """The columns that a prompt names, each once, in order.

    Example:
        >>> columns_of("{photo} {question} {photo}")
        ['photo', 'question']
    """
    return list(dict.fromkeys(piece.text for piece in pieces(prompt) if piece.column))


def check_prompt(
    prompt: str, inputs: Mapping[str, str], readable: Collection[str], *, row: bool = True
) -> None:
    """Refuse a prompt that names what cannot stand there.

    Args:
        prompt: see :func:`pieces`.
        inputs: input column -> its modality.
        readable: modalities that a prompt may name.
        row: whether it may name the row.

    Raises:
        RecipeError: it names a column that is no input, or one of another modality.
    """
    for name in columns_of(prompt):
        if name == ROW and name not in inputs and row:
            continue
        if name not in inputs:
            raise RecipeError(
                f"The prompt names {{{name}}}, which is not an input. "
                f"{nearest(name, [*inputs, *([ROW] if row else [])])}"
            )
        if inputs[name] not in readable:
            raise RecipeError(
                f"The prompt names {{{name}}}, a column of modality {inputs[name]}"
                + (f"; of such columns {{{ROW}}} tells, together with all others" if row else "")
                + f". To have it read as words, set columns.{name}.modality to text."
            )
