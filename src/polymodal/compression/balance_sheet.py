"""What became of a run: what it gained and what it lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polymodal.compression.price import Price
from polymodal.evaluation.scores import Score


@dataclass(frozen=True)
class Compression:
    """What became of a run.

    Args:
        directory: where the smaller one is, or would have been.
        saved: whether it was saved.
        prices: of the run as it was trained, and of what became of it.
        lost: target -> points (hundredths) by which its headline metric fell on the test part, with
            its 95% interval; negative where it rose.
        max_loss: how many points may be lost.
        rows: rows of the test part.
        notes: what was done, for people.
    """

    directory: Path
    saved: bool
    prices: tuple[Price, ...]
    lost: dict[str, Score]
    max_loss: float
    rows: int
    notes: tuple[str, ...]

    @property
    def most_lost(self) -> float:
        """The points lost at the target that lost most."""
        return max(score.value for score in self.lost.values())

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "directory": str(self.directory),
            "saved": self.saved,
            "max_loss": self.max_loss,
            "points_lost": {name: score.to_dict() for name, score in self.lost.items()},
            "rows": self.rows,
            "notes": list(self.notes),
            "variants": [price.to_dict() for price in self.prices],
        }
