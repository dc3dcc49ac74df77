"""Every fusion and every input alone, compared on each real set; the tables of docs/benchmarks.md.

    python benchmarks/fusion_family.py --data $POLYMODAL_DATA --sets emoji,houses

The epochs are set, not the minutes, so that the result does not hang on the machine. One thread.
What a set needs beside its folder is made into `runs/fusion_family/data`. A comparison that was
stopped goes on when the same command is given again; one that is done is only printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas

import polymodal as pm
from polymodal.evaluation.standings import Standings

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES, OUT = ROOT / "examples", ROOT / "runs" / "fusion_family"


@dataclass(frozen=True)
class Case:
    """A set of data.

    Args:
        table: beside the data folder; beside the examples where it begins with "examples/"; or
            made by ``script`` where there is one.
        recipe: of the example.
        script: makes the table from the data folder's ``source``.
        source: see ``script``.
        prepare: a script that has to run before, likewise.
        epochs: of a full training.
        seeds: of the finalists.
        most: training rows; of more, so many are drawn.
    """

    table: str
    recipe: str
    script: str = ""
    source: str = ""
    prepare: str = ""
    epochs: int = 12
    seeds: int = 2
    most: int = 0


CASES = {
    "houses": Case("houses_image_tabular/data.csv", "houses_image_tabular"),
    "cxr": Case("cxr_image_tabular_text/data.csv", "cxr_image_tabular_text"),
    "emoji": Case("emoji_bilingual/data.csv", "emoji_bilingual"),
    "digits": Case("digits_multi/data.csv", "digits_multi"),
    "digits_noisy": Case(
        "data.csv",
        "digits_multi_noisy",
        "digits_multi_noisy/make_noisy.py",
        "digits_multi",
    ),
    "av_mnist_like": Case(
        "data.csv", "av_mnist_like", "av_mnist_like/make_handicapped.py", "digits_multi"
    ),
    "digits_four": Case(
        "four.csv",
        "digits_four",
        "digits_four/make_table.py",
        "digits_multi",
        prepare="digits_multi_noisy/make_noisy.py",
    ),
    "fight_video": Case("fight_video/data.csv", "fight_video"),
    "har": Case("uci_har_sensors/data.csv", "uci_har_sensors"),
    "easy_vqa": Case("examples/easy_vqa/easy_vqa.parquet", "easy_vqa", epochs=8, most=6_000),
    "slake": Case("slake/data.csv", "slake", epochs=4),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("POLYMODAL_DATA"))
    parser.add_argument("--sets", default=",".join(CASES), help="which, as a,b,c")
    options = parser.parse_args()
    if options.data is None:
        parser.error("name the folder of the data sets: --data DIR, or POLYMODAL_DATA")
    found = {}
    for name in options.sets.split(","):
        found[name] = compared(name, CASES[name], options)
        print(markdown(name, found[name]), flush=True)
    print(overview(found))


def compared(name: str, case: Case, options: argparse.Namespace) -> Standings:
    """The comparison of a set, done now or before."""
    out = OUT / name
    done = out / "comparison.json"
    if not done.exists():
        recipe = pm.Recipe.load(EXAMPLES / case.recipe / "recipe.yaml")
        pm.compare(
            table(name, case, Path(options.data)),
            recipe=recipe.override([f"train.epochs={case.epochs}", "train.threads=1"]),
            seeds=case.seeds,
            minutes=None,
            out=out,
            resume=out.exists(),
            tell=lambda line: print(f"[{name}] {line}", file=sys.stderr, flush=True),
        )
    return Standings.from_dict(json.loads(done.read_text("utf-8")))


def table(name: str, case: Case, data: Path) -> Path:
    folder = OUT / "data" / name
    if not case.script:
        place = ROOT / case.table if case.table.startswith("examples/") else data / case.table
        return fewer(place, folder, case.most) if case.most else place
    if not (folder / case.table).exists():
        for script in filter(None, (case.prepare, case.script)):
            command = [sys.executable, EXAMPLES / script, data / case.source, folder]
            subprocess.run(command, check=True)
    return folder / case.table


def fewer(place: Path, folder: Path, most: int) -> Path:
    """The same Parquet table with so many training rows."""
    path = folder / place.name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        frame = pandas.read_parquet(place)
        train = frame[frame["split"] == "train"]
        kept = train.sample(most, random_state=0).index
        frame.drop(train.index.difference(kept)).to_parquet(path)
    return path


def markdown(name: str, found: Standings) -> str:
    """The comparison as a table of a documentation page."""
    hidden = found.branches
    head = ["", found.metric(), "95 %", *(f"without {branch}" for branch in hidden)]
    head += ["parameters", "training s", "a row, ms", "epochs"]
    lines = [f"\n### {name}\n", f"{found.sentence()}\n", _line(head), _line(["---"] * len(head))]
    for one in found.standings:
        without = (one.without[b].mean.words if b in one.without else "" for b in hidden)
        cells = [
            f"**{one.name}**" if one.name == found.winner else one.name,
            one.score.words,
            one.score.span,
            *without,
            f"{one.parameters:,}",
            f"{one.training_seconds:.0f}",
            f"{one.prediction_ms:.1f}",
            str(one.epochs) if one.finished else f"{one.epochs} of {one.of_epochs}",
        ]
        lines.append(_line(cells))
    return "\n".join(lines)


def overview(found: dict[str, Standings]) -> str:
    """A line for each set: the best input alone beside the best fusion, both by validation."""
    head = ["data", "score", "best input alone", "best fusion", "better by", "advice"]
    lines = ["", _line(head), _line(["---"] * len(head))]
    for name, one in found.items():
        ranked = [one[one.winner], *one.rivals]
        alone = next(s for s in ranked if s.kind == "alone")
        fused = next(s for s in ranked if s.kind == "fusion")
        cells = [name, one.metric()]
        cells += [f"`{s.name}` {s.score.words} ({s.score.span})" for s in (alone, fused)]
        gap = one.gaps.get(alone.name) if one.winner == fused.name else None
        if one.winner == alone.name:
            gap = one.gaps[fused.name]
            gap = type(gap)(-gap.value, -gap.high, -gap.low)
        cells.append("" if gap is None else f"{gap.words} ({gap.span})")
        lines.append(_line([*cells, f"`{one.advice().use}`"]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
