"""Moving pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import (
    VIDEO_ENDINGS,
    Shown,
    ending,
    is_wrapped,
    remark,
    spread,
    unwrapped,
    what_is,
    without_remarks,
)
from polymodal.data.modalities.footage import Footage, Form, open_footage
from polymodal.data.modalities.modality import Modality
from polymodal.data.picture_variation import shifted
from polymodal.data.summary import ColumnSummary
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

LARGEST_AUTO_SIZE = 112
CELLS_TO_LEARN_FROM, FRAMES_TO_LEARN_FROM = 64, 4
SMALLEST_CROP = 0.7
SHOWN_SECONDS, SHOWN_RATE, SHOWN_SIDE, SHOWN_STILLS = 10.0, 10, 240, 6
GRID = 6


class Video(Modality):
    """Video of any container and codec that FFmpeg reads, as frames ``(T, H, W, C)`` uint8.

    A cell may be a path, bytes, a folder or a list of pictures, or an array ``(T, H, W, C)``.
    Frames are found by their time, so a variable frame rate is no matter; rotation flags are
    honoured. A video with fewer frames than asked for gives them all. Of a damaged one the good
    frames are kept, and that is noted. Its sound track is an input of its own, ``NAME.sound``;
    ``columns.NAME.sound.role=ignored`` leaves it out.

    Args:
        frames: how many frames are taken of a video, at most.
        sampling: "uniform" (evenly spread over the whole), "dense" (one after the other, from
            the middle, at ``rate``) or "scene_change" (one of each scene; all is decoded once
            more for that).
        rate: frames per second of dense sampling; "auto" takes the usual rate of the videos.
        size: height and width in pixels that every frame is brought to; "auto" takes the usual
            size of the videos, at most 112.
        channels: 1 grey, 3 colour; "auto" takes 1 where all training videos are grey.
        resize: "stretch" keeps the whole frame, "crop" keeps its proportions and cuts the
            longer side, "pad" keeps both and adds a border.
        augment: random variation in training, the same for all frames of a video: "none", "flip"
            (left and right), "shift" (by up to 1/12 of the size), "crop" (a window of at least
            0.7 of each side, enlarged), "shift_flip" or "crop_flip".
        max_seconds: a longer video is read up to here (and counted).
        max_pixels: a video of larger frames is refused before it is decoded.
        mean: of each channel on a scale from 0 to 1; None learns it from the training part.
        std: standard deviation of each channel, likewise.
    """

    name: ClassVar[str] = "video"
    media: ClassVar[bool] = True
    ragged: ClassVar[bool] = True
    # (U, T, H, W, C) as (U, T, C, H, W): channels stay last in memory.
    axes: ClassVar[tuple[int, ...] | None] = (0, 1, 4, 2, 3)
    derived: ClassVar[Mapping[str, str]] = MappingProxyType({"sound": "audio"})

    def __init__(
        self,
        *,
        frames: int = 16,
        sampling: Literal["uniform", "dense", "scene_change"] = "uniform",
        rate: float | Literal["auto"] = "auto",
        size: int | Literal["auto"] = "auto",
        channels: Literal[1, 3, "auto"] = "auto",
        resize: Literal["stretch", "crop", "pad"] = "stretch",
        augment: Literal["none", "flip", "shift", "crop", "shift_flip", "crop_flip"] = "none",
        max_seconds: float = 3600.0,
        max_pixels: int = 40_000_000,
        mean: list[float] | None = None,
        std: list[float] | None = None,
    ) -> None:
        if frames < 1 or max_seconds <= 0:
            raise ValueError(
                f"A video needs a frame and some time: frames={frames}, max_seconds={max_seconds}."
            )
        self.frames, self.sampling = frames, sampling
        self.rate = 0.0 if rate == "auto" else float(rate)
        self.size = 0 if size == "auto" else size
        self.channels: int = 0 if channels == "auto" else channels
        self.resize = resize
        self.variation = augment
        self.max_seconds, self.max_pixels = max_seconds, max_pixels
        self.mean, self.std = mean, std

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Paths with a video's ending, bytes that start as a video does, arrays of pictures."""
        return sum(map(_is_video, column.sample)) / max(len(column.sample), 1)

    @without_remarks()
    def fit(self, cells: Sequence[Any]) -> None:
        """Learn size, rate, channels, mean and deviation from a few frames of up to 64 videos."""
        frames, longest, rates = [], [], []
        most = self.size or LARGEST_AUTO_SIZE
        for cell in spread(cells, CELLS_TO_LEARN_FROM):
            try:
                with open_footage(cell, max_pixels=self.max_pixels) as footage:
                    until = min(footage.seconds, self.max_seconds)
                    times = _spread_over(until, FRAMES_TO_LEARN_FROM)
                    frames += footage.frames(times, Form(most, most, self.channels or 3))
                    longest.append(max(footage.width, footage.height))
                    rates.append(footage.rate)
            except CellError:
                continue  # packing reports it, with its row
        if not self.rate:
            self.rate = round(float(np.median(rates)), 3) if rates else 25.0
        if not self.size:
            usual = int(np.median(longest)) if longest else LARGEST_AUTO_SIZE
            self.size = min(-(-usual // 4) * 4, LARGEST_AUTO_SIZE)
        if not self.channels:
            self.channels = 1 if frames and all(map(_is_grey, frames)) else 3
        if self.mean is None or self.std is None:
            pixels = [frame[..., : self.channels].reshape(-1, self.channels) for frame in frames]
            values = np.concatenate(pixels) / 255.0 if pixels else np.full((1, self.channels), 0.5)
            self.mean = [round(float(m), 6) for m in values.mean(0)]
            self.std = [round(max(float(s), 0.02), 6) for s in values.std(0)]

    def decode(self, cell: Any) -> np.ndarray:
        """The chosen frames ``(T, size, size, channels)`` uint8.

        Raises:
            CellError: the cell holds no video, or no frame of it is good.
        """
        rate = self.rate if self.sampling == "dense" else 1.0
        with open_footage(cell, max_pixels=self.max_pixels, rate=rate) as footage:
            until = min(footage.seconds, self.max_seconds)
            frames = self._frames(footage, until)
            damaged, length = footage.good_until, footage.seconds
            if damaged is not None and len(frames) < self.frames:
                frames = self._frames(footage, min(until, damaged + 1 / footage.rate))
        if not frames:
            raise CellError("damaged video", "no frame of it can be decoded")
        if damaged is not None:
            detail = f"good up to {damaged:.1f} of {length:.1f} seconds"
            remark("damaged video of which the good frames are kept", detail)
        if length > self.max_seconds:
            kind = f"longer than {self.max_seconds:g} seconds, and read up to there"
            remark(kind, f"{length:.0f} seconds")
        return np.stack(frames)

    def blank(self) -> np.ndarray:
        """One black frame."""
        return np.zeros((1, self.size, self.size, self.channels), np.uint8)

    def facts(self) -> dict[str, Any]:
        """Channels, size, frames, mean and deviation."""
        return {
            "channels": self.channels,
            "size": self.size,
            "frames": self.frames,
            "mean": self.mean,
            "std": self.std,
        }

    def restore(self, array: np.ndarray) -> list[Any]:
        """Not yet: a video as a target."""
        raise NotImplementedError("video as a target")

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """A miniature of the mean frame, and where, how much and how evenly it moves.

        Movement is the difference of grey values between frames: 4 moments over time, its
        histogram, and the most and least moved fields of a 6 × 6 grid.
        """
        grey = torch.from_numpy(array.astype(np.float32).mean(-1) / 255)  # (T, H, W)
        mean_over = torch.nn.functional.adaptive_avg_pool2d
        small = mean_over(grey.mean(0)[None], GRID).flatten()
        moved = grey.diff(dim=0).abs() if len(grey) > 1 else torch.zeros_like(grey)
        over_time = moved.mean((1, 2))
        moments = [
            over_time.mean(),
            over_time.std(correction=0),
            over_time.amax(),
            over_time.amin(),
        ]
        fields = mean_over(moved[None], GRID)[0].flatten(1)  # (T - 1, fields)
        edges = [0, 0.02, 0.04, 0.08, 0.16, 0.32, 1.01]
        shares = np.histogram(moved.numpy(), edges)[0] / moved.numel()
        ranked = [fields.mean(0).sort().values, fields.std(0, correction=0).sort().values]
        parts = [small.numpy(), torch.stack(moments).numpy(), shares, *(r.numpy() for r in ranked)]
        return np.concatenate(parts).astype(np.float32)

    @without_remarks()
    def show(self, cell: Any) -> Shown:
        """The first ten seconds without sound, as MP4 of 10 frames a second, and six stills."""
        with open_footage(cell, max_pixels=self.max_pixels, rate=4.0) as footage:
            form, length = _shown_form(footage), footage.seconds
            stills = footage.frames(_spread_over(min(length, self.max_seconds), SHOWN_STILLS), form)
            shown = min(length, SHOWN_SECONDS)
            frames = footage.frames(_spread_over(shown, round(shown * SHOWN_RATE)), form)
            note = f"{footage.width} × {footage.height}, {length:.1f} s"
        strip = np.concatenate([still[::2, ::2] for still in stills or frames], 1)
        rate = max(1, round(len(frames) / max(shown, 0.1)))
        return Shown("video", _encoded(frames, rate), note, strip=_encoded([strip], 1, still=True))

    def state(self) -> dict[str, Any]:
        """What frames are taken and brought to, mean and deviation."""
        return {
            "frames": self.frames,
            "sampling": self.sampling,
            "rate": self.rate,
            "size": self.size,
            "channels": self.channels,
            "resize": self.resize,
            "max_seconds": self.max_seconds,
            "mean": self.mean,
            "std": self.std,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.frames, self.sampling, self.rate = state["frames"], state["sampling"], state["rate"]
        self.size, self.channels, self.resize = state["size"], state["channels"], state["resize"]
        self.max_seconds, self.mean, self.std = state["max_seconds"], state["mean"], state["std"]

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return self.variation != "none"

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Shift, cut and flip each ``(U, T, C, H, W)`` by its own chance, all frames alike."""
        if "shift" in self.variation:
            frames = shifted(values.flatten(1, 2), max(1, self.size // 12), generator)
            values = frames.unflatten(1, values.shape[1:3])
        if "crop" in self.variation:
            values = _cropped(values, generator)
        if "flip" in self.variation:
            flipped = torch.rand(len(values), generator=generator) < 0.5
            values = torch.where(flipped[:, None, None, None, None], values.flip(-1), values)
        return values

    def _frames(self, footage: Footage, until: float) -> list[np.ndarray]:
        form = Form(self.size, self.size, self.channels, self.resize)
        return footage.frames(self._times(footage, until), form)

    def _times(self, footage: Footage, until: float) -> list[float]:
        """When frames are taken, up to a time."""
        if self.sampling == "uniform":
            return _spread_over(until, self.frames)
        if self.sampling == "dense":
            start = max(0.0, (until - self.frames / self.rate) / 2)
            times = start + (np.arange(self.frames) + 0.5) / self.rate
            return times[times < until].tolist() or [until / 2]
        return _middles_of_scenes(*footage.changes(until), self.frames)


def _spread_over(seconds: float, count: int) -> list[float]:
    """The middles of equal stretches of time."""
    return ((np.arange(max(count, 1)) + 0.5) * seconds / max(count, 1)).tolist()


def _middles_of_scenes(times: np.ndarray, changes: np.ndarray, most: int) -> list[float]:
    """The middle of each scene; a scene begins where a frame differs most from the last.

    >>> times, changes = np.arange(6.0), np.array([0, 0, 0.4, 0, 0, 0])
    >>> _middles_of_scenes(times, changes, 2)
    [0.5, 3.5]
    """
    if not len(times):
        return [0.0]
    cuts = np.sort(1 + np.argsort(-changes[1:], kind="stable")[: most - 1])
    scenes = np.split(times, cuts)
    return [float((scene[0] + scene[-1]) / 2) for scene in scenes]


def _is_video(cell: Any) -> bool:
    if isinstance(cell, str | Path):
        return ending(cell) in VIDEO_ENDINGS
    if isinstance(cell, bytes):
        return what_is(cell) == "a video"
    if is_wrapped(cell):
        return _is_video(unwrapped(cell))
    return isinstance(cell, np.ndarray) and cell.dtype == np.uint8 and cell.ndim == 4


def _is_grey(frame: np.ndarray) -> bool:
    grey = frame[::4, ::4].astype(np.int16)
    return int(np.abs(grey - grey[..., :1]).max()) <= 4  # colours of a codec are not exact


def _cropped(values: Tensor, generator: torch.Generator) -> Tensor:
    """A random window of each clip ``(U, T, C, H, W)``, brought back to the full size."""
    size, cropped = values.shape[-1], torch.empty_like(values)
    chances = torch.rand(len(values), 3, generator=generator).tolist()
    for i, (share, down, right) in enumerate(chances):
        side = round(size * (SMALLEST_CROP + (1 - SMALLEST_CROP) * share))
        top, left = round(down * (size - side)), round(right * (size - side))
        window = values[i, :, :, top : top + side, left : left + side].float()
        full = torch.nn.functional.interpolate(
            window, (size, size), mode="bilinear", align_corners=False
        )
        cropped[i] = full.round().to(values.dtype)
    return cropped


def _shown_form(footage: Footage) -> Form:
    """The size of a player: even sides, as codecs want them."""
    scale = min(1.0, SHOWN_SIDE / max(footage.width, footage.height))
    width, height = (max(2, round(scale * s / 2) * 2) for s in (footage.width, footage.height))
    return Form(width, height, 3)


def _encoded(frames: Sequence[np.ndarray], rate: int, *, still: bool = False) -> bytes:
    """Frames ``(H, W, 3)`` as MP4 (H.264) or, where FFmpeg cannot write that, as WebM (VP9).

    Args:
        frames: of one size.
        rate: frames per second.
        still: write one frame as PNG.
    """
    import av

    kinds = [("mp4", "libx264", "yuv420p"), ("webm", "libvpx-vp9", "yuv420p")]
    kinds = [("image2pipe", "png", "rgb24")] if still else kinds
    form, codec, pixels = next(k for k in kinds if still or k[1] in av.codecs_available)
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], pixels
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()
