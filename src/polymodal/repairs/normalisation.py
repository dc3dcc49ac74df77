"""Strings made alike: composed letters, blanks, and the encoding they were meant to be read in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from polymodal.clean_options import Normalisation

# Signs that are never seen; joiners are, where letters or emoji meet, and stay.
INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u2060\ufeff]")
BLANKS = re.compile(r"[^\S\n]+")
# Bytes that Windows-1252 leaves open are read as the control signs of Latin-1.
_OPEN = {chr(byte): byte for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
MOST_TIMES = 3


def normalise(text: str, ways: Collection[Normalisation]) -> str:
    r"""The text in the chosen ways.

    >>> normalise("  Ｈello \u200bworld\t", ("nfkc", "whitespace"))
    'Hello world'
    """
    if "nfkc" in ways:
        text = unicodedata.normalize("NFKC", text)
    elif "nfc" in ways:
        text = unicodedata.normalize("NFC", text)
    if "whitespace" in ways:
        text = INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        text = "\n".join(line.strip() for line in BLANKS.sub(" ", text).split("\n")).strip()
    return text


def unmangled(text: str) -> str:
    """UTF-8 that was read as Windows-1252, Latin-1 or GB18030, read rightly; else as it is.

    Certain, since text that means something is hardly ever valid UTF-8 in one of these.

    >>> unmangled("GrÃ¼ÃŸe"), unmangled("浣犲ソ"), unmangled("Grüße")
    ('Grüße', '你好', 'Grüße')
    """
    read: str | None = text
    for _ in range(MOST_TIMES):  # some texts were read wrongly more than once
        read = None if read is None else _read_again(read)
        if read is not None and not INVISIBLE.search(read):
            text = read
    return text


def _read_again(text: str) -> str | None:
    if text.isascii():
        return None
    for written in (_windows_1252(text), _in_gb18030(text)):
        if written is None:
            continue
        try:
            read = written.decode("utf-8")
        except UnicodeDecodeError:
            continue
        if len(read) < len(text):
            return read
    return None


def _windows_1252(text: str) -> bytes | None:
    written = bytearray()
    for sign in text:
        try:
            written += bytes([_OPEN[sign]]) if sign in _OPEN else sign.encode("cp1252")
        except UnicodeEncodeError:
            if ord(sign) > 0xFF:
                return None
            written.append(ord(sign))
    return bytes(written)


def _in_gb18030(text: str) -> bytes | None:
    try:
        return text.encode("gb18030")
    except UnicodeEncodeError:  # half a surrogate pair
        return None
