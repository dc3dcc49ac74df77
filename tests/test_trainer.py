import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from polymodal.data.loader import Columns, Loader
from polymodal.evaluation.metrics import headline_value
from polymodal.evaluation.prediction import outcomes, predict_batches
from polymodal.experiment import Experiment, chosen_recipe, fit
from polymodal.model import MultimodalModel
from polymodal.trainer import Trainer
from polymodal.training import Interrupted, SilentProgress, TrainOptions, TrainResult
from polymodal.training.choices import CHOICES, load_choices
from small_table import only

Prepared = tuple[Trainer, Experiment]
INPUTS = ["photo", "sound", "ink"]
TARGETS = ["digit", "price"]


@pytest.fixture(scope="module")
def prepared(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Two media and a number, two targets, decoded once for all tests."""
    out = tmp_path_factory.mktemp("trainer") / "run"
    recipe = chosen_recipe(only(*INPUTS), TARGETS, None)
    run = Experiment(small_folder / "table.csv", recipe, out=out)
    run.prepare()
    run.build()
    yield run.trainer, run


def trained(
    prepared: Prepared,
    directory: Path,
    *,
    columns: list[str] | None = None,
    progress: Any = None,
    resume: bool = False,
    **changes: Any,
) -> tuple[MultimodalModel, TrainResult]:
    trainer, run = prepared
    model = trainer.build(run.recipe, columns)
    options = run.recipe.train.model_copy(update=changes)
    result = trainer.fit(model, options, directory=directory, progress=progress, resume=resume)
    return model, result


def same(one: MultimodalModel, other: MultimodalModel) -> bool:
    return all(a.equal(b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_a_network_is_built_the_same_again_whatever_is_random_meanwhile(
    prepared: Prepared,
) -> None:
    trainer, run = prepared
    first = trainer.build(run.recipe)
    torch.rand(7)
    assert same(first, trainer.build(run.recipe))
    assert trainer.build(run.recipe, ["sound"]).branches == ("sound",)


def test_the_curves_are_the_scores_with_the_other_columns_hidden(
    prepared: Prepared, tmp_path: Path
) -> None:
    _, run = prepared
    model, result = trained(prepared, tmp_path, epochs=1)
    row, rows = result.history[-1], run.dataset.rows("validation")
    modalities = {name: run.modalities[name] for name in [*INPUTS, *TARGETS]}
    columns = Columns(
        {name: modalities[name] for name in INPUTS}, {name: modalities[name] for name in TARGETS}
    )
    for branch in ("photo", "sound", "tabular"):
        own = model.columns[branch]
        has = np.logical_or.reduce([run.pack.stores[name].index[rows] >= 0 for name in own])
        batches = Loader(run.pack, columns, rows=rows[has], batch_size=5)
        others = [name for name in INPUTS if name not in own]
        said = predict_batches(model, batches, without=others)
        found = outcomes(
            model, said.predictions, said.rows, run.pack, modalities, table=run.dataset.table
        )
        score = np.mean([headline_value(outcome) for outcome in found.values()])
        assert row[f"alone/{branch}"] == pytest.approx(score, abs=1e-6)
        assert row[f"alone_loss/{branch}"] == pytest.approx(sum(said.losses.values()), rel=1e-4)
    assert {"validation/digit", "validation/price"} <= set(row)


def test_curves_cost_no_change_and_can_be_left_out(prepared: Prepared, tmp_path: Path) -> None:
    model, result = trained(prepared, tmp_path / "with")
    plain, without = trained(prepared, tmp_path / "without", curves=False)
    assert same(model, plain)
    assert not any(name.startswith("alone") for name in without.history[0])
    kept = {name: value for name, value in result.history[-1].items() if "alone" not in name}
    assert kept["validation_loss"] == pytest.approx(without.history[-1]["validation_loss"])
    # Gradient blending needs them, wanted or not; one input has no others to be hidden.
    _, blended = trained(prepared, tmp_path / "b", curves=False, balance="gradient_blending")
    assert "alone/photo" in blended.history[0]
    _, single = trained(prepared, tmp_path / "c", columns=["photo"])
    assert not any(name.startswith("alone") for name in single.history[0])


class Interrupting(SilentProgress):
    """Presses Ctrl-C after some epochs, counted over all trainings."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def epoch(self, row: Any, *, metric: str, best: bool) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


# The pilots have three epochs each, then the winner goes on from the third to the fifth.
@pytest.mark.parametrize("epochs", [1, 3, 5, 9, 10])
def test_the_choice_is_kept_whenever_it_is_interrupted(
    prepared: Prepared, tmp_path: Path, epochs: int
) -> None:
    auto = {"balance": "auto", "epochs": 5}
    with pytest.raises(Interrupted):
        trained(prepared, tmp_path / "cut", progress=Interrupting(epochs), **auto)
    model, result = trained(prepared, tmp_path / "cut", resume=True, **auto)
    choice = result.choices.balance
    assert set(choice.scores) == {"off", "ogm_ge", "gradient_blending"}
    assert "tried for 3 epochs; validation score off" in choice.reason
    assert load_choices(tmp_path / "cut" / CHOICES) == result.choices
    assert {path.name for path in (tmp_path / "cut" / "checkpoints").iterdir()} == {
        "best.safetensors",
        "last.safetensors",
    }
    # The winner's pilot is the beginning of its training: nothing is different from choosing it.
    plain, expected = trained(prepared, tmp_path / "plain", balance=choice.name, epochs=5)
    assert same(model, plain)
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5]
    assert result.best_metric == expected.best_metric


def test_one_input_has_no_pilots(prepared: Prepared, tmp_path: Path) -> None:
    _, result = trained(prepared, tmp_path, columns=["photo"], balance="auto", epochs=1)
    assert result.choices.balance.name == "off" and not result.choices.balance.scores


def test_options_are_to_be_resolved(prepared: Prepared, tmp_path: Path) -> None:
    trainer, run = prepared
    with pytest.raises(AssertionError, match="resolve the options first"):
        trainer.fit(trainer.build(run.recipe), TrainOptions(), directory=tmp_path)


def test_what_was_chosen_is_in_metrics_and_report(small_folder: Path, tmp_path: Path) -> None:
    recipe = only("photo", "ink", train={"balance": "auto", "epochs": 2})
    predictor = fit(small_folder / "table.csv", "digit", recipe=recipe, out=tmp_path / "run")
    told = predictor.metrics["training"]["balance"]
    assert told["name"] in told["scores"] and "tried for 2 epochs" in told["reason"]
    assert "tried for 2 epochs" in (tmp_path / "run" / "report.html").read_text("utf-8")
    assert predictor.run.recipe.train.balance == "auto"
