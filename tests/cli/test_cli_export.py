"""``polymodal export``: what it writes, says and refuses."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polymodal import cli

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command line in this process: exit code, output, messages."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["polymodal", *map(str, arguments)])
        capfd.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        return int(code or 0), said.out, said.err  # type: ignore[call-overload]

    return run


def test_it_says_what_it_wrote_and_how_exact_it_is(
    ink_run: Path, tmp_path: Path, call: Call
) -> None:
    code, out, err = call("export", ink_run, "--out", tmp_path / "onnx")
    assert code == 0 and out == ""
    assert "writing model.onnx" in err and "comparing answers on" in err
    assert "answers as the network does" in err and "it differs by at most" in err
    assert (tmp_path / "onnx" / "model.onnx").exists()
    assert (tmp_path / "onnx" / "model.json").exists()


def test_what_it_cannot_do_is_said(tmp_path: Path, call: Call) -> None:
    code, _, err = call("export", tmp_path / "nothing")
    assert code == 1 and "There is no run directory" in err
    code, _, err = call("export", tmp_path, "--to", "tensorflow")
    assert code == 2 and "executorch" in err
