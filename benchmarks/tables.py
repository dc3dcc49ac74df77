"""The tables the benchmarks make: always the same for the same seed."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SHAPES = ("a square", "a circle", "a cross", "a ring")


def pictures_table(folder: Path, rows: int, *, size: int = 64, seed: int = 0) -> Path:
    """Random pictures, a sentence and two numbers that tell a little about the class."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    table = []
    for row in range(rows):
        kind = int(rng.integers(4))
        coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
        coarse[2:6, 2:6, kind % 3] = 255 if kind < 3 else 0
        name = f"images/{row}.png"
        Image.fromarray(coarse).resize((size, size), Image.Resampling.NEAREST).save(folder / name)
        said = SHAPES[kind if rng.random() < 0.7 else int(rng.integers(4))]
        sentence = f"it looks like {said} of size {int(rng.integers(100))}"
        numbers = kind + rng.normal(size=2)
        table.append([name, sentence, *(f"{n:.3f}" for n in numbers), f"kind {kind}"])
    return _write(folder, ["image", "sentence", "width", "height", "kind"], table)


def digits_table(folder: Path, *, seed: int = 0) -> Path:
    """scikit-learn's 1,797 digits as noisy 64 × 64 PNG files, a sentence, two numbers.

    The sentence says whether the digit is odd and whether it is above four, wrongly once in four
    times each; the numbers are the digit and its square with much noise. 80 % are for training
    (of which a tenth is validation), split by the seed.
    """
    from sklearn.datasets import load_digits  # 140 MB that no other table should cost

    digits = load_digits()
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    part = np.array(["train"] * len(digits.target), dtype="<U10")
    order = rng.permutation(len(part))
    part[order[: len(part) // 5]] = "test"
    part[order[len(part) // 5 :][: len(part) * 8 // 100]] = "validation"
    table = []
    for row, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        noisy = np.clip(pixels * 16 + rng.normal(0, 90, pixels.shape), 0, 255).astype(np.uint8)
        name = f"images/{row}.png"
        Image.fromarray(noisy).resize((64, 64), Image.Resampling.NEAREST).save(folder / name)
        odd, large = (bool(fact) ^ (rng.random() < 0.25) for fact in (digit % 2, digit > 4))
        sentence = f"{'an odd' if odd else 'an even'} number, {'large' if large else 'small'} it is"
        numbers = digit + rng.normal(0, 4), digit**2 + rng.normal(0, 40)
        table.append([part[row], name, sentence, *(f"{n:.3f}" for n in numbers), f"d{digit}"])
    return _write(folder, ["split", "image", "sentence", "first", "second", "label"], table)


def _write(folder: Path, header: list[str], table: list[list[str]]) -> Path:
    path = folder / "table.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *table])
    return path
