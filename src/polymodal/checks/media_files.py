"""What a media file says of itself: size, format, dimensions, whether it is whole."""

from __future__ import annotations

import hashlib
import io
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.data.media import ending, what_is
from polymodal.data.modalities.image import DAMAGE

MOST_HASHED = 32 << 20
MOST_FRAMES, BLOCK = 1 << 28, 1 << 18
PEAK, FLAT, QUIET = 0.98, 0.001, 0.05  # shares of the loudest level; of full scale
CLIPPED_SHARE = 0.005
LOSSLESS = ("WAV", "FLAC", "AIFF")
TAIL = 65_307  # the longest page of an Ogg file
# How a file starts -> its format, and the endings that such files have.
FORMATS: dict[str, tuple[str, ...]] = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jfif", ".jpe", ".mpo"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
    "WAV": (".wav", ".wave"),
    "AVI": (".avi",),
    "FLAC": (".flac",),
    "Ogg": (".ogg", ".oga", ".opus", ".ogv", ".spx"),
    "MP3": (".mp3",),
    "AIFF": (".aif", ".aiff", ".aifc"),
    "Matroska": (".mkv", ".webm", ".mka"),
    "MP4": (
        ".mp4", ".m4a", ".m4v", ".mov", ".3gp", ".3g2", ".heic", ".heif", ".avif", ".aac", ".m4b",
    ),
}  # fmt: skip
_ENDINGS = {end for ends in FORMATS.values() for end in ends}


@dataclass(frozen=True)
class MediaFile:
    """What is known of one file (or of bytes) without decoding it.

    Args:
        size: bytes; -1 where there is no such file.
        ending: of its name (".png"); "" for bytes.
        format: a key of :data:`FORMATS`; "" where unknown.
        kind: what its start says it is, in plain words ("an image").
        digest: equal for equal contents; b"" where there is none.
        whole: False where the file ends before its content does; None where that is not known.
        width: pixels; 0 where not known.
        height: pixels.
        seconds: of a recording; 0.0 where not known.
        clipped: whether a noticeable share of its samples lies in flat runs at the loudest level.
    """

    size: int
    ending: str = ""
    format: str = ""
    kind: str = ""
    digest: bytes = b""
    whole: bool | None = None
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    clipped: bool = False

    @property
    def misnamed(self) -> bool:
        """Whether the name has the ending of another format."""
        known = self.format and self.ending in _ENDINGS
        return bool(known) and self.ending not in FORMATS[self.format]


def read_facts(cell: Any) -> MediaFile:
    """What the file of a cell says of itself.

    Args:
        cell: an absolute path, or bytes; of other objects nothing is known.
    """
    if isinstance(cell, bytes):
        return _facts(cell, len(cell), "") if cell else MediaFile(0)
    if not isinstance(cell, str | Path):
        return MediaFile(1)
    path = Path(cell)
    try:
        if not path.is_file():
            return MediaFile(-1, ending(path))
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_HASHED else _ends(path, size)
    except (OSError, ValueError):
        return MediaFile(-1, ending(path))
    return _facts(content, size, ending(path)) if size else MediaFile(0, ending(path))


def _ends(path: Path, size: int) -> bytes:
    """The first and last 16 MiB of a large file."""
    with path.open("rb") as file:
        head = file.read(MOST_HASHED // 2)
        file.seek(size - MOST_HASHED // 2)
        return head + file.read()


def _facts(content: bytes, size: int, end: str) -> MediaFile:
    found, kind = _format(content), what_is(content[:512])
    digest = hashlib.blake2b(content, digest_size=16, key=str(size).encode()).digest()
    width, height = _dimensions(content) if kind == "an image" else (0, 0)
    whole, seconds, clipped = _is_whole(content, size, found), 0.0, False
    if kind == "a sound" and size <= MOST_HASHED:
        complete, seconds, clipped = _listened(content, found)
        whole = complete if whole is None else whole and complete is not False
    elif found == "MP4":
        seconds = _film_seconds(content)
    return MediaFile(size, end, found, kind, digest, whole, width, height, seconds, clipped)


def _format(content: bytes) -> str:
    starts = {
        b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP",
        b"II*\0": "TIFF", b"MM\0*": "TIFF", b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3",
        b"\xff\xfb": "MP3", b"\xff\xf3": "MP3", b"\xff\xf2": "MP3", b"\x1aE\xdf\xa3": "Matroska",
    }  # fmt: skip
    for start, name in starts.items():
        if content.startswith(start):
            return name
    inner = {b"WAVE": "WAV", b"WEBP": "WebP", b"AVI ": "AVI", b"AIFF": "AIFF", b"AIFC": "AIFF"}
    if content[:4] in (b"RIFF", b"FORM"):
        return inner.get(content[8:12], "")
    return "MP4" if content[4:8] == b"ftyp" else ""


def _is_whole(content: bytes, size: int, form: str) -> bool | None:
    """Whether a file holds all that its format says; None where the format does not say."""
    end = content[-TAIL:]
    if form == "PNG":
        return b"IEND" in end
    if form == "JPEG":
        return b"\xff\xd9" in end
    if form == "GIF":
        return end.rstrip(b"\0").endswith(b";")
    if form in ("WAV", "WebP", "AVI"):
        (said,) = struct.unpack("<I", content[4:8])
        streamed = said in (0, 0xFFFFFFFF)  # written without knowing how long it would be
        return None if streamed else size >= said + 8 - 1
    if form == "Ogg":
        return _ogg_ends(end[max(end.rfind(b"OggS"), 0) :])
    if form == "MP4":
        return _boxes_fit(content, size)
    return None


def _ogg_ends(page: bytes) -> bool:
    """Whether an Ogg page is whole and says that it is the last one."""
    if len(page) < 27 or len(page) < 27 + page[26]:
        return False
    body = sum(page[27 : 27 + page[26]])
    return len(page) >= 27 + page[26] + body and bool(page[5] & 4)


def _boxes_fit(content: bytes, size: int) -> bool | None:
    """Whether an MP4's outermost boxes lie within the file, its index among them."""
    if size > len(content):
        return None
    place, names = 0, set()
    while place + 8 <= size:
        length, name = struct.unpack(">I4s", content[place : place + 8])
        if length == 1 and place + 16 <= size:
            (length,) = struct.unpack(">Q", content[place + 8 : place + 16])
        names.add(name)
        if length == 0:
            break
        if length < 8:
            return None
        place += length
    return place <= size and bool({b"moov", b"moof", b"meta"} & names)


def _listened(content: bytes, form: str) -> tuple[bool | None, float, bool]:
    """Whether as many samples can be read as the header says, the seconds said, and clipping.

    Codecs that lose something smear the peaks, so that of those only the header is read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if not 0 < file.frames < MOST_FRAMES:
                return None, 0.0, False
            said, rate = file.frames, file.samplerate
            if form not in LOSSLESS:
                return None, float(said / rate), False
            parts: list[np.ndarray] = []
            with suppress(soundfile.LibsndfileError):  # what could be read until there is kept
                parts += file.blocks(BLOCK, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        return None, 0.0, False
    read = sum(map(len, parts))
    clipped = any(is_clipped(part[:, 0]) for part in parts)
    return read >= said, float(said / rate), clipped


def is_clipped(samples: np.ndarray) -> bool:
    """Whether a noticeable share of samples ``(T,)`` lies in flat runs at the loudest level.

    >>> wave = np.sin(np.arange(4000) / 20)
    >>> is_clipped(wave), is_clipped(np.clip(3 * wave, -1, 1))
    (False, True)
    """
    level = np.abs(samples)
    top = float(level.max(initial=0))
    if top < QUIET or len(samples) < 8:
        return False
    # Where it is not cut off, even a slow wave moves at its peak.
    flat = (level[1:] >= PEAK * top) & (np.abs(np.diff(samples)) < FLAT * top)
    runs = flat[2:] & flat[1:-1] & flat[:-2]
    return bool(runs.mean() > CLIPPED_SHARE)


def _dimensions(content: bytes) -> tuple[int, int]:
    from PIL import Image

    # Damaged, or huge, in ways that decoders do not agree on: decoding says how.
    with (
        suppress(*DAMAGE, Image.DecompressionBombError),
        Image.open(io.BytesIO(content)) as picture,
    ):
        return picture.size
    return 0, 0


def _film_seconds(content: bytes) -> float:
    """The duration that an MP4's movie header tells."""
    place = content.find(b"mvhd")
    if place < 0 or len(content) < place + 36:
        return 0.0
    wide = content[place + 4] == 1
    start, form = (place + 24, ">IQ") if wide else (place + 16, ">II")
    scale, length = struct.unpack_from(form, content, start)
    return float(length / scale) if scale else 0.0
