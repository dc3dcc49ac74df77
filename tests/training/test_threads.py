from time import sleep

import pytest
import torch

from polymodal.training import choose_threads, threads


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "physical_cores", lambda: 2)


@pytest.mark.parametrize("fastest", [1, 2])
def test_the_fastest_wins_and_nothing_is_changed(fastest: int) -> None:
    choice = choose_threads(lambda: sleep(0.001 if torch.get_num_threads() == fastest else 0.01))
    assert choice.name == str(fastest)
    assert set(choice.seconds) == {"1", "2"}
    assert torch.get_num_threads() == 1


def test_long_steps_are_not_tried_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_LONG_STEP", 0.001)
    choice = choose_threads(lambda: sleep(0.002))
    assert choice.name == "2"
    assert set(choice.seconds) == {"2"}


def test_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    choice = choose_threads(lambda: pytest.fail("measured"))
    assert choice.name == "1"
    assert "OMP_NUM_THREADS" in choice.reason


def test_one_core_leaves_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "physical_cores", lambda: 1)
    assert choose_threads(lambda: pytest.fail("measured")).name == "1"


def test_cores_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert threads.physical_cores() >= 1
