"""The inputs of the web page: a component for each field, and what it holds as a request has it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polymodal.data.modalities import Number, Tags
from polymodal.serving.page_uploads import inside
from polymodal.serving.page_words import Language, word
from polymodal.serving.problem import Problem
from polymodal.serving.request_model import InputField

Says = Callable[[Any, Callable[[Language], dict[str, Any]]], None]
"""Notes a component, and what of it changes with the language."""


@dataclass
class PageInput:
    """An input of the page.

    Args:
        field: what it sends.
        shown: Gradio's component.
        left_out: the box beside it; None where there is none.
    """

    field: InputField
    shown: Any
    left_out: Any | None = None

    def label(self, language: Language) -> str:
        """The column and what it is."""
        return f"{self.field.name} · {word(self.field.kind, language)}"

    def hint(self, language: Language) -> str | None:
        """What is usual, where that is known."""
        modality = self.field.modality
        if not isinstance(modality, Number):
            return None
        ends = [modality.center - 2 * modality.scale, modality.center + 2 * modality.scale]
        low, high = (f"{math.exp(end) if modality.log else end:.3g}" for end in ends)
        return word("usual", language, low=low, high=high)


class PageInputs:
    """Makes inputs, and reads them.

    Args:
        gradio: the package.
        uploads: the folder of uploaded files.
        characters: of one text, at most.
        says: is told what changes with the language.
    """

    def __init__(self, gradio: Any, uploads: Path, *, characters: int, says: Says) -> None:
        self._gradio, self._uploads = gradio, uploads
        self._characters, self._says = characters, says

    def make(self, field: InputField, *, may_be_left_out: bool = True) -> PageInput:
        """The input of a field, at the place of the page that is being built."""
        with self._gradio.Column(elem_classes="input-card", min_width=100):
            part = PageInput(field, self._component(field))
            if may_be_left_out:
                part.left_out = self._gradio.Checkbox(
                    False, label=word("leave_out", "en"), elem_classes="left-out", container=False
                )
                self._says(part.left_out, lambda spoken: {"label": word("leave_out", spoken)})
        part.shown.label = part.label("en")
        hint = {"info": part.hint("en")} if part.hint("en") else {}
        if hint:
            part.shown.info = hint["info"]
        self._says(
            part.shown,
            lambda spoken: (
                {"label": part.label(spoken)} | ({"info": part.hint(spoken)} if hint else {})
            ),
        )
        return part

    def cells(self, parts: Sequence[PageInput], values: Sequence[Any]) -> dict[str, Any]:
        """Field -> cell of what was entered; empty inputs are left out.

        Raises:
            Problem: it is a file that was not uploaded.
        """
        cells = {
            part.field.name: self._cell(part.field, value)
            for part, value in zip(parts, values, strict=True)
        }
        return {name: cell for name, cell in cells.items() if cell not in (None, "", [])}

    def _component(self, field: InputField) -> Any:
        gr, kind = self._gradio, field.kind
        if kind == "image":
            # image_mode None: the file is passed on as it is.
            return gr.Image(
                type="filepath", image_mode=None, sources=["upload", "webcam", "clipboard"],
                height=230,
            )  # fmt: skip
        if kind == "audio":
            return gr.Audio(type="filepath", sources=["upload", "microphone"])
        if kind == "video":
            return gr.Video(sources=["upload", "webcam"], height=230)
        if field.is_file:
            many = "multiple" if kind == "gallery" else "single"
            return gr.File(file_count=many, height=120)
        if kind == "category":
            return gr.Dropdown([str(choice) for choice in field.choices], value=None)
        if isinstance(field.modality, Tags):
            return gr.Dropdown(field.modality.labels, value=None, multiselect=True)
        # Numbers too: Gradio's own field for them gives 0 where nothing was entered.
        lines = 3 if kind in ("text", "passages") else 1
        longest = {"max_length": self._characters} if kind == "text" else {}
        return gr.Textbox(lines=lines, placeholder=_placeholder(field), **longest)

    def _cell(self, field: InputField, value: Any) -> Any:
        """What Gradio's component holds, as a request has it."""
        if field.is_file and value:
            files = value if isinstance(value, list) else [value]
            read = [self._read(file) for file in files]
            return read if field.kind == "gallery" else read[0]
        if field.kind == "passages" and isinstance(value, str):
            return [line for line in value.splitlines() if line.strip()]
        return value

    def _read(self, file: Any) -> bytes:
        # Of a video Gradio sends {"video": {"path": …}}, of anything else {"path": …}.
        found = file.get("video", file) if isinstance(file, Mapping) else {}
        path = found.get("path") if isinstance(found, Mapping) else None
        if not inside(path, self._uploads):
            raise Problem(422, "unreadable-input", "There is no such upload.")
        return Path(str(path)).read_bytes()


def _placeholder(field: InputField) -> str:
    examples = {"geo": "48.137, 11.575", "timestamp": "2024-05-31 17:05"}
    return examples.get(field.kind, field.title)[:80]
