from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from polymodal.comparison.ledger import (
    LEDGER,
    Ledger,
    Size,
    load_outcomes,
    save_outcomes,
)
from polymodal.errors import RunError
from polymodal.evaluation import Outcome

SETTING = {"seeds": 2, "fusions": ["all"]}


def test_it_comes_back_as_it_was(tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path, SETTING)
    ledger.epochs, ledger.seconds, ledger.costs = 9, 1.5, {"gated": 0.5}
    ledger.rungs.append({"epochs": 1, "entered": ["gated"], "kept": ["gated"]})
    ledger.training("gated", 3).epochs = 4
    ledger.sizes["gated"] = Size(10, 0.5, 100.0)
    ledger.save()
    again = Ledger.open(tmp_path, SETTING)
    assert again.trainings["gated"][3].epochs == 4
    assert again.training("photo", 0) is again.trainings["photo"][0]
    for name in ("epochs", "seconds", "costs", "rungs", "sizes"):
        assert getattr(again, name) == getattr(ledger, name)


def test_another_setting_is_refused(tmp_path: Path) -> None:
    Ledger.open(tmp_path, SETTING).save()
    with pytest.raises(RunError, match="seeds: 2 then, 3 now"):
        Ledger.open(tmp_path, SETTING | {"seeds": 3})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"setting": 1}', "\x00"])
def test_a_damaged_ledger(tmp_path: Path, content: str) -> None:
    (tmp_path / LEDGER).write_text(content)
    with pytest.raises(RunError, match="damaged"):
        Ledger.open(tmp_path, SETTING)


def test_places_differ_whatever_the_names(tmp_path: Path) -> None:
    ledger = Ledger(SETTING, tmp_path)
    names = ["a/b", "a b", "图片", "../..", "a" * 300]
    places = {ledger.place(name, 0) for name in names}
    assert len(places) == len(names)
    assert all(tmp_path in place.resolve().parents for place in places)


def test_outcomes_come_back(tmp_path: Path) -> None:
    rows, truth = np.arange(3), np.array([0, 1, 1])
    shares = np.array([[0.5, 0.5], [0.1, 0.9], [1, 0]])
    kind = Outcome("kind", "classification", truth, truth, shares, ("猫", "dog"), rows)
    values = np.array([1.5, 2.5, 3.0])
    price = Outcome("price", "regression", values, values, None, (), rows, log=True)
    texts, answers = np.array([["两只狗", "dogs"], ["a", ""], ["b", ""]]), np.array(["狗", "a", ""])
    text = Outcome(
        "text", "text", texts, answers, None, (), rows, scores=shares[:, 0], surprise=shares
    )
    said = {"": {"kind": kind, "price": price, "text": text}, "photo": {"kind": kind}}
    save_outcomes(tmp_path / "a" / "outcomes.npz", said)
    found = load_outcomes(tmp_path / "a" / "outcomes.npz")
    assert {hidden: list(named) for hidden, named in found.items()} == {
        "": ["kind", "price", "text"],
        "photo": ["kind"],
    }
    for one, other in zip(found[""].values(), (kind, price, text), strict=True):
        for field in fields(Outcome):
            np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))
