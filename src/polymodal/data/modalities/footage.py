"""Moving pictures, whatever holds them: the frame on the screen at a time, small and upright.

Letters: F frames of a video · T frames taken from it · H, W, C height, width, channels.
"""

from __future__ import annotations

import io
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from polymodal.data.media import (
    FFMPEG_FORMATS,
    IMAGE_ENDINGS,
    as_list,
    existing_file,
    head,
    is_tensor,
    read_bytes,
    what_is,
)
from polymodal.data.modalities.audio import is_cover
from polymodal.data.modalities.image import Image
from polymodal.errors import CellError

if TYPE_CHECKING:
    from av import VideoFrame

# Formats that state no length: FFmpeg guesses it by the rate of bytes.
WITHOUT_LENGTH = {"mpeg", "mpegvideo", "m4v", "h264", "hevc", "vvc", "obu", "mjpeg", "vc1", "h263"}
USUAL_RATE = 25.0
WORTH_SKIPPING = 0.2  # seconds: a seek costs about as much as decoding so many frames
UNKNOWN_GAP = 2.0  # seconds between two times from which on a seek is tried without an index
SLACK = 0.5  # seconds by which the end of a video may come before its header says
DISPLAY_MATRIX = "DISPLAYMATRIX"


class Form(NamedTuple):
    """What a frame is brought to.

    Args:
        width: in pixels.
        height: in pixels.
        channels: 1 grey, 3 colour, as which pictures of other than square form always come.
        resize: "stretch", "crop" or "pad", as for pictures.
    """

    width: int
    height: int
    channels: int
    resize: Literal["stretch", "crop", "pad"] = "stretch"


class Footage(ABC):
    """An open video; times are seconds from its first frame."""

    seconds: float
    """How long it is."""
    rate: float
    """Frames per second, on average."""
    width: int
    """Of an upright frame, in pixels."""
    height: int
    """Of an upright frame, in pixels."""
    good_until: float | None = None
    """Where it is damaged, as far as is known: the time of the last good frame."""

    @abstractmethod
    def frames(self, times: Sequence[float], form: Form) -> list[np.ndarray]:
        """The frames on the screen at these times, each ``(H, W, C)`` uint8, no frame twice.

        Args:
            times: rising.
            form: of the frames.
        """

    @abstractmethod
    def changes(self, until: float) -> tuple[np.ndarray, np.ndarray]:
        """Times ``(F,)`` of the frames up to a time, and by how much each differs from the last.

        A change is a mean difference of grey values ``(F,)``, from 0 to 1.
        """


@contextmanager
def open_footage(cell: Any, *, max_pixels: int, rate: float = USUAL_RATE) -> Iterator[Footage]:
    """A cell as footage.

    Args:
        cell: path or bytes of a video; folder or list of pictures; array ``(T, H, W, C)``.
        max_pixels: a frame with more is refused.
        rate: of pictures that follow each other.

    Raises:
        CellError: missing, empty, damaged, or no video.
    """
    pictures = _pictures(cell)
    if pictures is not None:
        yield _Stills(pictures, max_pixels, rate)
        return
    file = _VideoFile(cell, max_pixels)
    try:
        yield file
    finally:
        file.close()


class _Stills(Footage):
    """Pictures in order."""

    def __init__(self, pictures: Sequence[Any], max_pixels: int, rate: float) -> None:
        if not len(pictures):
            raise CellError("video without frames", "no picture in it")
        self.pictures, self.max_pixels, self.rate = pictures, max_pixels, rate
        self.seconds = len(pictures) / rate
        first = Image(max_pixels=max_pixels).opened(pictures[0], draft=None)
        self.width, self.height = first.size

    def frames(self, times: Sequence[float], form: Form) -> list[np.ndarray]:
        last = len(self.pictures) - 1
        places = dict.fromkeys(min(max(int(time * self.rate), 0), last) for time in times)
        cells = [self.pictures[place] for place in places]
        image = Image(
            size=form.width,
            channels=1 if form.channels == 1 else 3,
            resize=form.resize,
            max_pixels=self.max_pixels,
        )
        if form.width == form.height:
            return [image.decode(cell) for cell in cells]
        sides = (form.width, form.height)
        colours = (image.opened(cell, draft=max(sides)).convert("RGB") for cell in cells)
        return [np.asarray(picture.resize(sides)) for picture in colours]

    def changes(self, until: float) -> tuple[np.ndarray, np.ndarray]:
        count = max(1, min(len(self.pictures), round(until * self.rate)))
        times = (np.arange(count) + 0.5) / self.rate
        return times, _changes(iter(self.frames(times.tolist(), THUMBNAIL)))


class _VideoFile(Footage):
    """A file that FFmpeg opens: each time is looked up from the nearest keyframe before it."""

    def __init__(self, cell: Any, max_pixels: int) -> None:
        # A path is read as far as is needed, not as a whole.
        path = str(existing_file(cell)) if isinstance(cell, str | Path) else None
        self._source: Any = path or io.BytesIO(read_bytes(cell))
        self._max_pixels = max_pixels
        self._gap = UNKNOWN_GAP
        self._open()
        with self._explained():
            context, rate = self._stream.codec_context, self._stream.average_rate
            if context is None:
                raise CellError("video of an unknown codec", "no decoder reads it")
            self.rate = float(rate or self._stream.guessed_rate or USUAL_RATE)
            self._start = float((self._stream.start_time or 0) * self._stream.time_base)
            self._check(context.width, context.height)
            timed = self._container.format.name not in WITHOUT_LENGTH
            self.seconds = (timed and self._declared()) or self._measured()
            index = self._stream.index_entries
            # Some formats have an index at hand; of others, that grows while they are read.
            last = self._seconds(index[-1].timestamp) if len(index) > 1 else 0.0
            self._indexed = last > self.seconds / 2
            first = next(self._decoded(), None)
        if first is None:
            kind = "damaged video" if self.seconds else "video without frames"
            raise CellError(kind, "no frame of it can be decoded")
        self._first = self._time(first)
        self._right, self._down, self._turned = _orientation(first)
        self.width, self.height = first.width, first.height
        if self._turned:
            self.width, self.height = self.height, self.width

    def close(self) -> None:
        self._container.close()

    def frames(self, times: Sequence[float], form: Form) -> list[np.ndarray]:
        from av.video.reformatter import VideoReformatter

        scaler, found, last = VideoReformatter(), [], None
        for frame in self._shown_at(times):
            if frame is not last:
                found.append(self._array(frame, form, scaler))
            last = frame
        return found

    def changes(self, until: float) -> tuple[np.ndarray, np.ndarray]:
        from av.video.reformatter import VideoReformatter

        scaler, times = VideoReformatter(), []

        def thumbnails() -> Iterator[np.ndarray]:
            for frame in self._from(0.0):
                if self._time(frame) > until:
                    return
                times.append(self._time(frame))
                yield self._array(frame, THUMBNAIL, scaler)

        changes = _changes(thumbnails())
        return np.array(times), changes

    def _open(self) -> None:
        import av

        if isinstance(self._source, io.BytesIO):
            self._source.seek(0)
        with self._explained():
            options = {"format_whitelist": FFMPEG_FORMATS}
            self._container = av.open(self._source, options=options, metadata_errors="replace")
            videos = [s for s in self._container.streams.video if not is_cover(s)]
            if not videos:
                raise CellError("no pictures in the video", f"the content is {self._kind()}")
            self._stream = videos[0]

    def _declared(self) -> float:
        """The length that the file states, of the pictures rather than of the whole; 0 if none."""
        if self._stream.duration:
            return float(self._stream.duration * self._stream.time_base)
        stated = re.fullmatch(r"(\d+):(\d+):([\d.]+)", self._stream.metadata.get("DURATION", ""))
        if stated:
            hours, minutes, seconds = map(float, stated.groups())
            return 3600 * hours + 60 * minutes + seconds
        return 0.0

    def _measured(self) -> float:
        """The length by the time of the last packet; nothing is decoded."""
        last, count = 0.0, 0
        with self._until_damage():
            for packet in self._container.demux(self._stream):
                count += bool(packet.size)
                if packet.pts is not None:
                    time = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    last = max(last, time - self._start)
        self.close()
        self._open()
        return last or count / self.rate

    def _shown_at(self, times: Sequence[float]) -> Iterator[VideoFrame]:
        """The frame on the screen at each time; ends where nothing good comes any more."""
        decoded = self._from(0.0)
        before: VideoFrame | None = None
        after: VideoFrame | None = None
        for time in times:
            last = after or before
            here = 0.0 if last is None else self._time(last)
            if self._worth_seeking(here, time):
                decoded, before, after = self._from(time, behind=here), None, None
            while after is None or self._time(after) <= time:
                following = next(decoded, None)
                if following is None:
                    before, after = after or before, None
                    break
                before, after = after or before, following
            shown = before or after
            if shown is None:
                return
            if after is None and time > self._end(shown) + min(SLACK, self.seconds / 20):
                self.good_until = self._time(shown)
                return
            yield shown

    def _worth_seeking(self, here: float, time: float) -> bool:
        """Whether a keyframe lies between what was decoded last and the time wanted."""
        index = self._stream.index_entries
        place = index.search_timestamp(self._stamp(time)) if len(index) else -1
        if place >= 0 and self._seconds(index[place].timestamp) > here + WORTH_SKIPPING:
            return True
        return not self._indexed and time - here > self._gap

    def _from(self, time: float, behind: float | None = None) -> Iterator[VideoFrame]:
        """The frames from the last keyframe before a time on.

        Args:
            time: where to begin.
            behind: where decoding stood, to learn whether a seek without an index gains anything.
        """
        # A keyframe's place in the file may precede its time, so a seek may come out behind it.
        for place in dict.fromkeys(max(time - earlier, 0.0) for earlier in (0.0, 1.0, 10.0)):
            if not self._seek(place):
                break
            decoded = self._decoded()
            first = next(decoded, None)
            if first is not None and self._time(first) <= max(time, self._first):
                if behind is not None and self._time(first) <= behind:
                    self._gap = 2 * (time - behind)
                return chain([first], decoded)
        if behind is not None:
            self._gap = math.inf
        self.close()
        self._open()
        return self._decoded()

    def _seek(self, time: float) -> bool:
        import av

        try:
            self._container.seek(self._stamp(time), stream=self._stream)
        except av.error.FFmpegError:  # of a kind that cannot be sought in
            return False
        return True

    def _decoded(self) -> Iterator[VideoFrame]:
        last = 0.0
        with self._until_damage() as damage:
            for number, frame in enumerate(self._container.decode(self._stream)):
                self._check(frame.width, frame.height)
                if frame.is_corrupt:
                    self.good_until = last
                    return
                if frame.time is None:
                    frame.pts, frame.time_base = number, 1 / Fraction(self.rate)
                last = self._time(frame)
                yield frame
        if damage:
            self.good_until = last

    def _array(self, frame: VideoFrame, form: Form, scaler: Any) -> np.ndarray:
        """A frame ``(H, W, C)`` in a form, upright."""
        width, height = form.width, form.height
        if form.resize != "stretch":
            fit = max if form.resize == "crop" else min
            scale = fit(width / self.width, height / self.height)
            width, height = (max(1, round(scale * side)) for side in (self.width, self.height))
        across, down = (height, width) if self._turned else (width, height)
        colours = "gray" if form.channels == 1 else "rgb24"
        small = scaler.reformat(frame, across, down, colours, interpolation="AREA")
        array = small.to_ndarray().reshape(down, across, form.channels)
        if self._turned:
            array = array.transpose(1, 0, 2)
        array = array[:: self._down, :: self._right]
        return _fitted(array, form.height, form.width)

    def _check(self, width: int, height: int) -> None:
        if width * height > self._max_pixels:
            raise CellError("video too large", f"{width} × {height} pixels")

    def _time(self, frame: VideoFrame) -> float:
        return float(frame.time or 0.0) - self._start

    def _end(self, frame: VideoFrame) -> float:
        """Until when a frame is on the screen, if none follows."""
        lasts = float((frame.duration or 0) * self._stream.time_base)
        return self._time(frame) + max(lasts, 1 / self.rate)

    def _seconds(self, stamp: int) -> float:
        return float(stamp * self._stream.time_base) - self._start

    def _stamp(self, time: float) -> int:
        return round((max(time, 0.0) + self._start) / self._stream.time_base)

    def _kind(self) -> str:
        is_path = isinstance(self._source, str)
        return what_is(head(self._source if is_path else self._source.getvalue()))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import av

        try:
            yield
        except CellError:
            raise
        except (av.error.FFmpegError, *DAMAGE) as error:
            found = self._kind()
            kind = "damaged video" if found == "a video" else "not a video"
            if found == "a video" and isinstance(error, av.error.EOFError):
                kind = "video without frames"
            raise CellError(kind, f"the content is {found}") from error

    @contextmanager
    def _until_damage(self) -> Iterator[list[str]]:
        """What is yielded says, at the end, whether the file turned out damaged."""
        import av

        found: list[str] = []
        try:
            yield found
        except CellError:
            raise
        except (av.error.FFmpegError, *DAMAGE) as error:
            found.append(str(error))


THUMBNAIL = Form(16, 16, 1)
DAMAGE = (ValueError, LookupError, ArithmeticError, RuntimeError, MemoryError, OSError)


def _pictures(cell: Any) -> Sequence[Any] | None:
    """The pictures of a list, an array or a folder, in order; None for anything else."""
    listed = as_list(cell)
    if listed is not None:
        return listed
    if isinstance(cell, np.ndarray) or is_tensor(cell):
        if cell.ndim not in (3, 4) or not all(cell.shape):
            raise CellError("not a video", f"an array of shape {tuple(cell.shape)}")
        return list(np.asarray(cell))
    if isinstance(cell, str | Path) and os.path.isdir(cell):
        paths = [p for p in Path(cell).iterdir() if p.suffix.lower() in IMAGE_ENDINGS]
        return sorted(paths, key=lambda path: _natural(path.name))
    return None


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which "frame 10" comes after "frame 9"."""
    parts = re.findall(r"\d+|\D+", name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _orientation(frame: VideoFrame) -> tuple[int, int, bool]:
    """Steps to the right and down (1 or -1), and whether rows and columns change places.

    A display matrix sends (x, y) to (a x + c y, b x + d y); it is stored as a, b, 0, c, d, …
    """
    for note in frame.side_data:
        if note.type.name == DISPLAY_MATRIX:
            a, b, _, c, d = np.frombuffer(note, np.int32)[:5].tolist()
            turned = abs(b) > abs(a)
            right, down = (c, b) if turned else (a, d)
            return (-1 if right < 0 else 1), (-1 if down < 0 else 1), turned
    return 1, 1, False


def _fitted(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut what is too large, and add a black border to what is too small, on all sides alike."""
    if array.shape[:2] == (height, width):
        return np.ascontiguousarray(array)
    fitted = np.zeros((height, width, array.shape[2]), np.uint8)
    kept, place = [], []
    for have, want in zip(array.shape, (height, width), strict=False):
        size = min(have, want)
        kept.append(slice((have - size) // 2, (have - size) // 2 + size))
        place.append(slice((want - size) // 2, (want - size) // 2 + size))
    fitted[tuple(place)] = array[tuple(kept)]
    return fitted


def _changes(frames: Iterator[np.ndarray]) -> np.ndarray:
    last, found = None, []
    for frame in frames:
        now = frame.astype(np.int16)
        found.append(0.0 if last is None else float(np.abs(now - last).mean()) / 255)
        last = now
    return np.array(found)
