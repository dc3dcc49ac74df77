"""Point clouds of lidar, radar and depth cameras."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.arrays import array_ending
from polymodal.data.media import (
    Shown,
    ending,
    is_wrapped,
    remark,
    spread,
    unwrapped,
    what_is,
)
from polymodal.data.modalities.modality import Modality
from polymodal.data.modalities.point_files import Cloud, read_cloud
from polymodal.data.modalities.point_picture import draw_points
from polymodal.data.modalities.point_sampling import SAMPLINGS, random_points
from polymodal.data.summary import ColumnSummary, name_parts
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

MOST_AUTO_POINTS = 512
CLOUDS_LOOKED_AT, POINTS_LOOKED_AT = 256, 2048
# Beyond it, squares leave float32.
LARGEST = 1e18
# Clouds so many times farther away than they are wide are on a map, not around a sensor.
FAR_AWAY = 1000
# Words in a column's name by which files and arrays of numbers are known as points.
HINTS = {
    "point", "points", "pointcloud", "cloud", "clouds", "lidar", "radar", "velodyne", "pcd", "ply",
    "laser", "scan",
}  # fmt: skip
# Words by which they are not: what a radar or a laser measures at one place over time.
NO_HINTS = {"doppler", "trace", "signal", "series", "window", "windows", "waveform"}
# Features that are directions: they turn with the cloud.
DIRECTIONS = (("nx", "ny"), ("normal_x", "normal_y"), ("vx", "vy"))
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Points(Modality):
    """Point clouds: x, y, z and any features of each point, as ``(T, 3 + F)`` float32.

    Cells are paths or bytes of PLY (ASCII, binary), PCD (ASCII, binary, compressed) and NumPy
    files, paths of KITTI's ``.bin``, arrays, or lists of rows. Points with NaN or infinite
    numbers, which sensors give where nothing came back, are left out and counted.

    Args:
        points: most points kept of a cloud; "auto" takes what 90 % of the clouds have, at most
            512.
        sampling: how a larger cloud is thinned: "farthest" keeps points far from each other,
            "voxel" takes the mean point of each cell of a grid, "random" keeps any.
        normalise: "training" leaves every cloud where it is, so that position and size can be
            learned, and scales by the training part; "centre" moves each cloud to its mean,
            so that position is forgotten; "unit" also scales it to a radius of 1.
        features: names of the features to use, [] for none; None takes those that the clouds of
            the training part have.
        bin_columns: float32 numbers of each point in a ``.bin`` file (KITTI 4, nuScenes 5).
        max_points: a cloud with more points is refused.
        rotate: in training, turn each cloud about the vertical axis by up to so many degrees.
        jitter: in training, move each point by a normal deviation of so many units.
        rescale: in training, scale each cloud about its centre by up to this share (0.1: 10 %).
        drop: in training, leave out up to this share of each cloud's points.

    Raises:
        ValueError: no points are kept, or an option is out of its range.
    """

    name: ClassVar[str] = "points"
    media: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    def __init__(
        self,
        *,
        points: int | Literal["auto"] = "auto",
        sampling: Literal["farthest", "voxel", "random"] = "farthest",
        normalise: Literal["training", "centre", "unit"] = "training",
        features: list[str] | None = None,
        bin_columns: int = 4,
        max_points: int = 20_000_000,
        rotate: float = 0.0,
        jitter: float = 0.0,
        rescale: float = 0.0,
        drop: float = 0.0,
    ) -> None:
        if points != "auto" and points < 1:
            raise ValueError(f"At least one point of a cloud is kept, not {points}.")
        if bin_columns < 3:
            raise ValueError(f"A point has x, y and z at least, not {bin_columns} numbers.")
        if not 0 <= drop < 1:
            raise ValueError(f"The share of points left out is from 0 to below 1, not {drop}.")
        self.points = 0 if points == "auto" else points
        self.sampling, self.normalise = sampling, normalise
        self.features: list[str] = list(features or [])
        self.asked, self.by_name = features is not None, features is not None
        self.bin_columns, self.max_points = bin_columns, max_points
        self.rotate, self.jitter, self.rescale, self.drop = rotate, jitter, rescale, drop
        self.origin = [0.0, 0.0, 0.0]
        self.mean, self.std, self.spread = [0.0] * 3, [1.0] * 3, 1.0
        self.region = [[-1.0, 1.0]] * 3

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Paths or bytes of PLY and PCD; numbers in rows where the column's name hints at it."""
        words = set(name_parts(column.name))
        hinted = bool(HINTS & words) and not NO_HINTS & words
        sure = sum(_is_cloud(cell) or (hinted and _may_be_cloud(cell)) for cell in column.sample)
        return sure / max(len(column.sample), 1)

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn features, number of points and statistics from up to 256 clouds."""
        clouds, sizes = [], []
        for cell in spread(cells, CLOUDS_LOOKED_AT):
            try:
                cloud = self._read(cell)
                sizes.append(len(_usable(cloud.values[:, :3])))
            except CellError:
                continue  # packing reports it, with its row
            clouds.append(_looked_at(cloud))
        if not self.asked:
            self._learn_features(clouds)
        if not self.points:
            usual = math.ceil(np.quantile(sizes, 0.9)) if sizes else MOST_AUTO_POINTS
            self.points = min(usual, MOST_AUTO_POINTS)
        known = []
        for cloud in clouds:
            with suppress(CellError):  # as above
                known.append(_usable(self._columns(cloud)))
        if self.normalise == "training":
            self._learn_origin(known)
        self._learn_statistics([self._placed(values) for values in known])

    def facts(self) -> dict[str, Any]:
        """Columns; mean and deviation of positions and features; size of a cloud; region."""
        return {
            "channels": 3 + len(self.features),
            "mean": self.mean,
            "std": self.std,
            "spread": self.spread,
            "region": self.region,
        }

    def decode(self, cell: Any) -> np.ndarray:
        """At most ``points`` points ``(T, 3 + F)`` float32: x, y, z, then the features."""
        columns = self._columns(self._read(cell))
        values = _usable(columns)
        if len(values) < len(columns):
            left_out = len(columns) - len(values)
            remark("points with NaN or infinite numbers, left out", f"{left_out} of them")
        values = self._placed(values)
        if len(values) > self.points:
            values = SAMPLINGS[self.sampling](values, self.points)
        return values.astype(np.float32)

    def blank(self) -> np.ndarray:
        """One point at nought."""
        return np.zeros((1, 3 + len(self.features)), np.float32)

    def restore(self, array: np.ndarray) -> list[Any]:
        """Not yet: there is no head that gives points."""
        raise NotImplementedError("points as a target")

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """Number of points; quantiles and deviation of each column; widths; heights; shape.

        Widths are of the box around the cloud in its own horizontal directions, heights a
        histogram of 8 levels, and the shape is how linear, flat and round it is (eigenvalues of
        its covariance; Demantké 2011).
        """
        values = array.astype(np.float64)
        centred = values[:, :3] - values[:, :3].mean(0)
        quantiles = np.quantile(values, QUANTILES, axis=0).ravel()
        sizes, axes = np.linalg.eigh(np.cov(centred[:, :2].T, bias=True))
        own = np.column_stack([centred[:, :2] @ axes, centred[:, 2]])
        widths = np.quantile(own, 0.95, axis=0) - np.quantile(own, 0.05, axis=0)
        low, high = values[:, 2].min(), values[:, 2].max()
        heights = np.histogram(values[:, 2], 8, (low, high if high > low else low + 1))[0]
        sizes = np.sqrt(np.clip(np.linalg.eigvalsh(np.cov(centred.T, bias=True)), 0, None))[::-1]
        first, second, third = sizes / max(float(sizes[0]), 1e-9)
        shape = [first - second, second - third, third]
        parts = [[math.log(len(values))], quantiles, values.std(0), widths, heights / len(values)]
        return np.concatenate([*parts, shape]).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """The cloud from above and from aside, coloured by height, as PNG."""
        cloud = self._read(cell)
        note = f"{len(cloud.values):,} points"
        if cloud.names is not None and len(cloud.names) > 3:
            note += f" ({', '.join(cloud.names[3:])})"
        return Shown("image", draw_points(_usable(cloud.values[:, :3])), note)

    def state(self) -> dict[str, Any]:
        """Points, sampling, normalisation, features, and the statistics."""
        return {
            "points": self.points,
            "sampling": self.sampling,
            "normalise": self.normalise,
            "features": self.features,
            "by_name": self.by_name,
            "origin": self.origin,
            "mean": self.mean,
            "std": self.std,
            "spread": self.spread,
            "region": self.region,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.points, self.sampling = state["points"], state["sampling"]
        self.normalise, self.features = state["normalise"], state["features"]
        self.by_name, self.origin = state["by_name"], state["origin"]
        self.mean, self.std = state["mean"], state["std"]
        self.spread, self.region = state["spread"], state["region"]

    @property
    def augments(self) -> bool:
        """Whether a variation was asked for."""
        return any((self.rotate, self.jitter, self.rescale, self.drop))

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Turn, scale, jitter and thin each cloud ``(U, T, C)`` by its own random amount.

        A point that is left out becomes a copy of one that is not, as in PointNet++: the number
        of points stays, and so does, by chance, the centre.
        """
        values = values.clone()
        real = torch.ones(values.shape[:2], dtype=torch.bool) if mask is None else mask
        if self.rotate:
            self._turn(values, generator)
        if self.rescale:
            share = self.rescale * (2 * torch.rand(len(values), 1, 1, generator=generator) - 1)
            count = real.sum(1).clamp_min(1)[:, None, None]
            centre = (values[..., :3] * real.unsqueeze(-1)).sum(1, keepdim=True) / count
            values[..., :3] += share * (values[..., :3] - centre)
        if self.jitter:
            noise = torch.randn(values[..., :3].shape, generator=generator)
            values[..., :3] += self.jitter * noise
        return _thinned(values, real, self.drop, generator) if self.drop else values

    def _turn(self, values: Tensor, generator: torch.Generator) -> None:
        most = math.radians(self.rotate)
        angle = most * (2 * torch.rand(len(values), 1, generator=generator) - 1)
        cos, sin = angle.cos(), angle.sin()
        names = ["x", "y", "z", *self.features]
        for pair in (("x", "y"), *DIRECTIONS):
            if set(pair) <= set(names):
                i, j = (names.index(name) for name in pair)
                x, y = values[..., i].clone(), values[..., j].clone()
                values[..., i], values[..., j] = cos * x - sin * y, sin * x + cos * y

    def _read(self, cell: Any) -> Cloud:
        return read_cloud(unwrapped(cell), bin_columns=self.bin_columns, most=self.max_points)

    def _columns(self, cloud: Cloud) -> np.ndarray:
        """The columns ``(M, 3 + F)`` in the order of the features."""
        values, names = cloud
        if names is not None and self.by_name:
            lacking = [name for name in self.features if name not in names]
            if lacking:
                raise CellError("point cloud without a feature of the others", ", ".join(lacking))
            return values[:, [0, 1, 2, *(names.index(name) for name in self.features)]]
        if self.asked and not self.features:
            return values[:, :3]
        if values.shape[1] != 3 + len(self.features):
            wanted = ", ".join(["x", "y", "z", *self.features])
            raise CellError(
                "point cloud of another number of columns",
                f"{values.shape[1]} in place of {3 + len(self.features)} ({wanted})",
            )
        return values

    def _placed(self, values: np.ndarray) -> np.ndarray:
        """Moved and scaled as ``normalise`` says."""
        values = values.copy()
        if self.normalise == "training":
            values[:, :3] -= self.origin
            return values
        values[:, :3] -= values[:, :3].mean(0)
        if self.normalise == "unit":
            radius = float(np.sqrt(np.square(values[:, :3]).sum(1).max()))
            values[:, :3] /= radius or 1.0
        return values

    def _learn_features(self, clouds: Sequence[Cloud]) -> None:
        """The features of most clouds; without names they are numbered."""
        kinds = Counter((cloud.names, cloud.values.shape[1]) for cloud in clouds)
        if not kinds:
            return
        names, columns = kinds.most_common(1)[0][0]
        self.by_name = names is not None
        numbered = [f"feature_{i}" for i in range(1, columns - 2)]
        self.features = list(names[3:]) if names is not None else numbered

    def _learn_origin(self, clouds: Sequence[np.ndarray]) -> None:
        """Clouds on a map are moved to where they are, for float32 has 7 digits only."""
        if not clouds:
            return
        every = np.concatenate([values[:, :3] for values in clouds])
        width = max(float(every.std(0).max()), 1e-6)
        if np.abs(every.mean(0)).max() > FAR_AWAY * width:
            self.origin = [float(v) for v in every.mean(0).round()]

    def _learn_statistics(self, clouds: Sequence[np.ndarray]) -> None:
        columns = 3 + len(self.features)
        if not clouds:
            self.mean, self.std = [0.0] * columns, [1.0] * columns
            return
        centres = np.stack([values[:, :3].mean(0) for values in clouds])
        every = np.concatenate(clouds)
        around = np.concatenate([values[:, :3] - values[:, :3].mean(0) for values in clouds])
        self.spread = _rounded(max(float(around.std()), 1e-6))
        mean = np.concatenate([centres.mean(0), every[:, 3:].mean(0)])
        # Where all clouds are in one place, how they lie there tells little.
        std = np.concatenate([np.maximum(centres.std(0), self.spread / 10), every[:, 3:].std(0)])
        self.mean = [_rounded(float(m)) for m in mean]
        self.std = [_rounded(float(s)) or 1.0 for s in std]
        ends = np.quantile(every[:, :3], (0.005, 0.995), axis=0).T
        self.region = [[_rounded(float(a)), _rounded(float(max(b, a + 1e-6)))] for a, b in ends]


def _usable(values: np.ndarray) -> np.ndarray:
    """The points ``(M, C)`` whose numbers can be used."""
    if not len(values):
        raise CellError("empty point cloud", "no points")
    good = (np.abs(values) < LARGEST).all(1)  # False for NaN
    if not good.any():
        raise CellError("no usable point in the cloud", "all have NaN or infinite numbers")
    return values if good.all() else values[good]


def _looked_at(cloud: Cloud) -> Cloud:
    if len(cloud.values) <= POINTS_LOOKED_AT:
        return cloud
    return cloud._replace(values=random_points(cloud.values, POINTS_LOOKED_AT))


def _rounded(number: float) -> float:
    return float(f"{number:.6g}")


def _thinned(values: Tensor, real: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Clouds ``(U, T, C)`` in which up to a share of the points are copies of the others."""
    clouds, points = real.shape
    share = most * torch.rand(clouds, 1, generator=generator)
    kept = real & (torch.rand(clouds, points, generator=generator) >= share)
    kept[:, 0] |= ~kept.any(1)
    first = torch.argsort(~kept, dim=1, stable=True)  # those kept come first
    drawn = torch.rand(clouds, points, generator=generator) * kept.sum(1, keepdim=True)
    copied = first.gather(1, drawn.long())
    source = torch.where(kept, torch.arange(points), copied)
    return values.gather(1, source.unsqueeze(-1).expand_as(values))


def _is_cloud(cell: Any) -> bool:
    if is_wrapped(cell):
        return _is_cloud(unwrapped(cell))
    if isinstance(cell, str | Path):
        return ending(cell) in (".ply", ".pcd")
    if isinstance(cell, bytes):
        return what_is(cell) == "a point cloud"
    if isinstance(cell, np.ndarray) and cell.dtype.names:
        return {"x", "y", "z"} <= set(cell.dtype.names)
    return False


def _may_be_cloud(cell: Any) -> bool:
    """Whether it may be points, if the column's name says so."""
    if isinstance(cell, str | Path):
        return bool(array_ending(cell)) or ending(cell) == ".bin"
    if isinstance(cell, np.ndarray):
        return cell.ndim == 2 and cell.shape[1] >= 3
    return isinstance(cell, list) and len(cell) > 0 and _is_row(cell[0])


def _is_row(cell: Any) -> bool:
    return (
        isinstance(cell, list | tuple | np.ndarray)
        and len(cell) >= 3
        and all(isinstance(number, int | float) for number in cell)
    )
