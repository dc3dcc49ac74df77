"""What one client may ask of the server, and how long it waits."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from polymodal.data.modalities import Gallery, Image, Modality, Video


@dataclass(frozen=True)
class Limits:
    """Bounds on size, number and time.

    Args:
        megabytes: of the body of a request; of one line where rows are streamed.
        megapixels: of a picture, or of a frame of a video; asked of its header, before decoding.
        seconds: of a video that are looked at. Of a sound no more than twice what the model uses
            is ever read.
        characters: of one text.
        decode_seconds: after this long a worker that decodes is ended.
        answer_seconds: after this long a request is answered with 504; a body that does not
            arrive within it, with 408.
        worker_megabytes: of memory that a worker may take beside what it starts with.
        waiting: rows that may be on their way at once; more are refused with 503.
        batch: most rows that go through the network together; 1 switches batching off.
        batch_wait: seconds that rows wait for others which are being decoded.
        connections: open at once.
    """

    megabytes: float = 20.0
    megapixels: float = 50.0
    seconds: float = 600.0
    characters: int = 100_000
    decode_seconds: float = 10.0
    answer_seconds: float = 30.0
    worker_megabytes: int = 2048
    waiting: int = 256
    batch: int = 32
    batch_wait: float = 0.005
    connections: int = 1000

    @property
    def bytes(self) -> int:
        """Of the body of a request."""
        return int(self.megabytes * 1_000_000)


def bounded(modalities: Mapping[str, Modality], limits: Limits) -> dict[str, Modality]:
    """The same modalities, which refuse what is larger than the limits; the smaller bound holds.

    Args:
        modalities: column -> fitted modality; they stay as they are.
        limits: of the server.
    """
    found = {name: copy.copy(modality) for name, modality in modalities.items()}
    pixels = int(limits.megapixels * 1_000_000)
    for modality in found.values():
        if isinstance(modality, Gallery):
            modality.image = copy.copy(modality.image)
        picture = modality.image if isinstance(modality, Gallery) else modality
        if isinstance(picture, Image | Video):
            picture.max_pixels = min(picture.max_pixels, pixels)
        if isinstance(picture, Video):
            picture.max_seconds = min(picture.max_seconds, limits.seconds)
    return found
