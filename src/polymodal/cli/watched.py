"""Long work under a bar that says what it is at, and how much time is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from polymodal.countdown import TellStage

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")


def watched(console: Console, work: Callable[[TellStage], T]) -> T:
    """Do long work, and show on a terminal how far it is.

    Args:
        console: where to show it.
        work: is handed what it must tell: a stage, how much of it is done, and how much there is.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    # Elsewhere than on a terminal it would leave a blank line.
    hidden = not console.is_terminal
    with Progress(*columns, "left", console=console, transient=True, disable=hidden) as progress:
        shown = ""
        task = progress.add_task("reading", total=None)

        def tell(stage: str, done: int, total: int) -> None:
            nonlocal shown, task
            # Checks differ in name only; another kind of work is timed anew.
            kind = stage.partition(" ")[0]
            if kind != shown:
                progress.remove_task(task)
                task, shown = progress.add_task(stage, total=total), kind
            progress.update(task, description=stage, completed=done, total=total)

        return work(tell)
