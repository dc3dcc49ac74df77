"""Numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import Shown
from polymodal.data.modalities.modality import Modality
from polymodal.data.summary import ColumnSummary
from polymodal.errors import CellError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch

SKEWED = 1.5
LARGEST = float(np.finfo(np.float32).max)
THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d*)?\s*")


class Number(Modality):
    """Quantities, as float32. Strings may have commas between thousands: "1,234.5".

    Durations are seconds.

    Args:
        scale: "linear" standardises the number itself, "log" its logarithm (all numbers must be
            positive); "auto" takes the logarithm of positive numbers with a long upper tail.
        noise: random variation in training: the deviation of noise that is added, as a share of
            the column's own (of the logarithms where these are used).

    Raises:
        ValueError: ``noise`` is below 0.
    """

    name: ClassVar[str] = "number"
    tabular: ClassVar[bool] = True

    def __init__(
        self, *, scale: Literal["auto", "linear", "log"] = "auto", noise: float = 0.0
    ) -> None:
        if noise < 0:
            raise ValueError(f"noise must not be below 0, not {noise}.")
        self.scale_option, self.noise = scale, noise
        self.log = scale == "log"
        self.center, self.scale = 0.0, 1.0

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Numbers, or strings that read as numbers."""
        if not column.sample:
            return 0.0
        readable = sum(_reads_as_number(cell) for cell in column.sample)
        return 0.75 if readable >= 0.95 * len(column.sample) else 0.0

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn centre and scale (of the logarithm where that is used)."""
        values = []
        for cell in cells:
            try:
                values.append(float(self.decode(cell)))
            except CellError:
                continue  # packing reports it, with its row
        if not values:
            return
        numbers = np.asarray(values)
        if self.scale_option == "auto":
            skewness = _skewness(numbers)
            self.log = bool(
                skewness > SKEWED
                and numbers.min() > 0
                and abs(_skewness(np.log(numbers))) < skewness / 2
            )
        if self.log:
            numbers = np.log(numbers)
        self.center = float(numbers.mean())
        self.scale = float(numbers.std()) or 1.0

    def decode(self, cell: Any) -> np.ndarray:
        """The number, a float32 scalar array."""
        value = _value(cell)
        if not math.isfinite(value) or abs(value) > LARGEST:
            raise CellError("infinite number", repr(cell)[:60])
        if self.scale_option == "log" and value <= 0:
            raise CellError("number that has no logarithm", repr(cell)[:60])
        return np.array(value, np.float32)

    def blank(self) -> np.ndarray:
        """Nought."""
        return np.zeros((), np.float32)

    def facts(self) -> dict[str, Any]:
        """Centre, scale, and whether of the logarithm."""
        return {"center": self.center, "scale": self.scale, "log": self.log}

    def restore(self, array: np.ndarray) -> list[Any]:
        """Floats."""
        return [float(value) for value in array]

    def summarise(self, array: np.ndarray) -> np.ndarray:
        """The number."""
        return array.reshape(1).astype(np.float32)

    def show(self, cell: Any) -> Shown:
        """The number as it was written."""
        return Shown("text", f"{cell:g}" if isinstance(cell, float) else str(cell))

    def state(self) -> dict[str, Any]:
        """Centre, scale, and whether of the logarithm."""
        return {"center": self.center, "scale": self.scale, "log": self.log}

    def load_state(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` gave."""
        self.center, self.scale, self.log = state["center"], state["scale"], state["log"]

    @property
    def augments(self) -> bool:
        """Whether noise was asked for."""
        return self.noise > 0

    def augment(
        self, values: Tensor, generator: torch.Generator, mask: Tensor | None = None
    ) -> Tensor:
        """Each number ``(B,)`` with noise of its own."""
        change = self.noise * self.scale * torch.randn(values.shape, generator=generator)
        return values * change.exp() if self.log else values + change


def to_numbers(cells: Sequence[Any]) -> np.ndarray:
    """Numbers ``(len(cells),)`` float64; NaN where a cell is missing or no finite number."""
    numbers = np.full(len(cells), np.nan)
    for row, cell in enumerate(cells):
        try:
            numbers[row] = np.nan if cell is None else _value(cell)
        except CellError:
            continue  # packing reports it, with its row
    numbers[~np.isfinite(numbers)] = np.nan
    return numbers


def _value(cell: Any) -> float:
    if isinstance(cell, str):
        if THOUSANDS.fullmatch(cell):
            cell = cell.replace(",", "")
        elif "_" in cell:  # Python reads 2020_01 as 202001
            raise CellError("not a number", repr(cell)[:60])
    elif isinstance(cell, timedelta):
        cell = cell.total_seconds()
    elif not isinstance(cell, int | float | np.number | np.bool_ | Decimal):
        raise CellError("not a number", type(cell).__name__)
    try:
        return float(cell)
    except OverflowError as error:
        raise CellError("infinite number", "more than 300 digits") from error
    except (TypeError, ValueError) as error:
        raise CellError("not a number", repr(cell)[:60]) from error


def _reads_as_number(cell: Any) -> bool:
    try:
        return not isinstance(cell, bool | np.bool_) and not math.isnan(_value(cell))
    except CellError:
        return False


def _skewness(numbers: np.ndarray) -> float:
    deviation = numbers.std()
    if deviation == 0:
        return 0.0
    return float((((numbers - numbers.mean()) / deviation) ** 3).mean())
