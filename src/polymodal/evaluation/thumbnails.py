"""Small pictures of rows, and their cells for people."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from polymodal.data.media import Shown, identity, without_remarks
from polymodal.data.modalities import Image, Modality
from polymodal.data.table import Table
from polymodal.errors import CellError

PICTURED = ("image", "gallery", "video", "points")
"""Modalities of which a small picture can be made."""
QUALITY = 75


def thumbnails(
    table: Table,
    columns: Sequence[str],
    modalities: Mapping[str, Modality],
    *,
    pixels: int = 160,
) -> list[bytes | None]:
    """A small WebP picture ``(N,)`` of each row, of the first of these columns that has one.

    Args:
        table: the rows.
        columns: where to look for a picture; of a video, some of its frames.
        modalities: column -> fitted modality.
        pixels: of the longer side.
    """
    found: list[bytes | None] = [None] * len(table)
    made: dict[Any, bytes | None] = {}
    with without_remarks():
        for name in columns:
            for row, cell in enumerate(table.cells(name)):
                if found[row] is not None or cell is None:
                    continue
                known = identity(cell)
                if known is None or known not in made:
                    picture = _thumbnail(table, cell, modalities[name], pixels)
                    if known is not None:
                        made[known] = picture
                else:
                    picture = made[known]
                found[row] = picture
    return found


def shown(table: Table, cell: Any, modality: Modality) -> Shown | None:
    """A cell for people; None where it is broken or gone."""
    try:
        return modality.show(table.media(cell) if modality.media else cell)
    except CellError:
        return None


def _thumbnail(table: Table, cell: Any, modality: Modality, pixels: int) -> bytes | None:
    from PIL import Image as Pillow

    if isinstance(modality, Image):  # without the detour over a PNG, which takes the longest
        try:
            small = modality.opened(table.media(cell), draft=pixels).convert("RGB")
        except CellError:
            return None
    else:
        seen = shown(table, cell, modality)
        png = None if seen is None else seen.strip if seen.kind == "video" else seen.content
        if seen is None or seen.kind == "audio" or not isinstance(png, bytes) or not png:
            return None
        with Pillow.open(io.BytesIO(png)) as picture:
            small = picture.convert("RGB")
    small.thumbnail((pixels, pixels))
    small.save(file := io.BytesIO(), "WEBP", quality=QUALITY)
    return file.getvalue()
