"""``polymodal doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from polymodal.cli.arguments import AsJson

if TYPE_CHECKING:
    from rich.console import Console

    from polymodal.doctor.diagnosis import Diagnosis
    from polymodal.doctor.fitness import Fitness


def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run: does it run here, how fast?")] = None,
    folder: Annotated[Path, typer.Option(help="On whose disk runs will be written.")] = Path(),
    measure: Annotated[bool, typer.Option(help="Measure speeds, which takes seconds.")] = True,
    json_: AsJson = False,
) -> None:
    """Show what this machine is, how fast, and which settings will be chosen on it.

    Examples:
        polymodal doctor

        polymodal doctor runs/mine
    """
    from rich.console import Console

    from polymodal.doctor.diagnosis import diagnose

    found = diagnose(run, folder=folder, measure=measure)
    if json_:
        import json

        print(json.dumps(found.to_dict(), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False)
    _show_machine(console, found)
    _show_speed(console, found)
    rows = [(s.name, s.value, s.reason) for s in found.settings]
    _table(console, "What polymodal will choose", rows, ("option", "value", "why"))
    _show_packages(console, found)
    for warning in found.warnings:
        console.print(f"[yellow]warning:[/] {warning}")
    if found.run is not None:
        _show_fitness(console, found.run, str(run), free=found.machine.memory_free_gb)


def _table(
    console: Console, title: str, rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ("", "")
) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_header=any(head))
    for name in head:
        table.add_column(name)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _show_machine(console: Console, found: Diagnosis) -> None:
    machine = found.machine
    rows = [
        ("system", machine.system),
        ("Python", machine.python),
        ("processor", machine.processor),
        ("instructions", ", ".join(machine.instructions)),
        ("cores", f"{machine.cores} ({machine.threads} threads)"),
        ("memory", f"{machine.memory_gb:.1f} GB, {machine.memory_free_gb:.1f} GB free"),
        ("disk", f"{machine.disk_free_gb:.1f} GB free"),
        ("device", machine.device),
    ]
    for gpu in machine.gpus:
        rows.append(("card", f"{gpu.name}, {gpu.memory_gb:.1f} GB, driver {machine.driver}"))
    rows += [(name, value) for name, value in machine.settings.items()]
    _table(console, "Machine", rows)


def _show_speed(console: Console, found: Diagnosis) -> None:
    speed = found.speed
    if speed is None:
        return
    rows = [
        (f"products of matrices, {name}", f"{value:,.0f} GFLOP/s")
        for name, value in speed.gflops.items()
    ]
    rows += [
        ("memory", f"{speed.memory_gb_per_second:.1f} GB/s"),
        ("pictures, 640 × 480 JPEG → 224", f"{speed.pictures_per_second:,.0f} a second and core"),
        ("recordings, 5 s → spectrogram", f"{speed.recordings_per_second:,.0f} a second and core"),
        ("disk, write", f"{speed.disk_write_mb_per_second:,.0f} MB/s"),
        ("disk, read", f"{speed.disk_read_mb_per_second:,.0f} MB/s"),
    ]
    _table(console, "Measured", rows)


def _show_packages(console: Console, found: Diagnosis) -> None:
    rows = [(name, version) for name, version in found.versions.items()]
    for extra in found.extras:
        here = ", ".join(f"{name} {version}" for name, version in extra.found.items())
        lacking = f"lacks {', '.join(extra.lacking)}" if extra.lacking else ""
        rows.append((f"polymodal[{extra.name}]", "; ".join(filter(None, (here, lacking)))))
    rows.append(("models by name", found.hub))
    _table(console, "Packages", rows)


def _show_fitness(console: Console, one: Fitness, run: str, *, free: float) -> None:
    rows = [
        ("parameters", f"{one.parameters:,} ({one.weights_mb:,.1f} MB)"),
        ("operations of a row", f"{one.flops / 1e6:,.1f} million"),
        ("reading it", f"{one.load_seconds:.2f} s"),
        ("one row", f"{one.row_ms:,.1f} ms"),
        ("a batch of 32", f"{one.batch_ms:,.1f} ms: {one.rows_per_second:,.0f} rows a second"),
        ("memory of the process", f"{one.memory_mb:,.0f} MB, of {1000 * free:,.0f} MB free"),
    ]
    _table(console, f"{run} on {one.device}", rows)
    console.print(
        "Made-up rows with every input, as long as the model takes; reading files comes on top."
    )
