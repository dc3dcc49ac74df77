"""When in a sound each word of a written text was heard, as strips along time under the sound.

Letters: W words of one text · T moments (tokens of the sound) · S samples · P points of the wave.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

_POINTS = 240  # P
_SURE = 0.05  # of the loudest: a quieter sound is drawn as if it were this loud
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0)
_MOST_TICKS = 3


class Heard(NamedTuple):
    """When one word was heard.

    Args:
        word: as it stands in the text; of an alignment it may be a part of a word.
        shares: ``(T,)`` of each moment, 0 to 1; of attention against the most.
        inside: how much of all that was read for the word lies in the sound's moments, 0 to 1;
            the rest was read in the recording as a whole, or in other inputs.
    """

    word: str
    shares: np.ndarray
    inside: float = 1.0


class Hearing(NamedTuple):
    """A text beside the sound that it was written about.

    Args:
        column: of the sound.
        seconds: how long the model listened; the moments share them evenly.
        words: of the text, in their order.
        aligned: whether the moments say the words themselves (``ctc``), so that the shares are
            probabilities; else they are attention.
    """

    column: str
    seconds: float
    words: Sequence[Heard]
    aligned: bool


class Strip(NamedTuple):
    """One word as the page shows it.

    Args:
        word: the word.
        mask: a picture of one row as data URI, opaque where the word was heard.
        start: of the stretch where it was heard most, in seconds.
        end: of it.
        middle: of the stretch, as a share of the whole time.
        inside: as of :class:`Heard`.
    """

    word: str
    mask: str
    start: float
    end: float
    middle: float
    inside: float


def strips(hearing: Hearing) -> list[Strip]:
    """The words of a text as strips along time."""
    return [_strip(heard, hearing.seconds) for heard in hearing.words]


def _strip(heard: Heard, seconds: float) -> Strip:
    shares, length = heard.shares, seconds / len(heard.shares)
    most = int(shares.argmax())
    # The stretch around the peak that is at least half as high.
    low = np.flatnonzero(shares < shares[most] / 2)
    first = int(low[low < most].max(initial=-1)) + 1
    last = int(low[low > most].min(initial=len(shares)))
    middle = (first + last) / 2 / len(shares)
    return Strip(heard.word, _mask(shares), first * length, last * length, middle, heard.inside)


def ticks(seconds: float) -> list[float]:
    """Round places on an axis of time, from 0.

    >>> ticks(1.3)
    [0.0, 0.5, 1.0]
    """
    step = next((s for s in _STEPS if seconds / s <= _MOST_TICKS), seconds)
    return [round(i * step, 6) for i in range(int(seconds / step + 1e-9) + 1)]


def outline(sound: bytes, seconds: float) -> str:
    """The wave of a WAV sound as an SVG path in a box of 240 × 2, silence along its middle.

    Args:
        sound: 16 bits, one channel.
        seconds: that the whole width stands for; beyond the sound's end there is silence.
    """
    with wave.open(io.BytesIO(sound)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        each = seconds * file.getframerate() / _POINTS
    edges = (np.arange(_POINTS + 1) * each).astype(int)
    parts = [samples[a : max(b, a + 1)] for a, b in pairwise(edges)]
    high = np.array([part.max(initial=0.0) for part in parts])
    low = np.array([part.min(initial=0.0) for part in parts])
    loudest = max(high.max(), -low.min(), _SURE * 32768)
    upper = [f"{x},{1 - y:.3f}" for x, y in enumerate(high / loudest)]
    lower = [f"{x},{1 - y:.3f}" for x, y in reversed(list(enumerate(low / loudest)))]
    return f"M{' '.join([*upper, *lower])}Z"


def _mask(shares: np.ndarray) -> str:
    """Shares ``(T,)`` as a PNG of one row whose opacity they are."""
    from PIL import Image

    pixels = np.zeros((1, len(shares), 2), np.uint8)
    pixels[..., 1] = (np.clip(shares, 0, 1) * 255).round()
    Image.fromarray(pixels, "LA").save(file := io.BytesIO(), "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
