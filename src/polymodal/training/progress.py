"""What a person sees while a model trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from polymodal.countdown import spoken_time

if TYPE_CHECKING:
    from rich.console import Console

Row = Mapping[str, float]
"""A row of the history: see :func:`polymodal.training.train`."""


class Progress(Protocol):
    """Something that is told how a training goes; at most eight times a second."""

    def start(self, total_steps: int, *, step: int, epochs: int, note: str) -> None:
        """Training begins.

        Args:
            total_steps: steps that are planned.
            step: steps already done, when it is resumed.
            epochs: epochs that are planned.
            note: how it computes (precision, threads), for people.
        """

    def step(
        self,
        step: int,
        *,
        total_steps: int,
        loss: float,
        rows_per_second: float,
        seconds_left: float,
    ) -> None:
        """Some steps later.

        Args:
            step: steps done.
            total_steps: steps that are planned; a time budget may lower it.
            loss: mean since the last call.
            rows_per_second: speed of this epoch so far.
            seconds_left: expected time to the end.
        """

    def epoch(self, row: Row, *, metric: str, best: bool) -> None:
        """An epoch has been validated.

        Args:
            row: its row of the history.
            metric: name of the validation metric.
            best: whether it is the best one so far.
        """

    def finish(self, message: str) -> None:
        """Training has ended, well or not."""


class SilentProgress:
    """Shows nothing."""

    def start(self, total_steps: int, *, step: int, epochs: int, note: str) -> None:
        """Nothing."""

    def step(
        self,
        step: int,
        *,
        total_steps: int,
        loss: float,
        rows_per_second: float,
        seconds_left: float,
    ) -> None:
        """Nothing."""

    def epoch(self, row: Row, *, metric: str, best: bool) -> None:
        """Nothing."""

    def finish(self, message: str) -> None:
        """Nothing."""


class RichProgress:
    """A live bar on a terminal and a line for each epoch; only the lines elsewhere.

    Args:
        console: where to show it; None is the standard output.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console  # 0.07 s, which a silent training does not pay
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = console or Console()
        # No thread that redraws: the loop calls often enough, and the thread would take time.
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        self._epochs = 0
        self._best = ""

    def start(self, total_steps: int, *, step: int, epochs: int, note: str) -> None:
        """Say how it computes, and open the bar."""
        self._epochs = epochs
        after = f", {step} of them done" if step else ""
        self._console.print(f"training: {total_steps} steps{after}; {note}", highlight=False)
        for task in self._bar.task_ids:  # of a training before this one
            self._bar.remove_task(task)
        self._task = self._bar.add_task("training", total=total_steps, completed=step, text="")
        if self._console.is_terminal:
            self._bar.start()

    def step(
        self,
        step: int,
        *,
        total_steps: int,
        loss: float,
        rows_per_second: float,
        seconds_left: float,
    ) -> None:
        """Redraw the bar."""
        if self._console.is_terminal:
            text = (
                f"loss {loss:.4f}{self._best} · {rows_per_second:,.0f} rows/s"
                f" · {spoken_time(seconds_left)} left"
            )
            self._bar.update(self._task, completed=step, total=total_steps, text=text, refresh=True)

    def epoch(self, row: Row, *, metric: str, best: bool) -> None:
        """Print the epoch's line."""
        if best:
            self._best = f" · best {metric} {row['validation_metric']:.4f}"
        self._console.print(
            f"epoch {row['epoch']:.0f}/{self._epochs}  loss {row['train_loss']:.4f}"
            f"  validation loss {row['validation_loss']:.4f}"
            f"  {metric} {row['validation_metric']:.4f}{' (best)' if best else ''}"
            f"  {row['rows_per_second']:,.0f} rows/s  {spoken_time(row['seconds'])}",
            highlight=False,
        )

    def finish(self, message: str) -> None:
        """Close the bar and say why it ended."""
        if self._console.is_terminal:
            self._bar.stop()
        self._console.print(message, highlight=False)
