"""A time budget: how many steps fit into it."""

from __future__ import annotations

_WARM_UP = 3  # steps of a process that are slower than the others
_FIRST = 10  # steps after which the first estimate is made
_MARGIN = 0.97
_NOTABLE = 0.02


class Budget:
    """Fits the number of planned steps to a time limit, so that the schedule ends in time.

    The first estimate comes after ten steps, the next whenever their number has doubled, and one
    at the end of each epoch, when the cost of validation is known.

    Args:
        minutes: the limit; None for none.
        full: steps without a limit.

    Example:
        >>> budget = Budget(1.0, full=1000)
        >>> planned = 1000
        >>> for step in range(1, 11):
        ...     planned = budget.fit(planned, step=step, seconds=1.0 + 0.5 * step)
        >>> planned  # 6 s are gone; 52.2 s are left at half a second each
        114
    """

    def __init__(self, minutes: float | None, *, full: int) -> None:
        self._limit = None if minutes is None else 60.0 * minutes
        self._full = full
        self._calls = 0
        self._due = _FIRST
        self._start: tuple[int, float] | None = None

    def fit(self, planned: int, *, step: int, seconds: float, at_epoch_end: bool = False) -> int:
        """The steps to plan: another number only when an estimate is due and differs notably.

        Args:
            planned: steps planned so far.
            step: steps done; to be called after each.
            seconds: time of the training so far.
            at_epoch_end: an estimate is due, whatever the step.
        """
        if self._limit is None:
            return self._full
        if not at_epoch_end:
            self._calls += 1
            if self._calls == _WARM_UP:
                self._start = step, seconds
            if self._calls < self._due:
                return planned
            self._due *= 2
        if self._start is None or step <= self._start[0]:
            return planned
        pace = (seconds - self._start[1]) / (step - self._start[0])
        left = max(0.0, _MARGIN * self._limit - seconds)
        fitting = min(self._full, step + int(left / pace))
        return fitting if abs(fitting - planned) > _NOTABLE * planned else planned

    def over(self, seconds: float) -> bool:
        """Whether the limit has been reached."""
        return self._limit is not None and seconds >= self._limit
