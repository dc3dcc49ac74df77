"""Trainings that are killed or interrupted through the command line, and go on."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from small_table import only

# As `polymodal train`, but the epochs take so long that a signal lands in the middle of one, and
# a checkpoint is written after each step.
SLOWED = """
import os, signal, sys, time
from polymodal import cli
from polymodal.training.learner import Learner
step, count = Learner.step, [0]

def slow(self, *arguments, **named):
    count[0] += 1
    if count[0] == int(os.environ["AT_STEP"]):
        os.kill(os.getpid(), int(os.environ["SIGNAL"]))
    return step(self, *arguments, **named)

Learner.step = slow
cli.main()
"""


@pytest.fixture
def recipe(small_folder: Path, tmp_path: Path) -> Path:
    """Of six epochs of six steps each, in every one of which something is drawn at random."""
    options = only("photo", "says", "ink", train={"epochs": 6, "checkpoint_minutes": 1e-6})
    options["columns"]["photo"]["modality"] = {"name": "image", "augment": "shift"}
    options |= {"table": str(small_folder / "table.csv"), "targets": ["digit", "price"]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(options))
    return path


@pytest.fixture
def polymodal(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line in a process, in which a signal may arrive at a step."""

    def run(
        *arguments: object, at_step: int = 0, number: int = 0
    ) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "AT_STEP": str(at_step), "SIGNAL": str(number), "OMP_NUM_THREADS": "1", "COLUMNS": "200"
        }  # fmt: skip
        return subprocess.run(
            [sys.executable, "-c", SLOWED, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )

    return run


@pytest.mark.slow
def test_a_training_that_was_killed_ends_with_the_same_weights(
    polymodal: Callable[..., subprocess.CompletedProcess[str]], recipe: Path, tmp_path: Path
) -> None:
    done = polymodal("train", recipe, "--out", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    out = tmp_path / "killed"
    killed = polymodal("train", recipe, "--out", out, at_step=16, number=signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "manifest.json").exists()
    # Killed again, in another epoch: what was resumed can be resumed.
    again = polymodal("train", "--resume", "--out", out, at_step=9, number=signal.SIGKILL)
    assert again.returncode == -signal.SIGKILL
    resumed = polymodal("train", "--resume", "--out", out)
    assert resumed.returncode == 0, resumed.stderr
    done_steps = re.search(r"training: \d+ steps, (\d+) of them done", resumed.stdout)
    assert done_steps is not None and int(done_steps[1]) % 6  # in the middle of an epoch
    for name in ("weights.safetensors", "recipe.yaml"):
        one, other = ((tmp_path / run / name).read_bytes() for run in ("whole", "killed"))
        assert one == other, name


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(
    polymodal: Callable[..., subprocess.CompletedProcess[str]], recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a run's directory"
    stopped = polymodal("train", recipe, "--out", out, at_step=9, number=signal.SIGINT)
    assert stopped.returncode == 1
    command = f"polymodal train --resume --out {shlex.quote(str(out))}"
    assert stopped.stderr.strip() == f"error: Interrupted after step 9. Go on with: {command}"
    resumed = polymodal(*shlex.split(command)[1:])
    assert resumed.returncode == 0, resumed.stderr
    before = (out / "manifest.json").stat()
    finished = polymodal(*shlex.split(command)[1:])
    assert finished.returncode == 0 and "nothing to resume" in finished.stdout
    assert (out / "manifest.json").stat() == before


@pytest.mark.slow
def test_ctrl_c_before_the_training(recipe: Path, tmp_path: Path) -> None:
    code = (
        "import os, signal\n"
        "from polymodal import cli, experiment\n"
        "def interrupt(self): os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)\n"
        "experiment.Experiment.prepare = interrupt\n"
        "cli.main()"
    )
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, "train", str(recipe), "--out", str(tmp_path / "run")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and time.monotonic() - started < 60
    assert "Interrupted before the training began; nothing was written." in done.stderr
    assert not (tmp_path / "run").exists()
