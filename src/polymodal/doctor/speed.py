"""How fast this machine is: arithmetic, memory, decoding, disk; some seconds in all."""

from __future__ import annotations

import io
import os
import tempfile
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from polymodal.data.modalities.audio import Audio
from polymodal.data.modalities.image import Image
from polymodal.training.precision import cpu_has_bf16
from polymodal.training.threads import physical_cores
from polymodal.training.trial import seconds_per_step

SIZE = 1024
"""Of the matrices that are multiplied."""
COPIED_BYTES = 1 << 27
WRITTEN_BYTES = 1 << 26
PICTURE = (480, 640, 3)
RATE, SECONDS_OF_SOUND = 16_000, 5


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Args:
        gflops: (precision, CPU threads) in words -> billions of operations per second in products
            of matrices; on a graphics card its name in place of the threads.
        memory_gb_per_second: read and written when a large array is copied.
        pictures_per_second: JPEG of 640 × 480 brought to 224 × 224, by one thread.
        recordings_per_second: five seconds of 16 kHz WAV to a log-mel spectrogram, by one thread.
        disk_write_mb_per_second: until it is safe on the disk of the working folder.
        disk_read_mb_per_second: read back; more than the disk can do where the system kept it.
    """

    gflops: dict[str, float]
    memory_gb_per_second: float
    pictures_per_second: float
    recordings_per_second: float
    disk_write_mb_per_second: float
    disk_read_mb_per_second: float


def measure_speed(folder: Path = Path()) -> Speed:
    """Measure this machine; other programs that run meanwhile make it slower.

    Args:
        folder: on whose disk a file of 64 MB is written and removed.

    Raises:
        OSError: it cannot be written.
    """
    write, read = _disk(folder)
    with _threads(1):
        return Speed(
            gflops=_products(),
            memory_gb_per_second=_copying(),
            pictures_per_second=_decoding(Image(size=224), _jpeg()),
            recordings_per_second=_decoding(Audio(), _wav()),
            disk_write_mb_per_second=write,
            disk_read_mb_per_second=read,
        )


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _copying() -> float:
    source = torch.ones(COPIED_BYTES // 4)
    copy = torch.empty_like(source)
    with _threads(physical_cores()):
        return 2 * COPIED_BYTES / seconds_per_step(lambda: copy.copy_(source)) / 1e9


def _products() -> dict[str, float]:
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        if name == "bf16" and not cpu_has_bf16():
            continue
        matrix = torch.rand(SIZE, SIZE, dtype=kind)
        for count in sorted({1, physical_cores()}):
            with _threads(count):
                seconds = seconds_per_step(lambda m=matrix: m @ m)  # type: ignore[misc]
            found[f"{name}, {count} thread{'s' * (count > 1)}"] = 2 * SIZE**3 / seconds / 1e9
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is not None:
        large = torch.rand(4 * SIZE, 4 * SIZE, device=accelerator)

        def product() -> None:
            large @ large
            torch.accelerator.synchronize()

        found[f"fp32, {accelerator}"] = 2 * (4 * SIZE) ** 3 / seconds_per_step(product) / 1e9
    return found


def _decoding(modality: Image | Audio, cell: bytes) -> float:
    modality.fit([cell])
    decode: Callable[[], object] = lambda: modality.decode(cell)  # noqa: E731
    return 1 / seconds_per_step(decode, most=20)


def _jpeg() -> bytes:
    """A picture with edges and some grain, as photographs have."""
    from PIL import Image as Picture

    height, width, _ = PICTURE
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 40, width // 40, 3), np.uint8)
    picture = Picture.fromarray(coarse).resize((width, height), Picture.Resampling.BICUBIC)
    grain = rng.normal(0, 8, PICTURE)
    shown = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Picture.fromarray(shown).save(file, "JPEG", quality=90)
    return file.getvalue()


def _wav() -> bytes:
    rng = np.random.default_rng(0)
    samples = (3000 * rng.normal(size=RATE * SECONDS_OF_SOUND)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        sound.writeframes(samples.tobytes())
    return file.getvalue()


def _disk(folder: Path) -> tuple[float, float]:
    """Megabytes per second, written and read."""
    content = np.random.default_rng(0).bytes(WRITTEN_BYTES)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".polymodal-") as file:
        before = time.perf_counter()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        written = time.perf_counter() - before
        if hasattr(os, "posix_fadvise"):  # or it would come from memory
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        before = time.perf_counter()
        file.read()
        return WRITTEN_BYTES / written / 1e6, WRITTEN_BYTES / (time.perf_counter() - before) / 1e6
