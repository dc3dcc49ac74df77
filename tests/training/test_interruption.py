import signal
import threading
from pathlib import Path

import pytest

from polymodal.training import Interrupted
from polymodal.training.interruption import StopSignal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignal() as stop:
        assert not stop.asked
        signal.raise_signal(number)
        assert stop.asked
    assert signal.getsignal(number) is before


def test_the_second_signal_acts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), StopSignal():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_other_threads_are_left_alone() -> None:
    asked = []

    def run() -> None:
        with StopSignal() as stop:
            asked.append(stop.asked)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert asked == [False]


def test_the_error_says_where_and_how_to_go_on() -> None:
    error = Interrupted(Path("runs/a"), 7)
    assert "step 7" in str(error)
    assert "runs/a" in str(error)
    assert "Resume" in str(error)
