"""Where batches come from, as the loop sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from polymodal.batch import Batch


class Source(Protocol):
    """Training batches, epoch after epoch.

    The batches of an epoch depend on the source's seed and the epoch's number alone, never on
    the global random generators or on what was read before: that is what makes a resumed
    training equal to one that was never stopped.
    """

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch, the same in each."""

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch.

        Args:
            number: the epoch, from 0.
            skip: batches to leave out at the start, without the cost of making them.
        """
