"""Numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np

from polymodal.data.media import Shown
from polymodal.data.modalities.modality import Modality
from polymodal.data.table import ColumnSummary
from polymodal.errors import CellError

SKEWED = 1.5


class Number(Modality):
    """Quantities, as float32.

    Args:
        scale: "linear" standardises the number itself, "log" its logarithm (all numbers must be
            positive); "auto" takes the logarithm of positive numbers with a long upper tail.
    """

    name: ClassVar[str] = "number"

    def __init__(self, *, scale: Literal["auto", "linear", "log"] = "auto") -> None:
        self.scale_option = scale
        self.log = scale == "log"
        self.center, self.scale = 0.0, 1.0

    @classmethod
    def recognise(cls, column: ColumnSummary) -> float:
        """Numbers, or strings that read as numbers."""
        readable = sum(_reads_as_number(cell) for cell in column.sample)
        return 0.75 if readable >= 0.95 * max(len(column.sample), 1) else 0.0

    def fit(self, cells: Sequence[Any]) -> None:
        """Learn centre and scale (of the logarithm where that is used)."""
        values = []
        for cell in cells:
            try:
                values.append(float(self.decode(cell)))
            except CellError:
                continue  # packing reports it, with its row
        numbers = np.asarray(values or [0.0])
        positive = numbers.min() > 0
        if self.scale_option == "log" and not positive:
            raise CellError("number that has no logarithm", f"{numbers.min():g}")
        if self.scale_option == "auto":
            self.log = bool(positive and _skewness(numbers) > SKEWED
                            and abs(_skewness(np.log(numbers))) < _skewness(numbers) / 2)
        if self.log:
            numbers = np.log(numbers)
        self.center = float(numbers.mean())
        self.scale = float(numbers.std()) or 1.0

    def decode(self, cell: Any) -> np.ndarray:
        """The number, a float32 scalar array."""
        try:
            value = float(cell.replace(",", "")) if isinstance(cell, str) else float(cell)
        except (TypeError, ValueError) as error:
            raise CellError("not a number", repr(cell)[:60]) from error
        if not math.isfinite(value) or abs(value) > np.finfo(np.float32).max:
            raise CellError("infinite number", repr(cell)[:60])
        if self.scale_option == "log" and value <= 0:
            raise CellError("number that has no logarithm", repr(cell)[:60])
        return np.float32(value).reshape(())

    def blank(self) -> np.ndarray:
        """Nought."""
        return np.zeros((), np.float32)

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


def _reads_as_number(cell: Any) -> bool:
    if isinstance(cell, str):
        try:
            float(cell.replace(",", ""))
        except ValueError:
            return False
        return True
    return isinstance(cell, int | float | np.number) and not isinstance(cell, bool)


def _skewness(numbers: np.ndarray) -> float:
    deviation = numbers.std()
    if deviation == 0:
        return 0.0
    return float((((numbers - numbers.mean()) / deviation) ** 3).mean())
