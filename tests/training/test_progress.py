import io

import pytest
from rich.console import Console

from polymodal.training import RichProgress, SilentProgress
from polymodal.training.progress import Progress

ROW = {
    "epoch": 1,
    "train_loss": 0.5,
    "validation_loss": 0.4,
    "validation_metric": 0.875,
    "rows_per_second": 1234.5,
    "seconds": 61.0,
}


def show(progress: Progress) -> None:
    progress.start(100, step=20, epochs=5, note="cpu")
    progress.step(40, total_steps=90, loss=0.75, rows_per_second=1000.0, seconds_left=7.0)
    progress.epoch(ROW, metric="accuracy", best=True)
    progress.step(50, total_steps=90, loss=0.7, rows_per_second=1000.0, seconds_left=6.0)
    progress.finish("done")


@pytest.mark.parametrize("terminal", [True, False])
def test_rich_progress(terminal: bool) -> None:
    out = io.StringIO()
    show(RichProgress(Console(file=out, force_terminal=terminal, width=200)))
    text = out.getvalue()
    assert "100 steps, 20 of them done; cpu" in text
    assert "epoch 1/5" in text
    assert "accuracy 0.8750 (best)" in text
    assert "1 min 01 s" in text
    assert ("40/90" in text) == terminal
    assert ("best accuracy 0.8750" in text) == terminal
    assert "done" in text


def test_silent_progress(capsys: pytest.CaptureFixture[str]) -> None:
    show(SilentProgress())
    assert capsys.readouterr() == ("", "")
