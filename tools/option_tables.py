"""Tables of the documentation, made from the code when the pages are built (MkDocs hook)."""

from __future__ import annotations

import typing
from typing import Any

from pydantic import BaseModel


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables where a page asks for them."""
    if "<!-- options -->" in markdown:
        markdown = markdown.replace("<!-- options -->", options())
    if "<!-- metrics -->" in markdown:
        markdown = markdown.replace("<!-- metrics -->", metrics())
    return markdown


def options() -> str:
    """Every option of a recipe: its sections, then the parts that are chosen by name."""
    from polymodal.data.modalities import MODALITIES
    from polymodal.encoders import ENCODERS, TABLE_ENCODERS
    from polymodal.fusion import FUSIONS
    from polymodal.heads import HEADS
    from polymodal.named_part import NamedPart
    from polymodal.recipe import Recipe
    from polymodal.recipe_options import ColumnOptions

    recipe = Recipe()
    parts = ["### The recipe itself", _fields(recipe)]
    parts += ["### columns.NAME", _fields(ColumnOptions())]
    for name, value in recipe:
        if isinstance(value, BaseModel) and not isinstance(value, NamedPart):
            parts += [f"### {name}", _fields(value)]
    registries: dict[str, dict[str, Any]] = {"columns.NAME.modality": MODALITIES}
    for modality, encoders in ENCODERS.items():
        registries[f"columns.NAME.encoder, of {modality}"] = encoders
    registries["columns.NAME.head"] = HEADS
    registries["fusion"] = FUSIONS
    registries["tabular"] = TABLE_ENCODERS
    parts.append("## Parts chosen by name")
    for title, registry in registries.items():
        parts += [f"### {title}", _classes(registry)]
    return "\n\n".join(parts)


def metrics() -> str:
    """The metrics of each kind of target, in the order in which they are printed."""
    import numpy as np

    from polymodal.evaluation.metrics import METRICS, headline, measure
    from polymodal.evaluation.outcome import Outcome

    truth, rows = np.array([0, 1, 0, 1]), np.arange(4)
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
    tags = np.eye(2, dtype=bool)[truth]
    amounts = np.array([1.0, 2.0, 4.0, 8.0])
    outcomes = {
        "A category": Outcome("t", "classification", truth, truth, shares, ("a", "b"), rows),
        "Tags": Outcome("t", "tagging", tags, tags, shares, ("a", "b"), rows),
        "A number": Outcome("t", "regression", amounts, amounts, None, (), rows),
    }
    said = np.array([["a red ball on the grass", "the ball is red"]] * 2)
    answers = np.array(["a red ball", "a ball"])
    outcomes["A text"] = Outcome(
        "t", "text", said, answers, None, (), np.arange(2), surprise=np.ones((2, 2))
    )
    parts = []
    for title, outcome in outcomes.items():
        first = headline(outcome)
        names = sorted(measure(outcome), key=lambda name: name != first)
        lines = [f"| `{name}` | {METRICS[name].meaning['en']} | "
                 f"{'higher' if METRICS[name].higher_is_better else 'lower'} |"
                 for name in names]  # fmt: skip
        parts += [
            f"### {title}",
            "\n".join(["| metric | what it says | better |", "|---|---|---|", *lines]),
        ]
    return "\n\n".join(parts)


def _fields(section: BaseModel) -> str:
    from polymodal.named_part import NamedPart

    lines = ["| option | default | what it does |", "|---|---|---|"]
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel) and not isinstance(value, NamedPart):
            shown = f"[below](#{name})"
        else:
            shown = _code(value.name if isinstance(value, NamedPart) else value)
        lines.append(f"| `{name}` | {shown} | {_cell(field.description or '')} |")
    return "\n".join(lines)


def _classes(registry: typing.Mapping[str, Any]) -> str:
    from polymodal.named_part import DATA_DERIVED
    from polymodal.signature import REQUIRED, options_of

    lines = ["| name | what it is | options (default): what they do |", "|---|---|---|"]
    for name, cls in registry.items():
        about = (cls.__doc__ or "").strip().splitlines()[0]
        shown = [
            f"`{option}` ({'required' if given.default is REQUIRED else _code(given.default)}): "
            f"{_cell(given.about)}"
            for option, given in options_of(cls, DATA_DERIVED).items()
        ]
        lines.append(f"| `{name}` | {_cell(about)} | {'<br>'.join(shown) or '–'} |")
    return "\n".join(lines)


def _code(value: Any) -> str:
    """A value as YAML writes it."""
    if value is None or isinstance(value, bool):
        return f"`{ {None: 'null', True: 'true', False: 'false'}[value] }`"
    return f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
