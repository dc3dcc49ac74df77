"""`polymodal compare` against training every candidate fully, one after the other, by hand.

Same data, same decoded cells, same seeds, one process, alternating. Two figures: the share of the
time, and how often the fusion that `compare` picks is as good on the test part as the best of all
fully trained candidates.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import pandas
from measuring import EASY_VQA, arguments, figure, title

import polymodal as pm
from polymodal.assessment import Assessor
from polymodal.comparison.candidate import alone, fused
from polymodal.evaluation import Outcome, measure
from polymodal.evaluation.metrics import headline
from polymodal.experiment import Experiment, chosen_recipe
from polymodal.trainer import Trainer

FUSIONS = ["concat", "weighted_sum", "max", "gated", "product", "low_rank", "film", "ensemble"]


def main() -> None:
    options = arguments(
        __doc__, target="answer", inputs="image,question", rows=6000, epochs=12, seeds=2, runs=5
    )
    recipe = {"train": {"epochs": options.epochs, "threads": 1, "precision": "fp32"}}
    title(
        f"compare against all by hand: {options.data.name}, {len(FUSIONS)} fusions and "
        f"{len(options.inputs.split(','))} inputs alone, {options.epochs} epochs, "
        f"{options.seeds} seeds, one thread"
    )
    shares, gaps, picked = [], [], 0
    for run in range(options.runs):
        table = data(options.data, options.rows, run)
        chosen = chosen_recipe(
            {**recipe, "seed": 100 * run}, options.target, options.inputs.split(",")
        )
        with tempfile.TemporaryDirectory() as folder:
            before = time.process_time()
            found = pm.compare(
                table, recipe=chosen, fusions=FUSIONS, seeds=options.seeds, minutes=None,
                out=Path(folder) / "comparison",
            )  # fmt: skip
            ours = time.process_time() - before
            before = time.process_time()
            scores = by_hand(table, chosen, options.seeds, Path(folder) / "by_hand")
            theirs = time.process_time() - before
        best = max(scores, key=scores.__getitem__)
        winner = found.standings.winner  # by validation, whatever is then advised
        shares.append(ours / theirs)
        gaps.append(scores[best] - scores[winner])
        picked += gaps[-1] <= 0.005
        print(
            f"run {run}: picked {winner} ({scores[winner]:.4f}), best by hand {best} "
            f"({scores[best]:.4f}); {ours:.0f} against {theirs:.0f} CPU-s\n   {found.sentence}\n   "
            + ", ".join(f"{n} {s:.4f}" for n, s in sorted(scores.items(), key=lambda x: -x[1])),
            flush=True,
        )
    figure("time of compare / time of all by hand", float(np.median(shares)), "x", most=0.35)
    figure("runs whose pick is within half a point of the best", picked, least=0.8 * options.runs)
    figure("median gap to the best", 100 * float(np.median(gaps)), "points")


def data(path: Path, rows: int, seed: int) -> object:
    """A table; of the shipped one that many training questions, drawn by the seed."""
    if path != EASY_VQA:
        return path
    frame = pandas.read_parquet(path)
    train = frame[frame["split"] == "train"].sample(rows, random_state=seed)
    return frame.loc[train.index.union(frame.index[frame["split"] == "test"])]


def by_hand(table: object, recipe: pm.Recipe, seeds: int, folder: Path) -> dict[str, float]:
    """Each candidate's test score, the mean over seeds, every training to its end."""
    run = Experiment(table, recipe, out=folder / "run")
    run.prepare()
    model = run.build()
    branches = {name: tuple(columns) for name, columns in model.columns.items()}
    assessor = Assessor(run.dataset, run.pack, run.modalities, recipe=run.recipe)
    asked = recipe.model_copy(update={"train": run.recipe.train})
    scores: dict[str, list[float]] = {}
    for candidate in [*fused(asked, branches, FUSIONS), *alone(asked, branches)]:
        for seed in range(run.recipe.seed, run.recipe.seed + seeds):
            trainer = Trainer(run.dataset, run.pack, run.modalities, seed=seed)
            model = trainer.build(candidate.recipe, candidate.columns)
            place = folder / candidate.name / str(seed)
            place.mkdir(parents=True)
            trainer.fit(model, run.recipe.train, directory=place)
            said = assessor.outcomes(model, assessor.test)
            scores.setdefault(candidate.name, []).append(mean_score(said))
    return {name: float(np.mean(found)) for name, found in scores.items()}


def mean_score(outcomes: dict[str, Outcome]) -> float:
    return float(np.mean([measure(one)[headline(one)] for one in outcomes.values()]))


if __name__ == "__main__":
    main()
