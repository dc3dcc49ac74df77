"""Which number format to compute in, found by trying."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from polymodal.train_options import Precision
from polymodal.training.trial import Choice, seconds_per_step

WORTH_IT = 1.15  # times faster, below which bf16 is not worth its five lost digits
_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # the last is Arm's name


def choose_precision(step: Callable[[Precision], object], device: torch.device) -> Choice:
    """Full precision, or bf16 where the hardware has it and it pays.

    On a CPU with bf16 instructions both are timed, and bf16 is taken when it is at least 1.15
    times faster; on one without, it would be slower. A GPU that has bf16 uses it.

    Args:
        step: a forward and backward pass in the precision it is told; called up to 12 times.
        device: where it runs.
    """
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bf16", reason="this GPU computes in bf16")
        return Choice("fp32", reason="this GPU has no bf16; try train.precision: fp16")
    if device.type != "cpu":
        return Choice("fp32", reason=f"the safe choice on {device.type}")
    if not cpu_has_bf16():
        return Choice("fp32", reason="this CPU has no bf16 instructions")
    seconds = {
        "fp32": seconds_per_step(lambda: step("fp32")),
        "bf16": seconds_per_step(lambda: step("bf16")),
    }
    gain = seconds["fp32"] / seconds["bf16"]
    name = "bf16" if gain >= WORTH_IT else "fp32"
    return Choice(name, seconds, f"bf16 is {gain:.2f} times as fast as fp32 here")


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (as far as the system tells)."""
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return False
    for line in information.read_text().splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return not _CPU_FLAGS.isdisjoint(flags.split())
    return False
