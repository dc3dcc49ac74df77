from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from polymodal.comparison.candidate import Candidate
from polymodal.comparison.contest import Contest
from polymodal.comparison.ledger import NOTHING, VALIDATION, Ledger, save_outcomes
from polymodal.evaluation import Outcome
from polymodal.evaluation.entrant import Kind

ROWS = 200


def outcome(right: np.ndarray) -> Outcome:
    """A class said rightly in these rows."""
    truth = np.zeros(ROWS, np.int64)
    said = np.where(right, 0, 1)
    return Outcome("digit", "classification", truth, said, None, ("a", "b"), np.arange(ROWS))


def contest(folder: Path, right: dict[str, list[np.ndarray]], rows: int = ROWS) -> Contest:
    """A contest in which these were trained to the end, each with so many seeds."""
    ledger = Ledger.open(folder, {})
    for name, seeds in right.items():
        for seed, each in enumerate(seeds):
            ledger.training(name, seed).finished = True
            save_outcomes(
                ledger.place(name, seed) / VALIDATION, {NOTHING: {"digit": outcome(each)}}
            )
    prepared: Any = SimpleNamespace(assessor=SimpleNamespace(validation=np.arange(rows)))
    return Contest(
        prepared, [], [], seeds=range(3), minutes=None, ledger=ledger, tell=lambda line: None
    )


def candidates(*names: str, kind: Kind = "fusion") -> list[Candidate]:
    recipe: Any = None
    return [Candidate(name, kind, recipe, ()) for name in names]


def test_who_is_clearly_behind_gets_no_further_seed(tmp_path: Path) -> None:
    best, close, far = (np.arange(ROWS) < n for n in (180, 177, 120))
    found = contest(tmp_path, {"best": [best], "close": [close], "far": [far]})
    left = found._contenders(candidates("far", "close", "best"), [0])
    assert [c.name for c in left] == ["close", "best"]


def test_an_input_alone_gets_further_seeds_only_where_it_leads(tmp_path: Path) -> None:
    best, close = (np.arange(ROWS) < n for n in (180, 177))
    found = contest(tmp_path / "one", {"fused": [best], "photo": [close]})
    both = [*candidates("fused"), *candidates("photo", kind="alone")]
    assert [c.name for c in found._contenders(both, [0])] == ["fused"]
    found = contest(tmp_path / "two", {"fused": [close], "photo": [best]})
    assert [c.name for c in found._contenders(both, [0])] == ["fused", "photo"]


def test_later_seeds_do_not_change_an_earlier_choice(tmp_path: Path) -> None:
    best, far = np.arange(ROWS) < 180, np.arange(ROWS) < 120
    found = contest(tmp_path, {"best": [best, far], "far": [far, best]})
    assert [c.name for c in found._contenders(candidates("best", "far"), [0])] == ["best"]
    assert len(found._contenders(candidates("best", "far"), [0, 1])) == 2


def test_without_validation_rows_all_get_every_seed(tmp_path: Path) -> None:
    found = contest(tmp_path, {}, rows=0)
    assert len(found._contenders(candidates("a", "b"), [0])) == 2
