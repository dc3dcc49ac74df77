"""What this machine is: processor, memory, disk, graphics card, system."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import torch

from polymodal.training.precision import cpu_has_bf16
from polymodal.training.threads import physical_cores

GB = 1e9
LIMIT = Path("/sys/fs/cgroup/memory.max")
"""Where a container's memory limit stands."""
THREAD_SETTINGS = (
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)


@dataclass(frozen=True)
class Gpu:
    """A graphics card.

    Args:
        name: what its maker calls it.
        memory_gb: of the card, in gigabytes.
        bf16: whether it computes in bf16.
    """

    name: str
    memory_gb: float
    bf16: bool


@dataclass(frozen=True)
class Machine:
    """A machine as this process sees it.

    Args:
        system: operating system and its version.
        python: version of Python.
        processor: what its maker calls it.
        instructions: the widest set of vector instructions that PyTorch uses, and bf16.
        cores: physical cores that this process may use.
        threads: logical ones.
        memory_gb: memory in gigabytes, or the limit that a container sets.
        memory_free_gb: how much of it can be had now.
        disk_free_gb: free on the disk of the working folder.
        device: where a training would run.
        driver: version of CUDA or ROCm that PyTorch was built for; "" without a card.
        gpus: graphics cards.
        settings: environment variables that rule threads and cards, where they are set.
    """

    system: str
    python: str
    processor: str
    instructions: tuple[str, ...]
    cores: int
    threads: int
    memory_gb: float
    memory_free_gb: float
    disk_free_gb: float
    device: str
    driver: str
    gpus: tuple[Gpu, ...]
    settings: dict[str, str]


def this_machine(folder: Path = Path()) -> Machine:
    """Look at this machine.

    Args:
        folder: on whose disk runs will be written.
    """
    memory = psutil.virtual_memory()
    most = min(memory.total, _limit())
    bf16 = ("bf16",) if cpu_has_bf16() else ()
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    return Machine(
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        python=platform.python_version(),
        processor=_processor(),
        instructions=(torch.backends.cpu.get_cpu_capability().lower(), *bf16),
        cores=physical_cores(),
        threads=len(psutil.Process().cpu_affinity())
        if hasattr(psutil.Process, "cpu_affinity")
        else psutil.cpu_count() or 1,
        memory_gb=most / GB,
        memory_free_gb=min(memory.available, most) / GB,
        disk_free_gb=shutil.disk_usage(folder.absolute()).free / GB,
        device="cpu" if accelerator is None else accelerator.type,
        driver=(torch.version.cuda or torch.version.hip or "") if _gpus() else "",
        gpus=_gpus(),
        settings={name: os.environ[name] for name in THREAD_SETTINGS if name in os.environ},
    )


def _limit() -> float:
    """The memory that a container may use, in bytes; infinite without a limit."""
    try:
        return float(LIMIT.read_text().strip())  # "max" is no number
    except (OSError, ValueError):
        return float("inf")


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or platform.machine()


def _gpus() -> tuple[Gpu, ...]:
    if not torch.cuda.is_available():
        return ()
    found = []
    for number in range(torch.cuda.device_count()):
        card = torch.cuda.get_device_properties(number)
        bf16 = card.major >= 8 or torch.version.hip is not None
        found.append(Gpu(card.name, card.total_memory / GB, bf16))
    return tuple(found)
