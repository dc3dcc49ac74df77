"""Originals beside what training sees: as a page, or as one picture."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polymodal.errors import PolymodalError
from polymodal.evaluation.page import render_page
from polymodal.evaluation.shown_cells import show_cell
from polymodal.files import write_file

if TYPE_CHECKING:  # at run time it would bring torch
    from polymodal.data.modalities.modality import Shown

HEIGHT, GAP, WIDEST, WORDS_WIDE = 128, 12, 360, 200
LETTERS = 28  # of a line of text in a picture


@dataclass(frozen=True)
class AugmentedColumn:
    """One input column.

    Args:
        name: the column.
        modality: of its cells.
        chosen: whether the recipe asks for these variations; otherwise they are what it could.
        headings: of what is beside the original.
        rows: of each cell the original, then its variations.
    """

    name: str
    modality: str
    chosen: bool
    headings: tuple[str, ...]
    rows: tuple[tuple[Shown, ...], ...]


def write_augmentation(path: Path, columns: Sequence[AugmentedColumn], *, title: str) -> None:
    """Write a page (``.html``) or a picture (``.png``) of originals and their variations.

    Args:
        path: the file.
        columns: what to show.
        title: of the page.

    Raises:
        PolymodalError: the path has another ending.
    """
    kind = path.suffix.lower()
    if kind == ".png":
        write_file(path, draw_augmentation(columns))
    elif kind in (".html", ".htm"):
        pictures: dict[bytes, str] = {}
        shown = [
            {
                "name": column.name,
                "modality": column.modality,
                "chosen": column.chosen,
                "headings": column.headings,
                "rows": [[show_cell(cell, "en", pictures) for cell in row] for row in column.rows],
            }
            for column in columns
        ]
        page = render_page(
            "augmentation_template.html",
            language="en",
            title=title,
            created=datetime.now().strftime("%Y-%m-%d %H:%M"),
            by="Augmentation",
            columns=shown,
        )
        write_file(path, page)
    else:
        raise PolymodalError(f"{path.name!r} must end in .html or .png.")


def draw_augmentation(columns: Sequence[AugmentedColumn]) -> bytes:
    """All columns in one PNG; sounds that are no pictures are left to the page."""
    from PIL import Image

    blocks = [_block(column) for column in columns]
    width = max(block.width for block in blocks) + 2 * GAP
    whole = Image.new("RGB", (width, sum(b.height + GAP for b in blocks) + GAP), "white")
    top = GAP
    for block in blocks:
        whole.paste(block, (GAP, top))
        top += block.height + GAP
    file = io.BytesIO()
    whole.save(file, "PNG", optimize=True)
    return file.getvalue()


def _block(column: AugmentedColumn) -> Any:
    """One column: its name, headings, and a line of pictures for each cell."""
    from PIL import Image, ImageDraw, ImageFont

    cells = [[_tile(shown) for shown in row] for row in column.rows]
    widths = [max(120, *(row[i].width for row in cells)) for i in range(len(cells[0]))]
    height = max(tile.height for row in cells for tile in row)
    head = 58
    width = sum(widths) + GAP * len(widths)
    block = Image.new("RGB", (width, head + len(cells) * (height + GAP)), "white")
    draw = ImageDraw.Draw(block)
    said = "as the recipe varies it" if column.chosen else "what the recipe could vary"
    large, small = ImageFont.load_default(17), ImageFont.load_default(13)
    draw.text((0, 2), f"{column.name} ({column.modality}): {said}", fill="#17212c", font=large)
    left = 0
    for i, heading in enumerate(("as it is", *column.headings)):
        words = heading.replace("_", " ")
        draw.text((left, 34), words, fill="#586574" if i else "#17212c", font=small)
        for number, row in enumerate(cells):
            block.paste(row[i], (left, head + number * (height + GAP)))
        left += widths[i] + GAP
    return block


def _tile(shown: Shown) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    if shown.kind == "image" and isinstance(shown.content, bytes):
        picture = Image.open(io.BytesIO(shown.content)).convert("RGB")
        width = max(1, min(WIDEST, round(picture.width * HEIGHT / picture.height)))
        return picture.resize((width, HEIGHT), Image.Resampling.LANCZOS)
    words = shown.content if isinstance(shown.content, str) else "(a sound: see the .html page)"
    if any(ord(letter) > 0x2FFF for letter in words):
        words = "(the page as .html shows this script)"
    lines = textwrap.wrap(words.replace("▢", "[ ]"), LETTERS)[:8] or ["–"]
    tile = Image.new("RGB", (WORDS_WIDE, max(22, 17 * len(lines) + 5)), "white")
    text, font = "\n".join(lines), ImageFont.load_default(13)
    ImageDraw.Draw(tile).multiline_text((0, 0), text, fill="#17212c", font=font)
    return tile
