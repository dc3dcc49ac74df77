"""``polymodal cluster``, from arguments to what is printed and written."""

import json
import sys
from pathlib import Path

import pandas
import pytest

from polymodal import cli
from small_table import ROWS


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_is_grouped_and_written(
    ending: str,
    small_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    monkeypatch.setenv("COLUMNS", "160")
    out, page = tmp_path / f"groups.{ending}", tmp_path / "map.html"
    words = ["cluster", str(small_folder / "table.csv"), "--k", "4", "--column", "ink", "--label",
             "digit", "-o", str(out), "--json"]  # fmt: skip
    extra = ["--page", str(page)] if ending == "csv" else []
    monkeypatch.setattr(sys, "argv", ["polymodal", *words, *extra])
    try:
        cli.main()
    except SystemExit as stop:
        assert not stop.code
    said = json.loads(capfd.readouterr().out)
    assert [one["rows"] for one in said["groups"]] == sorted(
        (one["rows"] for one in said["groups"]), reverse=True
    )
    assert said["agreements"][0]["label"] == "digit" and "hand-made" in said["compared_by"]
    lines = ending == "jsonl"
    read = {"csv": pandas.read_csv, "parquet": pandas.read_parquet}.get(ending)
    frame = pandas.read_json(out, lines=True) if lines or read is None else read(out)
    assert len(frame) == ROWS and set(frame["cluster"].dropna()) == {0, 1, 2, 3}
    assert not extra or "canvas" in page.read_text()


def test_mistakes_are_told(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    for words, message in ((["x.csv", "--k", "many"], "a number, or auto"),
                           (["x.csv", "-o", "g.txt"], "write to a file ending in")):  # fmt: skip
        monkeypatch.setattr(sys, "argv", ["polymodal", "cluster", *words])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        assert stop.value.code == 2 and message in capfd.readouterr().err
