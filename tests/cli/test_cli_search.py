"""``polymodal index`` and ``polymodal search``, from arguments to what is printed and written."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from polymodal import cli
from small_table import ROWS

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Runs the command line in this process."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["polymodal", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capfd.readouterr()
        return code, said.out, said.err

    return run


def test_from_a_table_to_a_page(
    call: Call, whole_run: Path, small_folder: Path, tmp_path: Path
) -> None:
    table, index = small_folder / "table.csv", tmp_path / "index"
    code, out, _ = call("index", whole_run, table, "--out", index)
    assert code == 0 and f"{ROWS} rows" in out and "recall is 1" in out

    photo, page = small_folder / "photos" / "040.png", tmp_path / "page.html"
    code, out, _ = call("search", index, "--image", photo, "--text", "偶数", "--weight",
                        "image=3", "--where", "price > 0", "-k", 3, "--page", page)  # fmt: skip
    assert code == 0 and f"3 of {ROWS} rows, asked with photo, says" in out
    assert page.read_text().count('<li class="example">') == 3 and "--weight" in page.read_text()

    code, out, _ = call("search", index, "--row", '{"ink": 4.0}', "-k", 2, "--json")
    assert code == 0 and len(json.loads(out)["hits"]) == 2
    key = json.loads(out)["hits"][0]["key"]
    code, out, _ = call("search", index, "--words", "偶数", "-k", 1)
    assert code == 0 and "偶数" in out

    code, out, err = call("index", whole_run, table, "--out", index)
    assert code == 1 and "--add" in err
    code, out, _ = call("index", whole_run, table, "--out", index, "--add")
    assert code == 0 and f"0 rows added, 0 updated, {ROWS} there already" in out
    code, out, _ = call("index", "--out", index, "--delete", key)
    assert code == 0 and "1 rows removed" in out and f"{ROWS - 1} rows" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "nowhere", "--text", "a"], "There is no search index in 'nowhere'"),
        (["index", "run"], "name both a run directory and a table"),
        (["index", "a", "b", "--add", "--replace"], "contradict"),
        (["index", "--add", "--out", "x"], "name a run directory and a table"),
    ],
)
def test_mistakes_are_told(call: Call, arguments: list[str], message: str) -> None:
    code, _, err = call(*arguments)
    assert code in (1, 2) and message in " ".join(err.replace("│", " ").split())
