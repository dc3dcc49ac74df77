"""Series of measurements: sensors, radar, ECG, vital signs, prices.

Letters: U distinct cells of a batch · T steps of time · C channels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.arrays import array_ending, read_array, read_number_table
from polymodal.data.media import Shown, ending, is_tensor, read_bytes, spread
from polymodal.data.modalities.modality import Modality
from polymodal.data.plot import lines
from polymodal.data.summary import ColumnSummary, name_parts
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

LONGEST_AUTO = 2048
ENOUGH = 512  # cells that statistics are learned from
BANDS = 8
LARGEST = float(np.finfo(np.float32).max)
NAMES = {
    "series", "signal", "trace", "sensor", "sensors", "wave", "waveform", "acc", "accel",
    "accelerometer", "gyro", "gyroscope", "imu", "ecg", "eeg", "emg", "ppg", "vitals", "radar",
    "doppler", "window",
}  # fmt: skip
TABLES = (".csv", ".tsv", ".txt")
Variation = Literal["jitter", "scale", "time_warp", "cut_out"]


class Series(Modality):
    """Measurements over time, in one channel or several, as ``(T, C)`` float32.

    A cell is a list of numbers (one channel), a list of lists, an array or tensor, a ``.npy``,
    ``.npz`` or ``.csv`` file, a row of a file of many (``windows.npz#17``, ``windows.npz#x[17]``),
    or ``{"values": …, "rate": 50}``. Gaps are NaN and stay so: the encoders are told where nothing
    was measured, nothing is filled in.

    Args:
        channels: numbers of the channels that are used, from 0; None uses all.
        layout: what the first axis of a cell is, "time_first" or "channels_first"; "auto" takes
            the axis whose size is the same in all cells, or else the shorter one, for channels.
        rate: measurements per second that cells with a rate of their own are brought to; "auto"
            takes the rate that most of them have.
        length: steps that every series is stretched or squeezed to; None keeps their lengths.
        max_length: longer series are cut (and counted); "auto" takes what 99 % of them need, at
            most 2048.
        keep: which stretch of a longer series is kept.
        augment: random variations in training, any of "jitter" (noise of 5 % of a channel's
            deviation), "scale" (each channel by a factor of its own, about 10 %), "time_warp"
            (faster here, slower there, about 20 %), "cut_out" (a gap of up to an eighth).

    Raises:
        ValueError: a rate or a length that is not above 0, or no channel.
    """

    name: ClassVar[str] = "series"
    media: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        channels: list[int] | None = None,
        layout: Literal["auto", "time_first", "channels_first"] = "auto",
        rate: float | Literal["auto"] = "auto",
        length: int | None = None,
        max_length: int | Literal["auto"] = "auto",
        keep: Literal["start", "middle", "end"] = "start",
        augment: tuple[Variation, ...] = (),
    ) -> None:
        for option, value in {"rate": rate, "length": length, "max_length": max_length}.items():
            if value not in (None, "auto") and not value > 0:  # type: ignore[operator]
                raise ValueError(f"{option} must be above 0, not {value}.")
        if channels == []:
            raise ValueError("channels names no channel: give at least one, or null for all.")
        self.channels, self.layout, self.length = channels, layout, length
        self.rate = 0.0 if rate == "auto" else float(rate)
        self.most = 0 if max_length == "auto" else max_length
        self.keep, self.variations = keep, augment
        self.found = 0  # channels of a cell, before some are chosen
        self.mean: list[float] = []
        self.std: list[float] = []

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """NumPy files; lists and arrays of numbers that no other modality is surer of."""
        named = bool(NAMES & set(name_parts(column.name)))
        likely = [_likely(cell) for cell in column.sample]
        if not likely or sum(x > 0 for x in likely) < 0.95 * len(likely):
            return 0.0
        return 0.9 if named else sum(likely) / len(likely)

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn layout, rate, channels, greatest length, each channel's mean and deviation."""
        arrays = []
        for cell in spread(cells, ENOUGH):
            try:
                arrays.append(_read(cell))
            except CellError:
                continue  # packing reports it, with its row
        if self.layout == "auto":
            self.layout = _layout([array.shape for array, _ in arrays])
        rates = Counter(rate for _, rate in arrays if rate)
        if not self.rate and rates:
            self.rate = rates.most_common(1)[0][0]
        turned = [(self._turned(array), rate) for array, rate in arrays]
        widths = Counter(array.shape[1] for array, _ in turned)
        self.found = widths.most_common(1)[0][0] if widths else 1
        used = []
        for array, rate in turned:
            try:
                used.append(self._used(array, rate))
            except CellError:
                continue
        if not self.most:
            longest = float(np.percentile([len(array) for array in used] or [1], 99))
            self.most = min(max(int(1.5 * longest), 1), LONGEST_AUTO)
        values = np.concatenate(used) if used else np.zeros((1, self._width()), np.float32)
        known = np.isfinite(values)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, values, 0).sum(0, dtype=np.float64) / count
        variance = np.where(known, (values - mean) ** 2, 0).sum(0, dtype=np.float64) / count
        self.mean = [float(f"{m:.6g}") for m in mean]
        self.std = [float(f"{s:.6g}") if s > 0 else 1.0 for s in np.sqrt(variance)]

    @property
    def max_length(self) -> int:
        """Steps kept of one series."""
        return self.most

    @property
    def limit(self) -> str:
        """How long a series may be, in words."""
        return f"{self.most} steps"

    def facts(self) -> dict[str, Any]:
        """Number of channels, and each one's mean and deviation."""
        return {"channels": self._width(), "mean": self.mean, "std": self.std}

    def decode(self, cell: Any) -> np.ndarray:
        """The measurements ``(T, C)`` float32, NaN where there is a gap."""
        array, rate = _read(cell)
        return self._used(self._turned(array), rate)

    def cut(self, array: np.ndarray) -> np.ndarray:
        """The stretch of a longer series that is kept."""
        start = {"start": 0, "middle": (len(array) - self.most) // 2, "end": len(array) - self.most}
        return array[start[self.keep] : start[self.keep] + self.most]

    def blank(self) -> np.ndarray:
        """One step of nought."""
        return np.zeros((1, self._width()), np.float32)

    def restore(self, array: np.ndarray) -> list[Any]:
        """Not yet: a series as a target."""
        raise NotImplementedError("series as a target")

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Of each channel: level, spread, extremes, change from step to step, 8 bands, gaps."""
        known = np.isfinite(array)
        rows = [_features(array[known[:, c], c], len(array)) for c in range(array.shape[1])]
        return np.concatenate([*rows, [np.log(len(array))]]).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """A plot of all channels, each in a colour, as PNG."""
        array, rate = _read(cell)
        values = self._used(self._turned(array), rate)
        rate = self.rate or rate
        seconds = f", {len(values) / rate:.3g} s" if rate else ""
        return Shown("image", lines(values), f"{len(values)} × {values.shape[1]}{seconds}")

    def state(self) -> dict[str, Any]:
        """Layout, rate, channels, greatest length, mean and deviation."""
        return {
            "layout": self.layout,
            "rate": self.rate,
            "found": self.found,
            "max_length": self.most,
            "mean": self.mean,
            "std": self.std,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.layout, self.found, self.most = state["layout"], state["found"], state["max_length"]
        self.rate, self.mean, self.std = state["rate"], state["mean"], state["std"]

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return bool(self.variations)

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """The chosen variations of each series ``(U, T, C)``, each by its own amount."""
        steps = values.shape[1]
        lengths = torch.full((len(values),), steps) if mask is None else mask.sum(1)
        if "time_warp" in self.variations:
            values = _warped(values, lengths, generator)
        if "scale" in self.variations:
            size = (len(values), 1, values.shape[2])
            values = values * (1 + 0.1 * torch.randn(size, generator=generator))
        if "jitter" in self.variations:
            noise = torch.randn(values.shape, generator=generator)
            values = values + 0.05 * torch.tensor(self.std) * noise
        if "cut_out" in self.variations:
            wide = torch.rand(len(values), generator=generator) * lengths / 8
            start = torch.rand(len(values), generator=generator) * (lengths - wide)
            place = torch.arange(steps)
            gone = (place >= start[:, None]) & (place < (start + wide)[:, None])
            values = values.masked_fill(gone.unsqueeze(-1), torch.nan)
        return values

    def _width(self) -> int:
        return len(self.channels) if self.channels is not None else max(self.found, 1)

    def _turned(self, array: np.ndarray) -> np.ndarray:
        return array.T if array.ndim == 2 and self.layout == "channels_first" else _columns(array)

    def _used(self, array: np.ndarray, rate: float | None) -> np.ndarray:
        """The chosen channels of ``(T, C)`` at the wanted rate or length."""
        if array.shape[1] != self.found:
            raise CellError("wrong number of channels", f"{array.shape[1]}, expected {self.found}")
        if self.channels is not None:
            if not all(0 <= channel < self.found for channel in self.channels):
                raise CellError("no such channel", f"{self.channels}, of {self.found}")
            array = array[:, self.channels]
        if (np.abs(array) > LARGEST).any():
            raise CellError("infinite values", "in a series")
        if np.isnan(array).all():
            raise CellError("series without a value", "all NaN")
        steps = self.length
        if steps is None and rate and self.rate:
            steps = max(1, round(len(array) * self.rate / rate))
        if steps is not None and steps != len(array):
            array = resample_series(array, steps)
        return array.astype(np.float32)


def resample_series(values: np.ndarray, steps: int) -> np.ndarray:
    """A series ``(T, C)`` in another number of steps.

    Fewer steps are means over the time each stands for, of what was measured there; more steps
    lie on the lines between the measurements. A gap stays a gap.

    >>> resample_series(np.array([[1.0], [3.0], [np.nan], [6.0]]), 2).ravel().tolist()
    [2.0, 6.0]
    """
    length = len(values)
    if steps > length:
        # Steps and measurements stand in the middle of the time they cover.
        places = np.clip((np.arange(steps) + 0.5) * length / steps - 0.5, 0, length - 1)
        low = places.astype(int)
        high, part = np.minimum(low + 1, length - 1), (places % 1)[:, None]
        # Nought times NaN would be NaN, too.
        return values[low] * (1 - part) + np.where(part > 0, values[high], 0) * part
    known = np.isfinite(values)
    edges = np.linspace(0, length, steps + 1)
    sums = _between(np.where(known, values, 0.0), edges)
    shares = _between(known.astype(np.float64), edges)
    return np.where(shares > 1e-9, sums / np.maximum(shares, 1e-9), np.nan)


def _between(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Integrals of step functions ``(T, C)`` from each edge to the next."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0, np.float64)])
    low = np.minimum(edges.astype(int), len(values) - 1)
    at = total[low] + (edges - low)[:, None] * values[low]
    return np.diff(at, axis=0)


def _likely(cell: Any) -> float:
    """How much a cell looks like a series, by itself."""
    if array_ending(cell) or ending(cell) in TABLES[:2]:  # a .txt is more often a text
        return 0.6
    if isinstance(cell, Mapping):
        return 0.9 if {"values", "rate"} <= set(cell) else 0.0
    if isinstance(cell, str):
        rows, row = re.match(r"\s*\[\s*\[[-.\dNn\s]", cell), re.match(r"\s*\[[-.\dNn\s]", cell)
        return 0.9 if rows else 0.6 if row else 0.0
    if isinstance(cell, np.ndarray) or is_tensor(cell):
        numeric = is_tensor(cell) or cell.dtype.kind in "iuf"
        return 0.6 * (numeric and cell.ndim in (1, 2))
    if isinstance(cell, list | tuple) and cell:
        flat = cell[0] if isinstance(cell[0], list | tuple | np.ndarray) else cell
        return 0.6 * (len(flat) > 0 and all(_is_number(x) for x in flat[:100]))
    return 0.0


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    return number or value is None


def _read(cell: Any) -> tuple[np.ndarray, float | None]:
    """The numbers of a cell, of one or two axes, and its own rate if it has one."""
    rate = None
    if isinstance(cell, Mapping) and "values" in cell:
        cell, rate = cell["values"], cell.get("rate")
        usable = _is_number(rate) and (rate is None or 0 < rate < float("inf"))
        if not usable:
            raise CellError("not a rate", repr(rate)[:40])
        rate = None if rate is None else float(rate)
    table = ending(cell) in TABLES
    array = read_number_table(read_bytes(cell)) if table else read_array(cell)
    if array.ndim not in (1, 2):
        raise CellError("not a series", f"an array of shape {array.shape}")
    if not array.size:
        raise CellError("empty series", f"an array of shape {array.shape}")
    return array.astype(np.float64, copy=False), rate


def _columns(array: np.ndarray) -> np.ndarray:
    return array[:, None] if array.ndim == 1 else array


def _layout(shapes: Sequence[tuple[int, ...]]) -> Literal["time_first", "channels_first"]:
    """What the first axis of most cells is."""
    flat = [shape for shape in shapes if len(shape) == 2]
    if not flat:
        return "time_first"
    usual = [Counter(shape[axis] for shape in flat).most_common(1)[0] for axis in (0, 1)]
    alike = [count / len(flat) for _, count in usual]
    # Where both are the same in nearly all cells, the shorter axis is that of the channels.
    both = min(alike) >= 0.9
    first = usual[0][0] < usual[1][0] if both else alike[0] > alike[1]
    return "channels_first" if first else "time_first"


def _features(x: np.ndarray, steps: int) -> np.ndarray:
    """What was measured in one channel, in 16 numbers."""
    if not len(x):
        return np.zeros(16)
    x = x.astype(np.float64)
    change = np.abs(np.diff(x)).mean() if len(x) > 1 else 0.0
    middle = x - x.mean()
    crossings = np.mean(middle[1:] * middle[:-1] < 0) if len(x) > 1 else 0.0
    power = np.abs(np.fft.rfft(middle, n=max(2 * BANDS, len(x))))[1:] ** 2
    edges = np.unique(np.geomspace(1, len(power), BANDS + 1).astype(int) - 1)
    bands = np.zeros(BANDS)
    found = np.add.reduceat(power, edges[:-1]) if len(edges) > 1 else power.sum(keepdims=True)
    bands[: len(found)] = np.log(found / len(x) + 1e-9)
    level = [x.mean(), x.std(), x.min(), x.max(), np.median(x), change, crossings]
    return np.array([*level, *bands, 1 - len(x) / steps])


def _warped(values: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
    """Each series ``(U, T, C)`` at a pace that changes smoothly, its ends where they were."""
    count, steps, _ = values.shape
    pace = 1 + 0.2 * torch.randn((count, 4), generator=generator).clamp(-2, 2)
    pace = torch.nn.functional.interpolate(
        pace[:, None], size=steps, mode="linear", align_corners=True
    )[:, 0]
    place = torch.arange(steps)
    inside = place < lengths[:, None]
    time = (pace * inside).cumsum(1) - pace  # how far each step has come, from 0
    last = time.gather(1, (lengths - 1).clamp(min=0)[:, None])
    time = time / last.clamp(min=1e-6) * (lengths[:, None] - 1)
    time = torch.where(inside, time, place.float()).clamp(0, steps - 1)
    low = time.long()
    high = (low + 1).clamp(max=steps - 1)
    part = (time - low).unsqueeze(-1)
    left, right = (values.gather(1, i.unsqueeze(-1).expand_as(values)) for i in (low, high))
    return torch.where(part > 0, left + part * (right - left), left)
