"""Measure trained runs in clear weather, in fog and in rain, and print the tables of the README.

    python examples/driving_perception/measure.py scenes/ all=runs/driving camera=runs/camera

The first run is compared with each of the others on the same scenes. Intervals are of 95 %, from
1,000 resamples of the scenes; those of differences are paired.
"""

import argparse
from pathlib import Path

import numpy as np

import polymodal as pm

WEATHERS = {"clear": "clear", "fog": "fog", "rain": "rain", "fog and rain": ""}
RESAMPLES = 1000


def table_of(scenes: Path, weather: str) -> pm.Table:
    """The test scenes in a weather; camera in fog and points in rain make fog and rain."""
    if WEATHERS[weather]:
        return pm.Table.read(scenes / f"test_{WEATHERS[weather]}.csv")
    fog, rain = (pm.Table.read(scenes / f"test_{name}.csv") for name in ("fog", "rain"))
    return pm.Table({**rain.columns, "camera": fog.column("camera")}, folder=scenes.absolute())


def answered(run: pm.Predictor, table: pm.Table) -> tuple[np.ndarray, np.ndarray]:
    """Of each scene: whether the object is right, and by how many metres the distance is wrong."""
    said = run.predict(table)
    truth = np.array(table.cells("distance"), float)
    right = said["object"].to_numpy() == np.array(table.cells("object"))
    return right.astype(float), np.abs(said["distance"].to_numpy(float) - truth)


def said(values: np.ndarray, digits: int, sign: str = "") -> str:
    """A mean and its interval in words."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    mean, low, high = (f"{number:{sign}.{digits}f}" for number in (values.mean(), low, high))
    return f"{mean} ({low} … {high})"


def line(name: str, cells: list[str]) -> str:
    """A row of a table."""
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Print accuracies, errors of distance, and differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", type=Path, help="the folder that make_scenes.py wrote")
    parser.add_argument("runs", nargs="+", help="NAME=RUN, that of all inputs first")
    options = parser.parse_args()
    runs = {name: pm.load(path) for name, path in (pair.split("=", 1) for pair in options.runs)}
    first = next(iter(runs))
    found = {
        weather: {
            name: answered(run, table_of(options.scenes, weather)) for name, run in runs.items()
        }
        for weather in WEATHERS
    }
    others = list(runs)[1:]
    for place, (title, digits) in enumerate((("accuracy", 3), ("error of distance in m", 2))):
        rows = {name: {w: found[w][name][place] for w in WEATHERS} for name in runs}
        print("\n" + line(title, list(WEATHERS)))
        print("|---" * (1 + len(WEATHERS)) + "|")
        for name, values in rows.items():
            print(line(name, [said(values[w], digits) for w in WEATHERS]))
        for name in others:
            differences = [said(rows[first][w] - rows[name][w], digits, "+") for w in WEATHERS]
            print(line(f"{first} − {name}", differences))


if __name__ == "__main__":
    main()
