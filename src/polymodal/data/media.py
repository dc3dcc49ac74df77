"""Reading the bytes of a media cell, and telling what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polymodal.errors import CellError

SIGNATURES = (
    ("an image", 0, (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P4\n")),
    ("an image", 0, (b"P5", b"P6", b"\0\0\0\x0cjP", b"\0\0\1\0")),
    ("an image", 8, (b"WEBP",)),
    ("an image", 4, (b"ftypavif", b"ftypheic", b"ftypmif1")),
    ("a sound", 0, (b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"FORM", b"OggS")),
    ("a sound", 8, (b"WAVE",)),
    ("a sound", 4, (b"ftypM4A",)),
    ("a video", 4, (b"ftyp",)),
    ("a video", 0, (b"\x1aE\xdf\xa3",)),
    ("a PDF", 0, (b"%PDF",)),
    ("a zip archive", 0, (b"PK\3\4",)),
    ("a web page", 0, (b"<!DO", b"<htm", b"<!do", b"<?xm")),
)


@dataclass(frozen=True)
class Shown:
    """A cell as a person wants to see it.

    Args:
        kind: how ``content`` is to be shown.
        content: the text; or the bytes of a PNG picture or a WAV sound.
        note: what a caption should add (size, duration).
    """

    kind: Literal["text", "image", "audio"]
    content: str | bytes
    note: str = ""


def read_bytes(cell: Any) -> bytes:
    """The bytes of a media cell: a path's content, or bytes as they are.

    Raises:
        CellError: no such file, a folder, an empty file, or a kind of object without bytes.
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        content = bytes(cell)
    elif isinstance(cell, str | Path):
        if str(cell).startswith(("http:", "https:")) or "://" in str(cell):
            raise CellError("address instead of a file", f"{cell}; download it first")
        try:
            content = Path(cell).expanduser().read_bytes()
        except FileNotFoundError as error:
            raise CellError("file not found", str(cell)) from error
        except OSError as error:
            raise CellError("file cannot be read", f"{cell}: {error.strerror}") from error
    else:
        raise CellError("not a path, bytes or media object", type(cell).__name__)
    if not content:
        raise CellError("zero-byte file", str(cell) if isinstance(cell, str | Path) else "")
    return content


def what_is(content: bytes) -> str:
    """What some bytes are, in plain words, by how they start.

    >>> what_is(b"\\x89PNG...")
    'an image'
    """
    for kind, offset, starts in SIGNATURES:
        if content[offset : offset + 8].startswith(starts):
            return kind
    try:
        content[:512].decode("utf-8")
    except UnicodeDecodeError as error:
        return "plain text" if error.start > 500 else "unknown data"
    return "plain text"


def spread(cells: Sequence[Any], most: int) -> list[Any]:
    """At most this many of the cells, evenly spread."""
    if len(cells) <= most:
        return list(cells)
    return [cells[i] for i in np.linspace(0, len(cells) - 1, most).astype(int)]
