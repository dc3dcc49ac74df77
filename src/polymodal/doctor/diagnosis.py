"""All of it in one: the machine, its speed, what will be chosen on it, and how a model does."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from polymodal.data.kept_packs import cache_folder
from polymodal.doctor.fitness import Fitness, measure_fitness
from polymodal.doctor.machine import Machine, this_machine
from polymodal.doctor.packages import Extra, extras, hub
from polymodal.doctor.speed import Speed, measure_speed
from polymodal.recipe_options import DataOptions
from polymodal.training.precision import WORTH_IT

LIBRARIES = ("polymodal", "torch", "numpy", "pyarrow", "pillow", "soundfile", "av", "tokenizers")
LITTLE_DISK_GB = 5.0


class Setting(NamedTuple):
    """An option that is left at "auto", and what it will become here.

    Args:
        name: as a recipe spells it.
        value: what will be chosen.
        reason: why.
    """

    name: str
    value: str
    reason: str


@dataclass(frozen=True)
class Diagnosis:
    """What ``polymodal doctor`` found.

    Args:
        machine: what this machine is.
        versions: library -> version.
        extras: optional packages, by group.
        hub: whether models can be fetched by name, in words.
        speed: what was measured; None where that was not wanted.
        settings: what will be chosen, and why.
        warnings: what a person should mend.
        run: how a model does here; None where none was named.
    """

    machine: Machine
    versions: dict[str, str]
    extras: list[Extra]
    hub: str
    speed: Speed | None
    settings: list[Setting]
    warnings: list[str]
    run: Fitness | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON."""
        found = asdict(self)
        found["settings"] = [setting._asdict() for setting in self.settings]
        found["extras"] = [extra._asdict() for extra in self.extras]
        return found


def diagnose(
    run: str | Path | None = None, *, folder: str | Path = ".", measure: bool = True
) -> Diagnosis:
    """Look at this machine, and at how a model does on it.

    Args:
        run: a run directory; None looks at the machine alone.
        folder: on whose disk runs will be written.
        measure: whether to measure speeds, which takes some seconds.

    Raises:
        RunError: the run is none, or damaged.
    """
    fitness = None if run is None else measure_fitness(str(run))  # its memory, before all else
    machine, place = this_machine(Path(folder)), Path(folder)
    speed = measure_speed(place) if measure else None
    return Diagnosis(
        machine=machine,
        versions={name: metadata.version(name) for name in LIBRARIES},
        extras=extras(),
        hub=hub(),
        speed=speed,
        settings=_settings(machine, speed),
        warnings=_warnings(machine),
        run=fitness,
    )


def _settings(machine: Machine, speed: Speed | None) -> list[Setting]:
    data = DataOptions()
    return [
        Setting("device", machine.device, "the best there is"),
        _threads(machine),
        _precision(machine, speed),
        Setting(
            "train.batch_size",
            "16 to 128",
            "a power of two that gives at least 16 steps per epoch; by the rows, not the machine",
        ),
        Setting("data.workers", str(machine.threads), "one for each core"),
        Setting(
            "data.keep_packs",
            f"up to {data.keep_packs_gb:g} GB in {cache_folder()}",
            f"{machine.disk_free_gb:,.0f} GB are free on the disk of this folder",
        ),
    ]


def _threads(machine: Machine) -> Setting:
    name = "train.threads"
    if "OMP_NUM_THREADS" in machine.settings:
        return Setting(name, machine.settings["OMP_NUM_THREADS"], "OMP_NUM_THREADS is set")
    if machine.device != "cpu":
        return Setting(name, str(machine.cores), "the card computes")
    if machine.cores == 1:
        return Setting(name, "1", "there is one core")
    reason = "measured at the start of each training: small networks are faster on one"
    return Setting(name, f"1 or {machine.cores}", reason)


def _precision(machine: Machine, speed: Speed | None) -> Setting:
    name = "train.precision"
    if machine.gpus:
        if machine.gpus[0].bf16:
            return Setting(name, "bf16", "this card computes in bf16")
        return Setting(name, "fp32", "this card has no bf16; try train.precision=fp16")
    if machine.device != "cpu":
        return Setting(name, "fp32", f"the safe choice on {machine.device}")
    if "bf16" not in machine.instructions:
        return Setting(name, "fp32", "this processor has no bf16 instructions")
    reason = f"measured at the start of each training; bf16 where a step is {WORTH_IT} × faster"
    if speed is not None:
        gain = speed.gflops["bf16, 1 thread"] / speed.gflops["fp32, 1 thread"]
        reason += f" (bare products of matrices: {gain:.1f} ×)"
    return Setting(name, "fp32 or bf16", reason)


def _warnings(machine: Machine) -> list[str]:
    found = []
    if machine.settings.get("OMP_WAIT_POLICY", "").upper() == "ACTIVE":
        found.append(
            "OMP_WAIT_POLICY is ACTIVE: threads that wait by spinning slow small networks down "
            "many times on a busy machine. Unset it."
        )
    wanted = machine.settings.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > machine.threads:
        found.append(
            f"OMP_NUM_THREADS is {wanted}, but there are {machine.threads} cores: lower it."
        )
    if machine.disk_free_gb < LITTLE_DISK_GB:
        found.append(
            f"{machine.disk_free_gb:.1f} GB are free on this disk. Decoded pictures and sounds "
            "take room: free some, or set data.keep_packs=false."
        )
    if machine.memory_free_gb < 1:
        found.append(f"{machine.memory_free_gb:.1f} GB of memory are free: close something.")
    return found
