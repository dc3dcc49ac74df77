"""Recordings."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import (
    AUDIO_ENDINGS,
    FFMPEG_FORMATS,
    Shown,
    ending,
    existing_file,
    head,
    is_tensor,
    is_wrapped,
    read_bytes,
    remark,
    spread,
    unwrapped,
    what_is,
)
from polymodal.data.modalities.modality import Modality
from polymodal.data.sound_variation import (
    SoundVariation,
    masked,
    noisy_frames,
    noisy_samples,
    retimed,
)
from polymodal.data.summary import ColumnSummary
from polymodal.errors import CellError, NothingThere

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

HOP_SECONDS, WINDOW_SECONDS = 0.010, 0.025
QUIETEST = 1e-6
INAUDIBLE = 1e-3  # root mean square: some -60 dB, more than codecs make of silence
LONGEST_AUTO_SECONDS = 20.0
LOWEST_RATE, HIGHEST_RATE, USUAL_RATE = 1000, 1_000_000, 16000
LONGEST_SHOWN = 600
BLOCK = 1 << 18


class Audio(Modality):
    """Sound of any format, rate and number of channels, as log-mel frames or as a waveform.

    Args:
        rate: samples per second that every recording is brought to; "auto" takes the highest
            rate found, at most 16000.
        mels: bands of the log-mel spectrogram.
        max_seconds: longer recordings are cut (and counted); "auto" takes what 99 % of the
            recordings need, at most 20.
        silence: a recording whose root mean square is below this (1 is full scale) counts as
            missing, and is noted; a sound track of a video below 0.001 always does.
        form: "log_mel" gives frames ``(T, mels)``, one every 10 ms; "waveform" gives samples.
        augment: random variation in training: "none", or one or a list of "mask" (SpecAugment: a
            band of frequencies and a stretch of time are blanked; not for a waveform), "shift"
            (earlier or later by up to an eighth), "noise" (white, see ``snr``) and "speed" (up to
            10 % faster or slower).
        snr: how loud a recording is beside the "noise" at least, in decibels; each one draws a
            ratio from there to 20 higher.
    """

    name: ClassVar[str] = "audio"
    media: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        rate: int | Literal["auto"] = "auto",
        mels: int = 64,
        max_seconds: float | Literal["auto"] = "auto",
        silence: float = 0.0,
        form: Literal["log_mel", "waveform"] = "log_mel",
        augment: Literal["none"] | SoundVariation | tuple[SoundVariation, ...] = "none",
        snr: float = 10.0,
    ) -> None:
        self.rate = 0 if rate == "auto" else rate
        self.mels = mels
        self.max_seconds = 0.0 if max_seconds == "auto" else float(max_seconds)
        self.silence, self.form = silence, form
        named = augment if isinstance(augment, tuple) else (augment,)
        self.variations = tuple(v for v in named if v != "none")
        self.snr = snr
        self.mean, self.std = 0.0, 1.0
        self._bank: np.ndarray | None = None

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Paths with a sound's ending, or bytes that start as a sound does; arrays, less surely."""
        sounds = sum(_is_sound(cell) for cell in column.sample) / max(len(column.sample), 1)
        bare = any(isinstance(cell, np.ndarray) for cell in column.sample)
        return 0.65 * sounds if bare else sounds

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn rate, longest duration, mean and deviation from up to 256 recordings."""
        sounds = []
        for cell in spread(cells, 256):
            try:
                sounds.append(self._sound(cell))
            except CellError:
                continue  # packing reports it, with its row
        if not self.rate:
            highest = max((rate for _, rate in sounds), default=USUAL_RATE)
            self.rate = min(max(highest, 4000), USUAL_RATE)
        if not self.max_seconds:
            seconds = [len(samples) / rate for samples, rate in sounds] or [1.0]
            longest = 1.5 * float(np.percentile(seconds, 99))
            self.max_seconds = round(min(longest, LONGEST_AUTO_SECONDS), 3)
        if self.form == "log_mel":
            frames = [self._frames(resample(s, rate, self.rate)) for s, rate in sounds[:128]]
            values = np.concatenate(frames) if frames else np.zeros((1, self.mels))
            self.mean = round(float(values.mean()), 5)
            self.std = round(max(float(values.std()), 1e-3), 5)

    @property
    def max_length(self) -> int:
        """Frames or samples kept of one recording."""
        step = HOP_SECONDS if self.form == "log_mel" else 1 / self.rate
        return max(1, round(self.max_seconds / step))

    @property
    def limit(self) -> str:
        """How long a recording may be, in words."""
        return f"{self.max_seconds:g} seconds"

    def facts(self) -> dict[str, Any]:
        """Bands, mean, deviation and rate."""
        return {"mels": self.mels, "mean": self.mean, "std": self.std, "rate": self.rate}

    def decode(self, cell: Any) -> np.ndarray:
        """Log-mel frames ``(T, mels)`` float16, or samples ``(T,)`` int16 at ``rate``."""
        samples, rate = self._sound(cell)
        samples = resample(samples, rate, self.rate)
        if self.form == "waveform":
            return np.clip(samples * 32767, -32768, 32767).astype(np.int16)
        return self._frames(samples).astype(np.float16)

    def blank(self) -> np.ndarray:
        """One silent frame, or one sample."""
        if self.form == "waveform":
            return np.zeros(1, np.int16)
        return np.zeros((1, self.mels), np.float16)

    def restore(self, array: np.ndarray) -> list[Any]:
        """Not yet: a spectrogram is no sound."""
        raise NotImplementedError("audio as a target")

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Mean and deviation of each band, and the mean of each of 8 stretches of time."""
        frames = array.astype(np.float32)
        if frames.ndim == 1:
            frames = self._frames(frames / 32767)
        stretches = [part.mean(0) for part in np.array_split(frames, 8) if len(part)]
        stretches += [np.zeros(frames.shape[1], np.float32)] * (8 - len(stretches))
        coarse = np.stack(stretches).reshape(8, -1, 4).mean(-1).ravel()
        return np.concatenate([frames.mean(0), frames.std(0), coarse]).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """The first ten seconds, as WAV at no more than 16 kHz."""
        import soundfile

        samples, rate = read_sound(cell, seconds=LONGEST_SHOWN)
        seconds = len(samples) / rate
        kept = resample(samples[: 10 * rate], rate, min(rate, 16000))
        file = io.BytesIO()
        soundfile.write(file, kept, min(rate, 16000), format="WAV", subtype="PCM_16")
        note = f"{seconds:.1f} s" if seconds < LONGEST_SHOWN else f"over {LONGEST_SHOWN} s"
        return Shown("audio", file.getvalue(), note)

    def state(self) -> dict[str, Any]:
        """Rate, longest duration, mean and deviation."""
        return {
            "rate": self.rate,
            "mels": self.mels,
            "max_seconds": self.max_seconds,
            "form": self.form,
            "mean": self.mean,
            "std": self.std,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.rate, self.mels, self.form = state["rate"], state["mels"], state["form"]
        self.max_seconds, self.mean, self.std = state["max_seconds"], state["mean"], state["std"]
        self._bank = None

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for that this form has: waveforms have no "mask"."""
        return bool(self._possible())

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """The chosen variations of each ``(U, T, mels)`` or ``(U, T)``, by its own chance."""
        chosen, frames = self._possible(), self.form == "log_mel"
        lengths = torch.full((len(values),), values.shape[1]) if mask is None else mask.sum(1)
        if "shift" in chosen or "speed" in chosen:
            values = retimed(
                values,
                lengths,
                generator,
                shift="shift" in chosen,
                speed="speed" in chosen,
                silence=math.log(QUIETEST) if frames else 0.0,
            )
        if "noise" in chosen and frames:
            values = noisy_frames(
                values, lengths, torch.from_numpy(self._filters()), generator, snr=self.snr
            )
        elif "noise" in chosen:
            values = noisy_samples(values, lengths, generator, snr=self.snr)
        return masked(values, self.mean, generator) if "mask" in chosen else values

    def _possible(self) -> tuple[SoundVariation, ...]:
        return tuple(v for v in self.variations if self.form == "log_mel" or v != "mask")

    def _sound(self, cell: Any) -> tuple[np.ndarray, int]:
        samples, rate = read_sound(cell, seconds=self._enough())
        if loudness(samples) < self.silence:
            raise NothingThere("silent recording", f"its root mean square is below {self.silence}")
        return samples, rate

    def _enough(self) -> float:
        """Seconds to read: more than are kept, so that a cut is noticed, but not all of an hour."""
        return 2 * (self.max_seconds or LONGEST_AUTO_SECONDS) + 1

    def _frames(self, samples: np.ndarray) -> np.ndarray:
        window, bank = round(WINDOW_SECONDS * self.rate), self._filters()
        size = 2 * (bank.shape[1] - 1)
        wave = np.asarray(samples, np.float32)
        wave = np.pad(wave, (0, max(0, size - len(wave))))
        power = spectra(wave, size, window=window, hop=round(HOP_SECONDS * self.rate))
        return np.log(power @ bank.T + np.float32(QUIETEST))

    def _filters(self) -> np.ndarray:
        """The filters of the bands ``(mels, size // 2 + 1)``, for windows of a power of two."""
        if self._bank is None:
            size = 1 << (round(WINDOW_SECONDS * self.rate) - 1).bit_length()
            self._bank = mel_bank(self.rate, size, self.mels)
        return self._bank


def read_sound(cell: Any, *, seconds: float = math.inf) -> tuple[np.ndarray, int]:
    """Mono samples ``(T,)`` float32 and their rate.

    Args:
        cell: a path, bytes, an array at 16 kHz, ``(samples, rate)``, or a dictionary of "array"
            and "sampling_rate".
        seconds: stop reading after this long.

    Raises:
        CellError: missing, empty, damaged or not a sound.
        NothingThere: a video without a sound track, or with a silent one, of a root mean square
            below 0.001.
    """
    if _are_pictures(cell):
        raise NothingThere("pictures without sound", type(cell).__name__)
    if isinstance(cell, dict) and {"array", "sampling_rate"} <= set(cell):
        cell = (cell["array"], cell["sampling_rate"])
    if isinstance(cell, np.ndarray) or is_tensor(cell):
        cell = (cell, USUAL_RATE)
    if isinstance(cell, tuple):
        samples, rate = _from_array(cell)
    else:
        # A path is read as far as is needed, not as a whole.
        path = isinstance(cell, str | Path)
        source = str(existing_file(cell)) if path else read_bytes(cell)
        samples, rate = _from_file(source, seconds)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise CellError("damaged sound", f"{rate} samples per second")
    if not samples.size:
        raise CellError("empty sound", "no samples")
    if not np.isfinite(samples).all():
        raise CellError("damaged sound", "NaN or infinite samples")
    return samples[: round(seconds * rate)] if seconds < math.inf else samples, rate


def loudness(samples: np.ndarray) -> float:
    """The root mean square of samples; 0 where there are none.

    >>> loudness(np.array([3.0, -4.0, 0.0, 0.0]))
    2.5
    """
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def spectra(samples: np.ndarray, size: int, *, window: int, hop: int) -> np.ndarray:
    """Power ``(T, size // 2 + 1)`` float32 of frames under a Hann window, as ``torch.stft`` has it.

    The frames are centred on every ``hop``-th sample; beyond its ends the sound is mirrored.

    Args:
        samples: ``(S,)`` float32, at least ``size`` of them.
        size: samples of a Fourier transform.
        window: samples under the window, in the middle of a frame.
        hop: samples from one frame to the next.
    """
    before = (size - window) // 2
    shape = np.zeros(size, np.float32)
    shape[before : before + window] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    mirrored = np.pad(samples, size // 2, "reflect")
    frames = np.lib.stride_tricks.sliding_window_view(mirrored, size)[::hop]
    spectrum = np.fft.rfft(frames * shape)
    return np.square(spectrum.real) + np.square(spectrum.imag)


def resample(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound ``(T,)`` at another rate."""
    if rate == wanted:
        return samples
    import soxr

    return soxr.resample(samples, rate, wanted, quality="MQ")


def mel_bank(rate: int, size: int, mels: int) -> np.ndarray:
    """Triangular filters ``(mels, size // 2 + 1)`` float32, evenly spaced on the mel scale.

    The scale is O'Shaughnessy's (1987), 2595 log10(1 + f / 700), from 20 Hz to half the rate.
    """
    low, high = (2595 * np.log10(1 + f / 700) for f in (20.0, rate / 2))
    edges = 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    left, centre, right = (edges[i : i + mels, None] for i in range(3))
    rising = (frequencies - left) / (centre - left)
    falling = (right - frequencies) / (right - centre)
    return np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)


def _is_sound(cell: Any) -> bool:
    if isinstance(cell, str | Path):
        return ending(cell) in AUDIO_ENDINGS
    if isinstance(cell, bytes):
        return what_is(cell) == "a sound"
    if is_wrapped(cell):
        return _is_sound(unwrapped(cell))
    if isinstance(cell, dict):
        return {"array", "sampling_rate"} <= set(cell)
    if isinstance(cell, tuple):
        return len(cell) == 2 and isinstance(cell[0], np.ndarray)
    return isinstance(cell, np.ndarray) and cell.ndim == 1 and cell.size >= 400


def _from_array(cell: tuple[Any, ...]) -> tuple[np.ndarray, int]:
    try:
        wave, rate = np.asarray(cell[0]), int(cell[1])
    except (TypeError, ValueError, IndexError, OverflowError) as error:
        raise CellError("not a sound", "expected (samples, rate)") from error
    if wave.ndim not in (1, 2) or wave.dtype.kind not in "iuf":
        raise CellError("not a sound", f"an array of shape {wave.shape}, {wave.dtype}")
    # Whole numbers are on their type's full range; those without sign have silence in the middle.
    middle, top = 0.0, 1.0
    if wave.dtype.kind in "iu":
        top = (float(np.iinfo(wave.dtype).max) + 1) / (1 if wave.dtype.kind == "i" else 2)
        middle = 0.0 if wave.dtype.kind == "i" else top
    samples = ((wave - middle) / top).astype(np.float32)
    if samples.ndim == 2 and samples.size:
        samples = samples.mean(int(np.argmin(samples.shape)))  # channels are fewer than samples
    return samples.ravel(), rate


def _from_file(source: str | bytes, seconds: float) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        with soundfile.SoundFile(_file(source)) as file:
            # Block by block: the length that a damaged header claims is not to be believed.
            parts, wanted = [], seconds * file.samplerate
            while wanted > 0:
                part = file.read(int(min(wanted, BLOCK)), dtype="float32", always_2d=True)
                parts.append(part.mean(1))
                wanted -= len(part) or math.inf
            return np.concatenate(parts or [np.zeros(0, np.float32)]), file.samplerate
    except (soundfile.LibsndfileError, RuntimeError, ValueError, MemoryError):
        return _through_ffmpeg(source, seconds)


def _through_ffmpeg(source: str | bytes, seconds: float) -> tuple[np.ndarray, int]:
    import av

    found, parts = what_is(head(source)), [np.zeros(0, np.float32)]
    rate, is_video = 0, False
    try:
        options = {"format_whitelist": FFMPEG_FORMATS}
        with av.open(_file(source), options=options, metadata_errors="replace") as container:
            is_video = any(not is_cover(stream) for stream in container.streams.video)
            if not container.streams.audio:
                kind = "video without sound" if is_video else "not a sound"
                raise (NothingThere if is_video else CellError)(kind, f"the content is {found}")
            context = container.streams.audio[0].codec_context
            if context is None:
                raise CellError("sound of an unknown codec", f"the content is {found}")
            rate = int(context.rate or 0)
            for piece in _pieces(container, rate):
                parts.append(piece)
                if sum(map(len, parts)) >= seconds * rate:
                    break
    except CellError:
        raise
    except (av.error.FFmpegError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        if not (is_video and len(parts) > 1):
            damaged = {"a sound": "damaged sound", "a video": "damaged video"}
            kind = damaged.get(found, "not a sound")
            raise CellError(kind, f"the content is {found}") from error
        remark("video whose sound is damaged; its good part is kept", str(error))
    samples = np.concatenate(parts)
    if is_video and loudness(samples) < INAUDIBLE:
        raise NothingThere("video without sound", "its sound track is silent")
    return samples, rate


def _pieces(container: Any, rate: int) -> Iterator[np.ndarray]:
    """The samples of a file's first sound track, mono, piece by piece."""
    import av

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
    for frame in chain(container.decode(container.streams.audio[0]), [None]):
        for piece in resampler.resample(frame):
            yield piece.to_ndarray()[0]


def _file(source: str | bytes) -> Any:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def is_cover(stream: Any) -> bool:
    """Whether a stream of pictures is the picture on a record's sleeve, and no video."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def _are_pictures(cell: Any) -> bool:
    """Whether a cell is a video that can have no sound: a list, a folder or an array of frames."""
    if isinstance(cell, list):
        return bool(cell) and not any(isinstance(part, int | float) for part in cell)
    if isinstance(cell, str | Path):
        return os.path.isdir(cell)
    return (isinstance(cell, np.ndarray) or is_tensor(cell)) and cell.ndim == 4
