"""Pictures."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from polymodal.data.media import (
    IMAGE_ENDINGS,
    Shown,
    ending,
    is_tensor,
    is_wrapped,
    read_bytes,
    spread,
    unwrapped,
    what_is,
    without_remarks,
)
from polymodal.data.modalities.modality import Modality
from polymodal.data.picture_variation import PictureVariation, vary_pictures
from polymodal.data.summary import ColumnSummary
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

LARGEST_AUTO_SIZE = 96
# Pillow hands these to other programs (Ghostscript, Windows).
NEVER_OPENED = {"EPS", "WMF"}
# What decoders raise at damaged files; they do not agree on one error.
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, MemoryError, LookupError, ArithmeticError,
    TypeError, AttributeError, RuntimeError, AssertionError, struct.error, zlib.error,
)  # fmt: skip
EXIF_ORIENTATION = 0x0112


class Image(Modality):
    """Pictures of any format that Pillow reads, as ``(H, W, C)`` uint8.

    EXIF rotation is honoured, transparency is laid on white, 16-bit and CMYK are converted.

    Args:
        size: height and width in pixels that every picture is brought to; "auto" takes the usual
            size of the column's pictures, at most 96.
        channels: 1 grey, 3 colour; "auto" takes 1 where all training pictures are grey.
        resize: "stretch" keeps the whole picture, "crop" keeps its proportions and cuts the
            longer side, "pad" keeps both and adds a border.
        augment: random variation in training: "none", or one or a list of "shift" (by up to 1/12
            of the size), "flip" (left and right), "crop" (a part, enlarged), "colour"
            (brightness, contrast, saturation) and "rand_augment" (two of eleven operations);
            "shift_flip" is both.
        strength: how far "colour" and "rand_augment" go, 0 to 1.
        max_pixels: a picture with more pixels is refused before it is decoded.
        mean: of each channel on a scale from 0 to 1; None learns it from the training part.
        std: standard deviation of each channel, likewise.

    Raises:
        ValueError: ``strength`` is not between 0 and 1.
    """

    name: ClassVar[str] = "image"
    media: ClassVar[bool] = True
    # (U, H, W, C) as (U, C, H, W): channels stay last in memory.
    axes: ClassVar[tuple[int, ...] | None] = (0, 3, 1, 2)

    def __init__(
        self,
        *,
        size: int | Literal["auto"] = "auto",
        channels: Literal[1, 3, "auto"] = "auto",
        resize: Literal["stretch", "crop", "pad"] = "stretch",
        augment: Literal["none", "shift_flip"]
        | PictureVariation
        | tuple[PictureVariation, ...] = "none",
        strength: float = 0.5,
        max_pixels: int = 100_000_000,
        mean: list[float] | None = None,
        std: list[float] | None = None,
    ) -> None:
        self.size = 0 if size == "auto" else size
        self.channels: int = 0 if channels == "auto" else channels
        self.resize = resize
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie between 0 and 1, not {strength}.")
        self.variations = _variations(augment)
        self.strength = strength
        self.max_pixels = max_pixels
        self.mean, self.std = mean, std

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Paths with a picture's ending, bytes that start as a picture does, picture objects."""
        return sum(map(_is_picture, column.sample)) / max(len(column.sample), 1)

    @without_remarks()
    def fit(self, cells: Sequence[Any]) -> None:
        """Learn size, channels, mean and deviation from up to 256 pictures."""
        pictures, longest = [], []
        enough = self.size or LARGEST_AUTO_SIZE
        for cell in spread(cells, 256):
            try:
                picture = self.opened(cell, draft=enough)
            except CellError:
                continue  # packing reports it, with its row
            longest.append(max(picture.size))
            # Small copies: 256 photos of a camera would not fit into memory.
            picture = picture.copy()
            picture.thumbnail((2 * enough, 2 * enough))
            pictures.append(picture)
        if not self.size:
            longest = longest or [LARGEST_AUTO_SIZE]
            usual = int(np.median(longest))
            self.size = min(-(-usual // 4) * 4, LARGEST_AUTO_SIZE)
        if not self.channels:
            self.channels = 1 if pictures and all(_is_grey(p) for p in pictures) else 3
        if self.mean is None or self.std is None:
            arrays = [self._array(p).reshape(-1, self.channels) for p in pictures]
            pixels = np.concatenate(arrays) / 255.0 if arrays else np.full((1, self.channels), 0.5)
            self.mean = [round(float(m), 6) for m in pixels.mean(0)]
            self.std = [round(max(float(s), 0.02), 6) for s in pixels.std(0)]

    def opened(self, cell: Any, draft: int | None) -> Pillow.Image:
        """The picture upright; a JPEG perhaps smaller, though not below ``draft`` pixels.

        Raises:
            CellError: it is missing, broken, too large or no picture.
        """
        if isinstance(cell, np.ndarray) or is_tensor(cell):
            return _from_array(np.asarray(cell))
        content = b"" if isinstance(cell, Pillow.Image) else read_bytes(cell)
        try:
            picture = Pillow.open(io.BytesIO(content), formats=_formats()) if content else cell
            width, height = picture.size
            if width * height > self.max_pixels:
                raise CellError("image too large", f"{width} × {height} pixels")
            if draft and content and picture.format == "JPEG":
                picture.draft(None, (draft, draft))  # decode at a fraction of the size
            picture.load()
            return _upright(picture)
        except CellError:
            raise
        except Pillow.DecompressionBombError as error:
            raise CellError("image too large", "more pixels than can be decoded safely") from error
        except Pillow.UnidentifiedImageError as error:
            found = what_is(content)
            kind = (
                "damaged image, or of a format not read" if found == "an image" else "not an image"
            )
            raise CellError(kind, f"the content is {found}") from error
        except DAMAGE as error:
            raise CellError("damaged image", str(error)) from error

    def decode(self, cell: Any) -> np.ndarray:
        """The picture ``(size, size, channels)`` uint8."""
        return self._array(self.opened(cell, draft=self.size))

    def blank(self) -> np.ndarray:
        """A black picture."""
        return np.zeros((self.size, self.size, self.channels), np.uint8)

    def facts(self) -> dict[str, Any]:
        """Channels, size, mean and deviation."""
        return {
            "channels": self.channels,
            "size": self.size,
            "mean": self.mean,
            "std": self.std,
        }

    def restore(self, array: np.ndarray) -> list[Any]:
        """Pillow pictures."""
        return [Pillow.fromarray(a.squeeze(-1) if a.shape[-1] == 1 else a) for a in array]

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """An 8 × 8 miniature and a histogram of 16 levels for each channel."""
        picture = torch.from_numpy(array.astype(np.float32)).permute(2, 0, 1)[None]
        small = torch.nn.functional.adaptive_avg_pool2d(picture, 8).flatten().numpy() / 255
        levels = [np.histogram(array[..., c], 16, (0, 256))[0] for c in range(array.shape[-1])]
        shares = np.concatenate(levels) / array[..., 0].size
        return np.concatenate([small, shares]).astype(np.float32)

    @without_remarks()
    def show(self, cell: Any) -> Shown:
        """The picture at most 320 pixels wide, as PNG."""
        picture = self.opened(cell, draft=None).copy()
        note = f"{picture.width} × {picture.height}"
        picture.thumbnail((320, 320))
        file = io.BytesIO()
        picture.convert("RGB").save(file, "PNG", optimize=True)
        return Shown("image", file.getvalue(), note)

    def state(self) -> dict[str, Any]:
        """Size, channels, way of resizing, mean and deviation."""
        return {
            "size": self.size,
            "channels": self.channels,
            "resize": self.resize,
            "mean": self.mean,
            "std": self.std,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.size, self.channels = state["size"], state["channels"]
        self.resize = state["resize"]
        self.mean, self.std = state["mean"], state["std"]

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return bool(self.variations)

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Vary each picture ``(U, C, H, W)`` by its own chance."""
        return vary_pictures(values, self.variations, generator, strength=self.strength)

    def _array(self, picture: Pillow.Image) -> np.ndarray:
        mode = "L" if self.channels == 1 else "RGB"
        if picture.mode != mode:  # to convert to the same mode is to copy
            picture = picture.convert(mode)
        shape = (self.size, self.size)
        if picture.size != shape:
            how = Pillow.Resampling.BILINEAR
            if self.resize == "stretch":
                picture = picture.resize(shape, how, reducing_gap=2.0)
            elif self.resize == "crop":
                picture = ImageOps.fit(picture, shape, how)
            else:
                picture = ImageOps.pad(picture, shape, how)
        return np.asarray(picture).reshape(self.size, self.size, self.channels)


def _variations(
    augment: Literal["none", "shift_flip"] | PictureVariation | tuple[PictureVariation, ...],
) -> tuple[PictureVariation, ...]:
    if augment == "none":
        return ()
    if augment == "shift_flip":
        return ("shift", "flip")
    return augment if isinstance(augment, tuple) else (augment,)


@cache
def _formats() -> list[str]:
    Pillow.init()
    return [name for name in Pillow.ID if name not in NEVER_OPENED]


def _is_picture(cell: Any) -> bool:
    if isinstance(cell, str | Path):
        return ending(cell) in IMAGE_ENDINGS
    if isinstance(cell, bytes):
        return what_is(cell) == "an image"
    if is_wrapped(cell):
        return _is_picture(unwrapped(cell))
    if isinstance(cell, np.ndarray):
        return cell.dtype == np.uint8 and cell.ndim in (2, 3)
    return isinstance(cell, Pillow.Image)


def _upright(picture: Pillow.Image) -> Pillow.Image:
    """Turned as its EXIF says, without transparency, 8 bits a channel."""
    if picture.getexif().get(EXIF_ORIENTATION, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("I", "F") or picture.mode.startswith("I;"):
        return _from_array(np.asarray(picture))
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Pillow.new("RGBA", picture.size, "white")
        return Pillow.alpha_composite(white, picture).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")


def _from_array(array: np.ndarray) -> Pillow.Image:
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[-1] not in (1, 3, 4):
        array = np.moveaxis(array, 0, -1)  # (C, H, W), as PyTorch has it
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    layered = array.ndim == 3 and array.shape[-1] in (2, 3, 4)
    if not (layered or array.ndim == 2) or not array.size or array.dtype.kind not in "buif":
        raise CellError("not an image", f"an array of shape {array.shape}, {array.dtype}")
    if array.dtype != np.uint8:
        numbers = array.astype(np.float32)
        if not np.isfinite(numbers).all():
            raise CellError("not an image", "an array with NaN or infinite values")
        # Floats are on 0..1 unless they exceed it, integers on 8 bits unless they exceed these.
        top = 1.0 if array.dtype.kind in "bf" and numbers.max() <= 1 else 255.0
        top = 65535.0 if numbers.max() > 255 or array.dtype == np.uint16 else top
        array = np.clip(numbers * (255.0 / top), 0, 255).astype(np.uint8)
    return _upright(Pillow.fromarray(np.ascontiguousarray(array)))


def _is_grey(picture: Pillow.Image) -> bool:
    if picture.mode == "L":
        return True
    small = np.asarray(picture.convert("RGB").resize((32, 32))).astype(np.int16)
    return int(np.abs(small - small[..., :1]).max()) <= 2
