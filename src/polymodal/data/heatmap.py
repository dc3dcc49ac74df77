"""A grid of numbers as a picture, for people: spectrograms."""

from __future__ import annotations

import io

import numpy as np

# From dark to bright, told apart by people who see colours differently, too (as "magma").
LEVELS = (
    (0, 0, 4),
    (59, 15, 112),
    (140, 41, 129),
    (222, 73, 104),
    (254, 159, 109),
    (252, 253, 191),
)


def heatmap(values: np.ndarray, *, low: float, high: float, scale: int = 2) -> bytes:
    """A grid ``(H, W)`` as PNG, its first row at the top.

    Args:
        values: the numbers.
        low: what is drawn darkest.
        high: what is drawn brightest.
        scale: pixels of one number.
    """
    from PIL import Image

    places = np.clip((values - low) / ((high - low) or 1.0), 0, 1)
    steps = np.linspace(0, 1, len(LEVELS))
    colours = [np.interp(places, steps, [level[c] for level in LEVELS]) for c in range(3)]
    picture = Image.fromarray(np.stack(colours, -1).round().astype(np.uint8))
    size = (picture.width * scale, picture.height * scale)
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.NEAREST).save(file, "PNG", optimize=True)
    return file.getvalue()
