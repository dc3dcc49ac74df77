"""Ctrl-C and SIGTERM: finish the step, save, leave; a second one leaves at once."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from polymodal.errors import PolymodalError


class Interrupted(PolymodalError):
    """A training was asked to stop, and has saved itself.

    Args:
        directory: where it can be resumed.
        step: the step that was the last.
    """

    def __init__(self, directory: Path, step: int) -> None:
        super().__init__(
            f"Training was interrupted after step {step} and saved in {directory}. "
            "Resume it there and it goes on as if nothing had happened."
        )
        self.directory = directory
        self.step = step


class StopSignal:
    """A context in which the first Ctrl-C or SIGTERM is only noted.

    Outside the main thread, where Python allows no handlers, it notes nothing.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the signals back."""
        self._give_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        self._give_back()  # so that the next one ends the process

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
