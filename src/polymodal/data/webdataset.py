"""WebDataset: samples as runs of files of one name in tar archives."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from itertools import groupby
from typing import IO, Any

from polymodal.data.media import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS
from polymodal.errors import TableError

PLAIN_NAMES = (
    (IMAGE_ENDINGS, "image"),
    (AUDIO_ENDINGS, "audio"),
    (VIDEO_ENDINGS, "video"),
    ({".txt", ".text"}, "text"),
    ({".cls", ".index"}, "label"),
)


def read_samples(file: IO[bytes], source: str) -> Iterator[dict[str, Any]]:
    """The samples of an archive, from its start to its end.

    ``0001.jpg`` and ``0001.cls`` are one sample with an image and a label; ``0001.left.jpg`` is
    its column "left"; what ``0001.json`` holds are columns of their own.

    Args:
        file: a tar archive, open; it need not be possible to go back in it.
        source: what to call it in messages.

    Raises:
        TableError: it is no tar archive, or ends too soon.
    """
    last, sample = None, dict[str, Any]()
    for name, ending, archive, member in _files(file, source):
        if name != last:
            if sample:
                yield sample
            last, sample = name, {}
        content = archive.extractfile(member)
        assert content is not None  # it is a regular file
        _put(sample, ending, content.read(), f"{source}: {member.name}")
    if sample:
        yield sample


def count_samples(file: IO[bytes], source: str) -> int:
    """How many samples an archive holds; their content is passed over.

    Raises:
        TableError: it is no tar archive, or ends too soon.
    """
    return sum(1 for _ in groupby(name for name, *_ in _files(file, source)))


def _files(
    file: IO[bytes], source: str
) -> Iterator[tuple[str, str, tarfile.TarFile, tarfile.TarInfo]]:
    """The files of an archive that belong to samples: the sample's name, what follows it."""
    try:
        with tarfile.open(fileobj=file, mode="r|*") as archive:
            for member in archive:
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                # Hidden files, and files that belong to no sample, are passed over.
                if member.isfile() and stem and ending:
                    yield f"{folder}/{stem}", ending, archive, member
    except tarfile.TarError as error:
        raise TableError(f"{source} cannot be read as a tar archive: {error}") from error


def _put(sample: dict[str, Any], ending: str, content: bytes, where: str) -> None:
    """Add one file of a sample as a column, or as several."""
    first, _, last = ending.rpartition(".")
    kind = f".{last.lower()}"
    try:
        if kind == ".json":
            found = json.loads(content)
            sample.update(found if isinstance(found, dict) and not first else {first: found})
            return
        value: Any = content
        if kind in (".txt", ".text"):
            value = content.decode("utf-8-sig")
        elif kind in (".cls", ".index"):
            value = int(content)
    except ValueError as error:
        raise TableError(f"{where} cannot be read: {error}") from error
    plain = next((name for endings, name in PLAIN_NAMES if kind in endings), last)
    sample[first or plain] = value
