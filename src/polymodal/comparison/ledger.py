"""What a comparison has found so far, on disk: it goes on from there after a kill."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.errors import RunError
from polymodal.evaluation import Outcome
from polymodal.files import write_file

LEDGER, CANDIDATES = "ledger.json", "candidates"
OUTCOMES, VALIDATION = "outcomes.npz", "validation.npz"
NOTHING = ""
"""In place of a branch that is hidden: nothing is."""


@dataclass
class Training:
    """One candidate's training with one seed.

    Args:
        epochs: done so far.
        validation: the best validation score so far.
        loss: the validation loss of that epoch, which decides between equal scores.
        seconds: it took.
        finished: whether it is at its end.
        history: for each epoch its number and its validation metric.
    """

    epochs: int = 0
    validation: float = float("nan")
    loss: float = float("nan")
    seconds: float = 0.0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Size:
    """What a candidate costs in use.

    Args:
        parameters: numbers that were learned, or came pretrained.
        prediction_ms: time of one row alone, the median, in milliseconds.
        rows_per_second: rows answered in batches.
    """

    parameters: int
    prediction_ms: float
    rows_per_second: float


@dataclass
class Ledger:
    """Everything that must not be done again.

    Args:
        setting: what was asked for; a comparison goes on only under the same.
        directory: where it is kept.
        epochs: of a full training; 0 while that is not known.
        seconds: the comparison took so far.
        costs: candidate -> seconds of one epoch, as measured at the start.
        refused: fusion -> why these inputs cannot be fused so.
        rungs: for each stage that is over: epochs, the candidates that entered and that were kept.
        trainings: candidate -> seed -> its training.
        sizes: candidate -> what it costs in use.
    """

    setting: dict[str, Any]
    directory: Path
    epochs: int = 0
    seconds: float = 0.0
    costs: dict[str, float] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    rungs: list[dict[str, Any]] = field(default_factory=list)
    trainings: dict[str, dict[int, Training]] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)

    @classmethod
    def open(cls, directory: Path, setting: Mapping[str, Any]) -> Ledger:
        """The ledger of a directory, or a new one.

        Raises:
            RunError: it is damaged, or that of another comparison.
        """
        asked: dict[str, Any] = json.loads(json.dumps(setting))
        path = directory / LEDGER
        if not path.exists():
            return cls(asked, directory)
        try:
            found = json.loads(path.read_text("utf-8"))
            then = found["setting"]
            trainings = {
                name: {int(seed): Training(**one) for seed, one in seeds.items()}
                for name, seeds in found.pop("trainings").items()
            }
            sizes = {name: Size(**one) for name, one in found.pop("sizes").items()}
            ledger = cls(**found, directory=directory, trainings=trainings, sizes=sizes)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{path} is damaged ({error!r}): start the comparison anew with --overwrite."
            ) from error
        changes = [
            f"{name}: {then.get(name)!r} then, {asked[name]!r} now"
            for name in asked
            if then.get(name) != asked[name]
        ]
        if changes:
            raise RunError(
                f"The comparison in {str(directory)!r} cannot go on with other settings "
                f"({'; '.join(changes)}). Take the old ones, or another directory."
            )
        return ledger

    def save(self) -> None:
        """Write it, whole or not at all."""
        content = asdict(self)
        del content["directory"]
        self.directory.mkdir(parents=True, exist_ok=True)
        write_file(self.directory / LEDGER, json.dumps(content, ensure_ascii=False, indent=1))

    def training(self, name: str, seed: int) -> Training:
        """A candidate's training with a seed, new if there was none."""
        return self.trainings.setdefault(name, {}).setdefault(seed, Training())

    def place(self, name: str, seed: int) -> Path:
        """Where a candidate's training with a seed has its files."""
        digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        readable = re.sub(r"[^A-Za-z0-9_]+", "-", name)[:30]
        return self.directory / CANDIDATES / f"{readable}-{digest}" / f"seed-{seed}"


def save_outcomes(path: Path, outcomes: Mapping[str, Mapping[str, Outcome]]) -> None:
    """Write what a candidate said, with nothing hidden and with each branch hidden.

    Args:
        path: the file (NumPy's npz, without pickles).
        outcomes: hidden branch (or :data:`NOTHING`) -> target -> outcome.
    """
    arrays: dict[str, np.ndarray] = {}
    facts: list[dict[str, Any]] = []
    for hidden, named in outcomes.items():
        for target, outcome in named.items():
            key = str(len(facts))
            facts.append(
                {
                    "hidden": hidden,
                    "target": target,
                    "task": outcome.task,
                    "labels": outcome.labels,
                    "log": outcome.log,
                }
            )
            for part in ("truth", "answer", "rows", "probabilities", "scores", "surprise"):
                array = getattr(outcome, part)
                if array is not None:
                    arrays[f"{key}/{part}"] = array

    def write(target: Path) -> None:
        with target.open("wb") as file:
            np.savez(file, facts=np.array(json.dumps(facts)), allow_pickle=False, **arrays)

    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, write)


def load_outcomes(path: Path) -> dict[str, dict[str, Outcome]]:
    """Read what :func:`save_outcomes` wrote."""
    found: dict[str, dict[str, Outcome]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key, fact in enumerate(json.loads(str(arrays["facts"]))):

            def part(name: str, key: int = key) -> Any:
                return arrays.get(f"{key}/{name}")

            found.setdefault(fact["hidden"], {})[fact["target"]] = Outcome(
                fact["target"],
                fact["task"],
                part("truth"),
                part("answer"),
                part("probabilities"),
                tuple(fact["labels"]),
                part("rows"),
                fact["log"],
                part("scores"),
                part("surprise"),
            )
    return found
