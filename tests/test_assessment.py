import json
from pathlib import Path

import numpy as np
import pytest

from polymodal.assessment import Assessment, Assessor
from polymodal.experiment import Experiment, chosen_recipe
from small_table import INPUTS, TARGETS, small


@pytest.fixture(scope="module")
def trained(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """A trained model that is not yet measured."""
    recipe = chosen_recipe(small(train={"epochs": 2}), TARGETS, None)
    out = tmp_path_factory.mktemp("assessed") / "run"
    experiment = Experiment(small_folder / "table.csv", recipe, out=out)
    experiment.prepare()
    experiment.build()
    experiment.train()
    return experiment


def assessor(experiment: Experiment, **options: object) -> Assessor:
    changed = experiment.recipe.evaluation.model_copy(update=options)
    recipe = experiment.recipe.model_copy(update={"evaluation": changed})
    return Assessor(experiment.dataset, experiment.pack, experiment.modalities, recipe=recipe)


def assess(experiment: Experiment, **options: object) -> Assessment:
    def train(columns: object) -> None:
        raise AssertionError("nothing is to be trained")

    return assessor(experiment, **options).assess(experiment.model, train=train, tell=print)


def test_scores_are_of_the_test_rows_only(trained: Experiment) -> None:
    found = assess(trained)
    test = trained.dataset.rows("test")
    for name in TARGETS:
        assert np.array_equal(found.outcomes[name].rows, test)
    assert found.evaluation.rows == len(test)
    truth = np.array(trained.dataset.table.cells("digit"))[test]
    labels = np.array(found.outcomes["digit"].labels)
    assert (labels[found.outcomes["digit"].truth] == truth).all()


def test_constant_baselines_are_of_the_training_part(trained: Experiment) -> None:
    found = assess(trained)
    train, test = trained.dataset.rows("train"), trained.dataset.rows("test")
    digits = np.array(trained.dataset.table.cells("digit"))
    values, counts = np.unique(digits[train], return_counts=True)
    share = (digits[test] == values[counts.argmax()]).mean()
    scores = found.baselines["digit"]["most_frequent"]
    assert scores["accuracy"].value == pytest.approx(share)
    prices = np.array(trained.dataset.table.cells("price"), float)
    expected = np.abs(prices[test] - prices[train].mean()).mean()
    assert found.baselines["price"]["mean"]["mae"].value == pytest.approx(expected, rel=1e-5)
    assert set(found.baselines["kinds"]) == {"most_frequent"}


def test_hiding_no_column_is_the_whole_and_hiding_others_changes_nothing_else(
    trained: Experiment,
) -> None:
    judge = assessor(trained)
    rows = judge.test
    whole = judge.outcomes(trained.model, rows)["digit"]
    # Rows lie in another order in the batches when columns are hidden; they come back in ours.
    without = judge.outcomes(trained.model, rows, without=INPUTS)["digit"]
    assert np.array_equal(without.rows, whole.rows)
    first = without.probabilities[:1].repeat(len(rows), 0)
    np.testing.assert_allclose(without.probabilities, first, atol=1e-6)
    assert not np.allclose(whole.probabilities, without.probabilities)


def test_all_subsets_of_few_inputs(small_folder: Path, tmp_path: Path) -> None:
    recipe = chosen_recipe(small(train={"epochs": 1}) | {"columns": {}}, "digit", ["ink", "hand"])
    experiment = Experiment(small_folder / "table.csv", recipe, out=tmp_path / "run")
    experiment.prepare()
    experiment.build()
    experiment.train()
    found = assess(experiment, subsets=True)
    assert [names for names, _ in found.subsets["digit"]] == [("ink", "hand"), ("ink",), ("hand",)]


def test_what_is_switched_off_is_not_measured(trained: Experiment) -> None:
    found = assess(trained)
    assert found.subsets == {}
    assert all("boosted_trees" not in named for named in found.baselines.values())


def test_examples_are_shown_with_their_cells(trained: Experiment) -> None:
    found = assess(trained, examples=6)
    shown = found.examples["digit"]
    assert set(shown) == {"worst", "surest_right"}
    assert len(shown["worst"]) <= 6 and len(shown["surest_right"]) <= 3
    for example in shown["worst"]:
        assert example.truth != example.answer
        assert example.truth == trained.dataset.table.cells("digit", [example.row])[0]
        assert [name for name, _ in example.cells] == INPUTS
    kinds = {cell.kind for e in shown["worst"] for _, cell in e.cells if cell is not None}
    assert kinds >= {"image", "audio", "text"}
    assert 0 < shown["surest_right"][0].probability <= 1


def test_an_example_with_broken_cells(trained: Experiment) -> None:
    judge = assessor(trained)
    outcome = judge.outcomes(trained.model, np.array([3, 5, 7]))["digit"]
    cells = [dict(judge._example(outcome, place).cells) for place in range(3)]
    assert [cell["photo"] for cell in cells] == [None] * 3
    assert cells[1]["sound"] is None and cells[0]["says"] is not None


def test_as_json(trained: Experiment) -> None:
    content = assess(trained, subsets=True).to_dict()
    again = json.loads(json.dumps(content, allow_nan=False))
    assert again["test"]["digit"]["accuracy"].keys() == {"value", "low", "high"}
    assert again["verdicts"]["digit"]["kind"] in {"better", "same", "worse"}
    assert isinstance(again["verdicts"]["digit"]["text"], str)
    assert again["subsets"]["digit"][0]["inputs"] == INPUTS
