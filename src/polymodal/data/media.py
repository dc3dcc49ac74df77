"""Single cells: whether one is missing, what media it is, its bytes, and how to know it again."""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
import sys
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import numpy as np

from polymodal.errors import CellError

IMAGE_ENDINGS = {
    ".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm",
    ".jp2", ".ico", ".avif", ".heic",
}  # fmt: skip
AUDIO_ENDINGS = {
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aif", ".aiff", ".wma",
}  # fmt: skip
VIDEO_ENDINGS = {
    ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".3gp", ".flv",
    ".ogv", ".mts", ".m2ts", ".mxf", ".vob", ".asf",
}  # fmt: skip
POINT_ENDINGS = {".ply", ".pcd"}
# Everything that holds sound or moving pictures, but for play lists, which name other files and
# addresses, and for single pictures and plain text, which FFmpeg would show as videos.
FFMPEG_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,m4v,h261,h263,h264,"
    "hevc,vvc,av1,obu,ivf,flv,live_flv,asf,ogg,gif,apng,webp,mjpeg,mpjpeg,nut,mxf,gxf,dv,rm,wtv,"
    "swf,yuv4mpegpipe,vc1,cavsvideo,dirac,avs,avs2,nsv,nuv,pva,smk,bink,roq,flic,ty,ingenient,"
    "mp3,aac,flac,wav,w64,aiff,au,caf,amr,ac3,eac3,ape,wv,tta,dts"
)
MEDIA_ENDINGS = IMAGE_ENDINGS | AUDIO_ENDINGS | VIDEO_ENDINGS | POINT_ENDINGS
SIGNATURES = (
    ("an image", 0, (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"P4\n")),
    ("an image", 0, (b"P5", b"P6", b"\0\0\0\x0cjP", b"\0\0\1\0")),
    ("an image", 8, (b"WEBP",)),
    ("an image", 4, (b"ftypavif", b"ftypheic", b"ftypmif1")),
    ("a sound", 0, (b"fLaC", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"FORM", b"OggS")),
    ("a sound", 0, (b"\xff\xf1", b"\xff\xf9", b".snd")),
    ("a sound", 8, (b"WAVE",)),
    ("a sound", 4, (b"ftypM4A",)),
    ("a video", 4, (b"ftyp",)),
    (
        "a video",
        0,
        (b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"\0\0\1\xb3", b"FLV", b"0&\xb2u\x8ef\xcf\x11"),
    ),
    ("a video", 8, (b"AVI ",)),
    ("a point cloud", 0, (b"ply\n", b"ply\r", b"# .PCD")),
    ("a PDF", 0, (b"%PDF",)),
    ("a zip archive", 0, (b"PK\3\4",)),
    ("a web page", 0, (b"<!DO", b"<htm", b"<!do", b"<?xm")),
)


_heard: ContextVar[list[CellError] | None] = ContextVar("heard", default=None)


@dataclass(frozen=True)
class Shown:
    """A cell as a person wants to see it.

    Args:
        kind: how ``content`` is to be shown.
        content: the text; or the bytes of a PNG picture, a WAV sound, an MP4 or WebM video.
        note: what a caption should add (size, duration).
        strip: of a video, a PNG picture of some frames side by side.
    """

    kind: Literal["text", "image", "audio", "video"]
    content: str | bytes
    note: str = ""
    strip: bytes = b""


def ending(cell: Any) -> str:
    """The file ending of a cell that looks like a path ('.png'), else ''.

    >>> ending("photos/a.PNG"), ending("the end."), ending(3)
    ('.png', '', '')
    """
    if isinstance(cell, Path):
        return cell.suffix.lower()
    if not isinstance(cell, str) or len(cell) > 1000 or "\n" in cell:
        return ""
    dot = cell.rfind(".")
    return cell[dot:].lower() if 2 <= len(cell) - dot <= 6 and dot > 0 else ""


def read_bytes(cell: Any) -> bytes:
    """The bytes of a media cell: a path's content, or bytes as they are.

    Raises:
        CellError: no such file, a folder, an empty file, or a kind of object without bytes.
    """
    if isinstance(cell, bytes | bytearray | memoryview):
        content = bytes(cell)
    elif isinstance(cell, str | Path):
        content = _read_file(str(cell))
    else:
        raise CellError("not a path, bytes or media object", type(cell).__name__)
    if not content:
        raise CellError("zero-byte file", str(cell) if isinstance(cell, str | Path) else "")
    return content


def existing_file(path: str | Path) -> Path:
    """The path of a file that is there and holds something.

    Raises:
        CellError: no such file, a folder or device, an empty file.
    """
    with _explained(str(path)):
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device could wait for ever
            raise CellError("not a file", str(path))
        if not found.st_size:
            raise CellError("zero-byte file", str(path))
    return Path(path)


def as_list(cell: Any) -> list[Any] | None:
    """The parts of a cell that holds several, as a list or as the JSON text of one; else None.

    >>> as_list(("a.png", "b.png")), as_list('["a.png"]'), as_list("[a] dog")
    (['a.png', 'b.png'], ['a.png'], None)
    """
    if isinstance(cell, list):
        return cell
    if isinstance(cell, tuple):  # a sound is one, too: (samples, rate)
        return list(cell) if all(isinstance(part, str | bytes | Path) for part in cell) else None
    if isinstance(cell, str) and cell.startswith("[") and cell.endswith("]"):
        with suppress(ValueError, RecursionError):
            return json.loads(cell)
    return None


def is_wrapped(cell: Any) -> bool:
    """Whether a cell is a picture or sound as `datasets` keeps it: ``{"bytes": …, "path": …}``."""
    return isinstance(cell, Mapping) and bool({"bytes", "path"} & set(cell))


def unwrapped(cell: Any) -> Any:
    """The bytes, or else the path, of a wrapped cell; any other cell as it is."""
    return (cell.get("bytes") or cell.get("path")) if is_wrapped(cell) else cell


def identity(cell: Any) -> Hashable | None:
    """What two cells have in common that hold the same: text or path, or a digest of their bytes.

    Of a list, that of all its parts. None for objects that cannot be compared (arrays, pictures
    in memory).
    """
    cell = unwrapped(cell)
    if isinstance(cell, list | tuple):
        parts = tuple(map(identity, cell))
        return None if None in parts else parts
    if isinstance(cell, bytes):
        return hashlib.blake2b(cell, digest_size=16).digest()
    if isinstance(cell, os.PathLike):
        return os.fspath(cell)
    return cell if isinstance(cell, str) else None


def head(source: str | Path | bytes) -> bytes:
    """The first bytes of a file, or of bytes, by which :func:`what_is` knows them."""
    if isinstance(source, bytes):
        return source[:512]
    with open(source, "rb") as file:
        return file.read(512)


def what_is(content: bytes) -> str:
    """What some bytes are, in plain words, by how they start.

    >>> what_is(b"GIF89a...")
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


def remark(kind: str, detail: str = "") -> None:
    """Say that a cell was mended, or a part of it left out; packing hears it, and tells the row.

    Args:
        kind: the same for every cell to which it happened.
        detail: what is special about this cell.
    """
    heard = _heard.get()
    if heard is not None:
        heard.append(CellError(kind, detail))


@contextmanager
def hearing() -> Iterator[list[CellError]]:
    """The remarks that are made inside, in this thread.

    >>> with hearing() as remarks:
    ...     remark("points left out", "3 of them")
    >>> str(remarks[0])
    'points left out: 3 of them'
    """
    remarks: list[CellError] = []
    token = _heard.set(remarks)
    try:
        yield remarks
    finally:
        _heard.reset(token)


@contextmanager
def without_remarks() -> Iterator[None]:
    """Silence what Pillow has to say on odd metadata.

    Filters of warnings belong to the whole process: enter this before threads begin, not in them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
        yield


def spread(cells: Sequence[Any], most: int) -> list[Any]:
    """At most this many of the cells, evenly spread."""
    if len(cells) <= most:
        return list(cells)
    return [cells[i] for i in np.linspace(0, len(cells) - 1, most).astype(int)]


def _read_file(path: str) -> bytes:
    with _explained(path):
        # Reading a pipe or a device could wait for ever.
        if os.path.exists(path) and not os.path.isfile(path):
            raise CellError("not a file", path)
        return Path(path).read_bytes()


@contextmanager
def _explained(path: str) -> Iterator[None]:
    if "://" in path:
        raise CellError("address instead of a file", f"{path}; download it first")
    try:
        yield
    except FileNotFoundError as error:
        raise CellError("file not found", path) from error
    except OSError as error:
        raise CellError("file cannot be read", f"{path}: {error.strerror}") from error
    except ValueError as error:  # a null character, half a surrogate pair
        if isinstance(error, CellError):
            raise
        raise CellError("not a path", repr(path)[:60]) from error


def is_tensor(cell: Any) -> bool:
    """Whether a cell is a tensor of PyTorch: where PyTorch was never loaded, nothing is.

    >>> is_tensor([1.0, 2.0])
    False
    """
    loaded = sys.modules.get("torch")
    return loaded is not None and isinstance(cell, loaded.Tensor)


def is_missing(cell: Any) -> bool:
    """Whether a cell holds nothing: None, NaN, NaT, an empty or blank string, empty list."""
    if cell is None:
        return True
    if isinstance(cell, float | np.floating):
        return math.isnan(cell)
    if isinstance(cell, str):
        return not cell or cell.isspace()
    if isinstance(cell, list | tuple):
        return not cell
    if is_wrapped(cell):
        return cell.get("bytes") is None and not cell.get("path")
    if isinstance(cell, Decimal):
        return cell.is_nan()
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return type(cell).__name__ in ("NaTType", "NAType")


def located(cell: Any, folder: Path) -> Any:
    """A media cell with its paths made absolute; bytes and objects as they are."""
    parts = as_list(cell)
    if parts is not None:
        return [located(part, folder) for part in parts]
    cell = unwrapped(cell)
    if isinstance(cell, str) and "://" not in cell:
        return folder / cell
    return cell
