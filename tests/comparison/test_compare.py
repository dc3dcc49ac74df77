"""Whole comparisons of a small table."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import polymodal as pm
from polymodal.comparison.comparison import PAGE, RESULT, WINNER
from polymodal.errors import RecipeError, RunError
from polymodal.training.learner import Learner
from small_table import only

FUSIONS = ["concat", "mean", "gated", STACKING := "stacking"]


@pytest.fixture(scope="module")
def compared(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> pm.Comparison:
    """A finished comparison."""
    return run(small_folder, tmp_path_factory.mktemp("compared") / "out")


def run(folder: Path, out: Path, **changes: Any) -> pm.Comparison:
    options: dict[str, Any] = {"fusions": FUSIONS, "seeds": 2, "minutes": None, "out": out}
    recipe = only("photo", "says", "ink", train={"epochs": 4})
    return pm.compare(folder / "table.csv", "digit", recipe=recipe, **options | changes)


def test_every_candidate_is_measured(compared: pm.Comparison) -> None:
    found = {row.name: row for row in compared.standings.standings}
    assert set(found) == {*FUSIONS, "photo", "says", "tabular", "boosted_trees"}
    finished = [name for name in FUSIONS if found[name].finished]
    assert len(finished) == 2
    for name, row in found.items():
        assert row.parameters > 0 and row.training_seconds > 0 and row.prediction_ms > 0, name
        assert (row.epochs < row.of_epochs) == (not row.finished), name
        robust = row.kind != "alone" and row.finished
        hidden = {"photo", "says", "tabular"} if robust else set()
        assert set(row.without) == hidden, name
    assert all(found[name].finished for name in ("photo", "says", "tabular"))


def test_the_winner_is_a_run(compared: pm.Comparison, small_rows: list[dict[str, Any]]) -> None:
    predictor = compared.predictor()
    assert len(predictor.predict(small_rows[:3])) == 3
    row = next(r for r in compared.standings.standings if r.name == compared.winner)
    if row.kind == "fusion":
        assert predictor.run.recipe.fusion.name in (compared.winner, "ensemble")
    assert (compared.directory / WINNER / "report.html").exists()


def test_its_answers_can_be_kept(compared: pm.Comparison) -> None:
    assert compared.winner in compared.sentence
    assert compared.sentence in str(compared)
    assert "boosted" in compared.page.read_text("utf-8")
    assert {path.name for path in compared.directory.iterdir()} >= {PAGE, RESULT, WINNER}
    json.loads((compared.directory / RESULT).read_text("utf-8"))


class Killed(BaseException):
    """As if the process were gone."""


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Ends everything after so many steps of training."""
    step, left = Learner.step, [0]

    def counted(self: Learner, *arguments: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise Killed
        return step(self, *arguments)

    monkeypatch.setattr(Learner, "step", counted)

    def set_steps(steps: int) -> None:
        left[0] = steps

    yield set_steps


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same_end(
    compared: pm.Comparison,
    small_folder: Path,
    tmp_path: Path,
    killing: Callable[[int], None],
) -> None:
    found, kills = None, 0
    while found is None:
        killing(40)
        try:
            found = run(small_folder, tmp_path / "out", resume=(tmp_path / "out").exists())
        except Killed:
            kills += 1
    assert kills > 2
    assert found.winner == compared.winner
    for one, other in zip(found.standings.standings, compared.standings.standings, strict=True):
        assert (one.name, one.epochs, one.finished) == (other.name, other.epochs, other.finished)
        assert one.validation == pytest.approx(other.validation, nan_ok=True)
        assert one.scores == other.scores
        assert one.without == other.without


def test_a_directory_is_not_overwritten(compared: pm.Comparison, small_folder: Path) -> None:
    with pytest.raises(RunError, match="not empty"):
        run(small_folder, compared.directory)
    with pytest.raises(RunError, match="is finished"):
        run(small_folder, compared.directory, resume=True)


def test_what_is_no_comparison_is_not_overwritten(small_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    with pytest.raises(RunError, match=r"thesis\.txt"):
        run(small_folder, tmp_path, overwrite=True)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fusions": "gatd"}, "no fusion 'gatd'"),
        ({"seeds": 0}, "seeds is 0"),
        ({"minutes": -1.0}, "minutes is -1"),
    ],
)
def test_wrong_options(
    small_folder: Path, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(RecipeError, match=said):
        run(small_folder, tmp_path / "out", **changes)
    assert not (tmp_path / "out").exists()


def test_one_input_is_nothing_to_compare(small_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="nothing to fuse"):
        pm.compare(
            small_folder / "table.csv",
            "digit",
            recipe=only("ink", "hand"),
            out=tmp_path / "out",
        )
