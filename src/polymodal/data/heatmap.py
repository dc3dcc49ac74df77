"""A grid of numbers as a picture, for people: spectrograms, and what was looked at."""

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


def spotlit(picture: bytes, grid: np.ndarray, *, size: int = 112) -> bytes:
    """A picture, dark where a grid is low, as PNG.

    Args:
        picture: as PNG.
        grid: ``(H, W)`` numbers from 0 to 1, its first row at the top.
        size: pixels of the longer side.
    """
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB")
    scale = size / max(small.size)
    wanted = (max(1, round(small.width * scale)), max(1, round(small.height * scale)))
    pixels = np.asarray(small.resize(wanted), np.float32)
    light = Image.fromarray((np.clip(grid, 0, 1) * 255).astype(np.uint8))
    shares = np.asarray(light.resize(wanted, Image.Resampling.BILINEAR), np.float32) / 255
    lit = pixels * (0.15 + 0.85 * shares[..., None])
    file = io.BytesIO()
    Image.fromarray(lit.round().astype(np.uint8)).save(file, "PNG", optimize=True)
    return file.getvalue()
