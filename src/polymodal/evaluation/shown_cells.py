"""Cells of the table as pages show them: pictures made small, sounds and videos to be played."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from polymodal.evaluation.language import Language, say

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.modalities.modality import Shown

_PICTURE = 320  # pixels of a picture's longer side
_EMBEDDED = {"audio": 1_500_000, "video": 4_000_000}  # bytes at most
_MATROSKA = b"\x1aE\xdf\xa3"  # how a WebM begins
MOST_EMBEDDED = 24_000_000  # characters of pictures, sounds and videos in one page
_TEXT = 2000  # characters of a text that are shown


def show_cell(shown: Shown, language: Language, pictures: dict[bytes, str]) -> dict[str, str]:
    """A cell as templates want it: its kind, its text or data URI, its caption.

    Args:
        shown: the cell.
        language: ``en`` or ``zh``.
        pictures: those made before, by their content; rows often share a picture.
    """
    if isinstance(shown.content, str):
        text = shown.content
        text = text if len(text) <= _TEXT else text[:_TEXT] + " …"
        return {"kind": "text", "content": text, "note": shown.note}
    if shown.kind == "image":
        if shown.content not in pictures:
            pictures[shown.content] = _picture(shown.content)
        return {"kind": "image", "content": pictures[shown.content], "note": shown.note}
    if len(shown.content) > _EMBEDDED[shown.kind]:
        size = f"{len(shown.content) / 1e6:.1f}"
        return {"kind": "text", "content": say("too_long", language, size=size), "note": shown.note}
    form = "audio/wav"
    if shown.kind == "video":
        form = "video/webm" if shown.content.startswith(_MATROSKA) else "video/mp4"
    strip = _picture(shown.strip) if shown.strip else ""
    content = _uri(form, shown.content)
    return {"kind": shown.kind, "content": content, "note": shown.note, "strip": strip}


def cell_shower(language: Language) -> Callable[[Shown | None], dict[str, str]]:
    """Shows the cells of one page, each picture once, until the page has no room for more media."""
    pictures: dict[bytes, str] = {}
    room = MOST_EMBEDDED

    def show(shown: Shown | None) -> dict[str, str]:
        nonlocal room
        if shown is None:
            return {"kind": "absent", "content": "", "note": ""}
        cell = show_cell(shown, language, pictures)
        room -= len(cell["content"]) if cell["kind"] != "text" else 0
        if room < 0 and cell["kind"] != "text":
            return {"kind": "text", "content": "(no room left in this page)", "note": shown.note}
        return cell

    return show


def _picture(png: bytes) -> str:
    """A picture as a data URI, made small if it is large."""
    from PIL import Image

    if len(png) <= 20_000:
        return _uri("image/png", png)
    with Image.open(io.BytesIO(png)) as image:
        small = image.convert("RGBA" if image.has_transparency_data else "RGB")
    small.thumbnail((_PICTURE, _PICTURE))
    small.save(file := io.BytesIO(), "WEBP", quality=80)
    return _uri("image/webp", file.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
