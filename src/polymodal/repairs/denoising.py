"""Noise removed from recordings and pictures; the results are new files.

Letters: T samples · F frequencies · S frames · H, W height and width · C channels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFilter

from polymodal.data.media import without_remarks
from polymodal.data.modalities.audio import read_sound
from polymodal.data.modalities.image import Image
from polymodal.errors import CellError
from polymodal.repairs.draft import Draft
from polymodal.repairs.media_rules import NO_FOLDER, new_media

WINDOW = 1024
QUIET_SHARE, LOUDER, QUIETER = 0.1, 2.5, 0.05
REACH, SPATIAL, TONAL = 2, 1.5, 25.0

Tell = Callable[[str, int, int], None]
"""Is told a stage, how much of it is done, and how much there is."""


def denoise(draft: Draft, tell: Tell) -> None:
    """Remove noise from the recordings and pictures of all input columns, as asked for."""
    options = draft.options
    if options.sound != "off":
        _all_cells(draft, "audio", tell, rule=options.sound, made=_clean_sound)
    if options.pictures != "off":
        median = options.pictures == "median"
        _all_cells(
            draft,
            "image",
            tell,
            rule=options.pictures,
            made=lambda cell: _clean_picture(cell, median=median),
        )


def _all_cells(
    draft: Draft, modality: str, tell: Tell, *, rule: str, made: Callable[[Any], tuple[str, bytes]]
) -> None:
    option = "sound" if modality == "audio" else "pictures"
    for column in draft.columns(modality):
        rows = [int(row) for row in draft.kept() if draft.cells(column)[row] is not None]
        if draft.folder is None:
            draft.leave(f"clean.{option}", column, len(rows), NO_FOLDER)
            continue
        unread = 0
        with without_remarks():
            for done, row in enumerate(rows, start=1):
                try:
                    end, content = made(draft.table.media(draft.cells(column)[row]))
                except CellError:
                    unread += 1
                    continue
                why = f"clean.{option}"
                new_media(
                    draft, row, column, ending=end, write=_holding(content), why=why, rule=rule
                )
                tell(f"{rule}: {column}", done, len(rows))
        draft.leave(f"clean.{option}", column, unread, "cannot be read")


def _holding(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _clean_sound(cell: Any) -> tuple[str, bytes]:
    import soundfile

    samples, rate = read_sound(cell)
    file = io.BytesIO()
    soundfile.write(file, gated(samples), rate, format="FLAC", subtype="PCM_16")
    return ".flac", file.getvalue()


def gated(samples: np.ndarray) -> np.ndarray:
    """A recording ``(T,)`` whose steady noise is turned down, by spectral gating.

    What a frequency holds in its quietest tenth of the time is taken for noise; wherever it is
    less than two and a half times as loud, it is turned down, to a twentieth at most. Mono.

    As in Sainburg & Zorea 2024, https://arxiv.org/abs/2412.17851 (noisereduce), with the noise
    learned from the recording itself.
    """
    from scipy.ndimage import uniform_filter
    from scipy.signal import istft, stft

    size = min(WINDOW, len(samples))
    if size < 16 or not samples.any():
        return samples
    _, _, spectrum = stft(samples, nperseg=size, noverlap=size * 3 // 4)  # (F, S)
    loud = np.abs(spectrum)
    quiet = np.quantile(loud, QUIET_SHARE, axis=1, keepdims=True)
    # The quietest tenth of Rayleigh noise is 0.46 of its median: bring it back to the middle.
    noise = quiet / 0.39
    gate = np.clip((loud / np.maximum(LOUDER * noise, 1e-12)) ** 2, QUIETER, 1.0)
    gate = uniform_filter(gate, size=(3, 5), mode="nearest")
    _, clean = istft(spectrum * gate, nperseg=size, noverlap=size * 3 // 4)
    found = np.zeros_like(samples)
    found[: len(clean)] = clean[: len(samples)]
    return np.clip(found, -1, 1)


def _clean_picture(cell: Any, *, median: bool) -> tuple[str, bytes]:
    picture = Image().opened(cell, draft=None)
    if median:
        clean = picture.filter(ImageFilter.MedianFilter(3))
    else:
        clean = Pillow.fromarray(bilateral(np.asarray(picture)))
    file = io.BytesIO()
    clean.save(file, "PNG")
    return ".png", file.getvalue()


def bilateral(pixels: np.ndarray) -> np.ndarray:
    """A picture ``(H, W)`` or ``(H, W, C)`` uint8 with less grain, its edges where they were.

    Each pixel becomes the mean of its neighbours within two pixels, weighted by nearness and by
    likeness of their colours (Tomasi & Manduchi 1998, https://doi.org/10.1109/ICCV.1998.710815).
    """
    values = pixels[..., None] if pixels.ndim == 2 else pixels
    values = values.astype(np.float32)
    total, weights = np.zeros_like(values), np.zeros((*values.shape[:2], 1), np.float32)
    for near, weight in _neighbours(values):
        apart = np.square(near - values).mean(-1, keepdims=True)
        like = weight * np.exp(-apart / (2 * TONAL**2))
        total += like * near
        weights += like
    return (total / weights).round().astype(np.uint8).reshape(pixels.shape)


def _neighbours(values: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """The picture moved to each place within reach, and how near that is."""
    padded = np.pad(values, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="edge")
    height, width = values.shape[:2]
    for down in range(2 * REACH + 1):
        for right in range(2 * REACH + 1):
            far = (down - REACH) ** 2 + (right - REACH) ** 2
            moved = padded[down : down + height, right : right + width]
            yield moved, float(np.exp(-far / (2 * SPATIAL**2)))
