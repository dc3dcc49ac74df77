"""How far long work has come, and how much time it still takes, as people say it."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS_BETWEEN_NEWS = 10.0
TellStage = Callable[[str, int, int], None]
"""Is told a stage, how much of it is done, and how much there is."""


class Countdown:
    """Tells a line now and then while something long is counted through.

    Short work is done before the first line is due, and so says nothing.

    Args:
        what: the work, as in "decoding".
        total: how many there are.
        of: what is counted.
        tell: is told each line.
        every: seconds from line to line.

    Example:
        >>> count = Countdown("decoding", 4, of="cells", tell=print, every=0)
        >>> count.advance(4)
        decoding: 4 of 4 cells, 0 s left
    """

    def __init__(
        self,
        what: str,
        total: int,
        *,
        of: str,
        tell: Callable[[str], None],
        every: float = SECONDS_BETWEEN_NEWS,
    ) -> None:
        self.what, self.total, self.of, self.tell, self.every = what, total, of, tell, every
        self.done = 0
        self._began = self._told = time.monotonic()

    def advance(self, count: int) -> None:
        """So many more are done; fewer than none where some had to be begun anew."""
        self.done += count
        now = time.monotonic()
        if now - self._told < self.every or self.done <= 0:
            return
        self._told = now
        left = (now - self._began) * (self.total - self.done) / self.done
        done = f"{self.done:,} of {self.total:,} {self.of}"
        self.tell(f"{self.what}: {done}, {spoken_time(max(left, 0.0))} left")


def spoken_time(seconds: float) -> str:
    """Seconds as a person says them.

    >>> spoken_time(7.4), spoken_time(75), spoken_time(3700)
    ('7 s', '1 min 15 s', '1 h 01 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
