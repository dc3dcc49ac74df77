"""A table of every kind of input, as files on disk: scikit-learn's digits 0 to 3, drawn and sung.

The digit is in the picture and in the sound. The sentence, the number, the category and the tags
say something about it each. A few cells are missing or broken, always in the same rows.
"""

import csv
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 120
RATE = 4000
NAMES = ("nought", "one", "two", "three")
INPUTS = ["photo", "sound", "says", "ink", "hand", "traits"]
TARGETS = ["digit", "price", "kinds"]

BROKEN_PHOTOS = {3: "missing", 5: "zero-byte", 7: "truncated", 9: "mislabelled", 11: "not there"}
BROKEN_SOUNDS = {4: "missing", 5: "zero-byte", 8: "truncated", 10: "mislabelled", 12: "not there"}
BROKEN_INK = {6: "inf", 13: "", 14: "-inf"}
EMPTY = {"says": 15, "hand": 16, "traits": 17}

# Small parts, nothing measured: a training of a second or two.
SMALL: dict[str, Any] = {
    "columns": {
        "photo": {"encoder": {"name": "cnn", "width": 16, "base": 8}},
        "sound": {"encoder": {"name": "cnn", "width": 16, "base": 4}},
        "says": {"encoder": {"name": "bag_of_tokens", "width": 16}},
    },
    "tabular": {"name": "mlp", "width": 16},
    "fusion": {"name": "concat", "width": 16},
    "train": {
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.01,
        "precision": "fp32",
        "threads": 1,
        "tensorboard": False,
    },
    "evaluation": {
        "resamples": 40,
        "subsets": False,
        "single_modalities": "off",
        "trees": False,
        "examples": 2,
    },
    "data": {"workers": 1},
}


def small(**changes: Any) -> dict[str, Any]:
    """The small recipe with sections changed: ``small(train={"epochs": 1}, fusion="mean")``."""
    recipe = deepcopy(SMALL)
    for name, value in changes.items():
        old = recipe.get(name)
        replaced = name in ("fusion", "tabular") or not isinstance(old, dict)
        recipe[name] = value if replaced else {**old, **value}
    return recipe


def only(*columns: str, **changes: Any) -> dict[str, Any]:
    """The small recipe for some of the input columns."""
    recipe = small(**changes)
    kept = {name: options for name, options in recipe["columns"].items() if name in columns}
    return {**recipe, "columns": kept, "inputs": list(columns)}


def make_table(folder: Path) -> list[dict[str, Any]]:
    """Write the files and ``table.csv`` into a folder; the rows as they stand in it."""
    import soundfile
    from PIL import Image
    from sklearn.datasets import load_digits

    (folder / "photos").mkdir(parents=True)
    (folder / "sounds").mkdir()
    pixels, digits = load_digits(return_X_y=True)
    pixels, digits = pixels[digits < 4][:ROWS], digits[digits < 4][:ROWS]
    rng = np.random.default_rng(0)
    rows = []
    for i, (picture, digit) in enumerate(zip(pixels.reshape(-1, 8, 8), digits, strict=True)):
        photo, sound = f"photos/{i:03}.png", f"sounds/{i:03}.wav"
        grey = (picture * 255 / 16).astype(np.uint8)
        Image.fromarray(grey).save(folder / photo)
        time = np.arange(int(RATE * rng.uniform(0.06, 0.1))) / RATE
        tone = 0.4 * np.sin(2 * np.pi * (300 + 300 * digit) * time)
        soundfile.write(folder / sound, tone + rng.normal(0, 0.1, len(time)), RATE)
        even, small = digit % 2 == 0, digit < 2
        english = f"It is an {'even' if even else 'odd'} one, the {i}th."
        chinese = f"这是一个{'偶数' if even else '奇数'}，第{i}个。"
        traits = [t for t, on in [("even", even), ("small", small), ("bright", i % 3 == 0)] if on]
        rows.append(
            {
                "photo": photo,
                "sound": sound,
                "says": chinese if i % 2 else english,
                "ink": round(float(picture.mean()) + rng.normal(0, 0.1), 3),
                "hand": rng.choice(["left", "right", "both"]).item(),
                "traits": ";".join(traits) or "plain",
                "digit": NAMES[digit],
                "price": round(10.0 * digit + rng.normal(0, 1) + 50, 2),
                "kinds": "|".join(["low" if small else "high", *(["even"] if even else [])]),
            }
        )
    for column, defects in (("photo", BROKEN_PHOTOS), ("sound", BROKEN_SOUNDS)):
        for row, defect in defects.items():
            break_file(folder / rows[row][column], defect)
            if defect == "missing":
                rows[row][column] = ""
    for row, text in BROKEN_INK.items():
        rows[row]["ink"] = text
    for column, row in EMPTY.items():
        rows[row][column] = ""
    write_csv(folder / "table.csv", rows)
    return rows


def break_file(file: Path, defect: str) -> None:
    """Spoil a file of a picture or a sound."""
    content = file.read_bytes()
    other = "sounds/000.wav" if file.suffix == ".png" else "photos/000.png"
    file.unlink()
    if defect == "zero-byte":
        file.write_bytes(b"")
    elif defect == "truncated":
        file.write_bytes(content[: 60 if file.suffix == ".png" else 30])
    elif defect == "mislabelled":
        file.write_bytes((file.parent.parent / other).read_bytes())


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
