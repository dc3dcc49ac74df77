"""How many CPU threads to compute with, found by trying."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch

from polymodal.training.trial import Choice, seconds_per_step

_LONG_STEP = 0.25  # seconds; a step of this length always has enough work to share


def choose_threads(step: Callable[[], object]) -> Choice:
    """One thread or one for each core, whichever makes a training step faster.

    Small networks are up to eight times slower on threads that wait for each other. The number
    of threads is left as it was found; ``OMP_NUM_THREADS``, where it is set, is obeyed.

    Args:
        step: a forward and backward pass; called up to 12 times.
    """
    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" in os.environ:
        return Choice(str(before), reason="OMP_NUM_THREADS is set")
    cores = physical_cores()
    if cores == 1:
        return Choice("1", reason="there is one core")
    seconds: dict[str, float] = {}
    try:
        for count in (cores, 1):
            torch.set_num_threads(count)
            seconds[str(count)] = seconds_per_step(step)
            if seconds[str(count)] > _LONG_STEP:
                break
    finally:
        torch.set_num_threads(before)
    best = min(seconds, key=lambda name: seconds[name])
    return Choice(best, seconds, _reason(seconds))


def _reason(seconds: dict[str, float]) -> str:
    times = ", ".join(f"{name}: {1000 * s:.1f} ms" for name, s in seconds.items())
    return f"fastest of those tried (threads: step = {times})"


def physical_cores() -> int:
    """Physical cores that this process may use (two threads of one core share its arithmetic)."""
    import psutil  # type: ignore[import-untyped]  # 0.03 s, and only needed here

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))
