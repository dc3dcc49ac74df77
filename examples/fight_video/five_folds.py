"""Five-fold cross-validation of the recipe beside this file, with and without the sound.

    python examples/fight_video/five_folds.py $POLYMODAL_DATA/fight_video

Each fold: two networks for the video, and then two ways to fuse it with the sound, are compared on
a quarter of the training clips. The better ones are trained on all of them, with the sound and
without it, and answer for the clips of the fold. These are seen once, at the end. The intervals
are bootstrap intervals over the 300 answers.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

import polymodal as pm

FOLDS, RESAMPLES = 5, 10_000
NETWORKS: dict[str, dict[str, Any]] = {
    "cnn3d": {},
    "frames": {
        "name": "frames", "motion": "only", "base": 8, "width": 64, "temporal": "mean",
        "dropout": 0.3,
    },
}  # fmt: skip
FUSIONS: dict[str, dict[str, Any]] = {
    "concat": {"name": "concat", "width": 64},
    "ensemble": {"name": "ensemble", "width": 64},
}
# Only the score on the rows held out is wanted, and all others are for training.
BARE = {
    "split": {"validation": 0.0},
    "evaluation": {"single_modalities": "off", "trees": False, "subsets": False, "examples": 0},
    "data": {"workers": 1},
}


def fight(
    rows: list[dict[str, Any]],
    held_out: list[dict[str, Any]],
    *,
    inputs: list[str],
    network: str,
    fusion: str = "concat",
    changes: Mapping[str, Any],
) -> np.ndarray:
    """The probability of a fight for each row held out ``(n,)``, after training on the others."""
    loaded = pm.Recipe.load(Path(__file__).with_name("recipe.yaml")).to_dict()
    columns = {name: loaded["columns"][name] for name in inputs}
    if NETWORKS[network]:
        columns["video"] = columns["video"] | {"encoder": NETWORKS[network]}
    recipe = loaded | BARE | {"columns": columns, "inputs": inputs, "fusion": FUSIONS[fusion]}
    recipe["train"] = {**loaded["train"], "threads": 1, "precision": "fp32", **changes}
    predictor = pm.fit(rows, "label", recipe=recipe, test=held_out)
    answers = predictor.predict(held_out, proba=True)
    return answers["label=fight"].to_numpy()


def accuracy(chances: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Which answers are right ``(n,)``."""
    return (chances > 0.5) == truth


def interval(right: np.ndarray) -> tuple[float, float, float]:
    """A mean, and between what 95 % of its resamples lie."""
    picks = np.random.default_rng(0).integers(0, len(right), (RESAMPLES, len(right)))
    means = right.astype(float)[picks].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(right.mean()), float(low), float(high)


def main() -> None:
    """Cross-validate, and print what came out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder fight_video")
    parser.add_argument("--out", type=Path, help="write the answers here, as JSON")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folds", type=int, default=FOLDS, help="stop after so many of the five")
    options = parser.parse_args()

    rows = table(options.data)
    truth = np.array([row["label"] == "fight" for row in rows])
    changes = {"epochs": options.epochs}
    chances = {"video": np.full(len(rows), np.nan), "video and audio": np.full(len(rows), np.nan)}
    began = time.process_time()
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rows, truth)
    for fold, (train, test) in zip(range(options.folds), folds, strict=False):
        network, fusion = chosen(rows, train, truth, changes=changes)
        for name in chances:
            chances[name][test] = fight(
                [rows[i] for i in train],
                [rows[i] for i in test],
                inputs=name.split(" and "),
                network=network,
                fusion=fusion,
                changes=changes,
            )
        right = {n: accuracy(c[test], truth[test]).mean() for n, c in chances.items()}
        shown = ", ".join(f"{name} {share:.3f}" for name, share in right.items())
        print(
            f"fold {fold + 1}: {network}, {fusion}; {shown}; {time.process_time() - began:.0f} s",
            flush=True,
        )
        if options.out:
            answers = {name: each.tolist() for name, each in chances.items()}
            options.out.write_text(json.dumps({"id": [row["id"] for row in rows], **answers}))
    done = ~np.isnan(chances["video"])
    right = {name: accuracy(c[done], truth[done]) for name, c in chances.items()}
    for name, each in right.items():
        print("{:<32} {:.3f} ({:.3f} to {:.3f})".format(name, *interval(each)))
    worth = right["video and audio"].astype(int) - right["video"].astype(int)
    print("{:<32} {:+.3f} ({:+.3f} to {:+.3f})".format("what the sound adds", *interval(worth)))


def chosen(
    rows: list[dict[str, Any]], train: np.ndarray, truth: np.ndarray, *, changes: Mapping[str, Any]
) -> tuple[str, str]:
    """The network and the fusion with the lower loss on a quarter of the training rows."""
    inner, held_out = train_test_split(train, test_size=0.25, random_state=0, stratify=truth[train])

    def loss(inputs: list[str], network: str, fusion: str = "concat") -> float:
        chances = fight(
            [rows[i] for i in inner],
            [rows[i] for i in held_out],
            inputs=inputs,
            network=network,
            fusion=fusion,
            changes=changes,
        )
        given = np.where(truth[held_out], chances, 1 - chances)
        return float(-np.log(np.clip(given, 1e-6, 1)).mean())

    networks = {name: loss(["video"], name) for name in NETWORKS}
    network = min(networks, key=lambda name: networks[name])
    fusions = {name: loss(["video", "audio"], network, name) for name in FUSIONS}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in (networks | fusions).items())
    print(f"   loss on a quarter of the training clips: {shown}", flush=True)
    return network, min(fusions, key=lambda name: fusions[name])


def table(folder: Path) -> list[dict[str, Any]]:
    """The rows of data.csv, media as absolute paths."""
    found = pm.Table.read(folder / "data.csv")
    columns = {name: found.cells(name) for name in ("id", "video", "audio", "label")}
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    for row in rows:
        for name in ("video", "audio"):
            row[name] = row[name] and str((folder / row[name]).absolute())
    return rows


if __name__ == "__main__":
    main()
