"""The written record of a training: ``log/history.jsonl`` and TensorBoard event files."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from polymodal.files import write_file


class Journal:
    """Writes the history of a run into its folder ``log``.

    Args:
        directory: the run's directory.
        history: rows that are there already, when a training is resumed; rows in the file that
            are younger than the checkpoint go.
        tensorboard: whether to write event files as well.
    """

    def __init__(
        self,
        directory: Path,
        history: Sequence[Mapping[str, float]] = (),
        *,
        tensorboard: bool = True,
    ) -> None:
        self._folder = directory / "log"
        self._folder.mkdir(parents=True, exist_ok=True)
        write_file(self._folder / "history.jsonl", "".join(_line(row) for row in history))
        self._tensorboard = tensorboard
        self._events: Any = None

    def __enter__(self) -> Journal:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the event file."""
        if self._events is not None:
            self._events.close()

    def epoch(self, row: Mapping[str, float]) -> None:
        """Append a row to the history."""
        with (self._folder / "history.jsonl").open("a") as file:
            file.write(_line(row))
        self.values(row, step=int(row["step"]))

    def values(self, values: Mapping[str, float], *, step: int) -> None:
        """Numbers for TensorBoard alone."""
        if not self._tensorboard:
            return
        # 0.1 s, after training has begun. The protocol buffers themselves, without the writer
        # above them: that one needs a thread, and reports a full disk one event late.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        if self._events is None:
            name = f"events.out.tfevents.{time.time():.0f}.{socket.gethostname()}.{os.getpid()}"
            self._events = RecordWriter((self._folder / name).open("ab"))
            self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        summary = Summary(
            value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        self._write(Event(wall_time=time.time(), step=step, summary=summary))
        self._events.flush()

    def _write(self, event: Any) -> None:
        self._events.write(event.SerializeToString())


def _line(row: Mapping[str, float]) -> str:
    """One row as a line of strict JSON, which knows no nan."""
    return json.dumps({k: v if math.isfinite(v) else None for k, v in row.items()}) + "\n"
