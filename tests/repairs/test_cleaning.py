"""A table from end to end: what is written, what never is, and a kill at any instant."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

import polymodal as pm
from polymodal.cli import app
from polymodal.errors import TableError
from polymodal.repairs.undo import undo

WORDS = ["a red bird sings", "the blue fish swims", "some old trees stand", "two grey cats sleep"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty rows with a picture each: two files broken, a row twice, blanks, gaps, mojibake."""
    folder = tmp_path / "data"
    (folder / "photos").mkdir(parents=True)
    rng, lines = np.random.default_rng(0), ["photo,said,size,label"]
    for n in range(40):
        pixels = rng.integers(0, 255, (12, 12, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(folder / "photos" / f"{n}.png")
        size = "" if n % 8 == 3 else f"{n}.50"
        lines.append(f"photos/{n}.png,{WORDS[n % 4]} today {n},{size},{'ab'[n % 2]}")
    (folder / "photos" / "5.png").write_bytes(b"")
    (folder / "photos" / "6.png").unlink()
    lines[9] = lines[9].replace("today", "  grÃ¼n ")
    lines.append(lines[21])
    (folder / "data.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "data.csv"


def test_the_default_repairs_what_loses_nothing(table: Path, tmp_path: Path) -> None:
    before = table.read_bytes()
    found = pm.clean(table, "label", out=tmp_path / "clean")
    assert table.read_bytes() == before
    assert found.path == tmp_path / "clean" / "data.csv" and found.rows == 41
    lines = found.path.read_text().splitlines()
    assert lines[1] == "../data/photos/0.png,a red bird sings today 0,0.50,a"
    assert lines[6] == ",the blue fish swims today 5,5.50,b" and lines[7].startswith(",some old")
    assert lines[9] == "../data/photos/8.png,a red bird sings grün 8,8.50,a"
    cleaned = pm.Table.read(found.path)
    assert all(cleaned.media(c).is_file() for c in cleaned.cells("photo") if c)
    assert cleaned.cells("label") == pm.Table.read(table).take(range(len(cleaned))).cells("label")
    assert found.record is not None
    told = [json.loads(line) for line in found.record.read_text().splitlines()[1:]]
    broken = [r for r in told if r.get("column") == "photo"]
    assert [(r["row"], r["before"], r["after"]) for r in broken] == [
        (5, "photos/5.png", None),
        (6, "photos/6.png", None),
    ]
    back = undo(found.record, found.path, tmp_path / "back.csv")
    assert back.read_bytes() == before


def test_the_same_again_is_the_same_and_another_is_refused(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean"
    first = pm.clean(table, "label", out=out)
    assert first.path is not None and first.record is not None
    held = first.path.read_bytes(), first.record.read_bytes()
    pm.clean(table, "label", out=out)
    assert held == (first.path.read_bytes(), first.record.read_bytes())
    with pytest.raises(TableError, match="say --overwrite"):
        pm.clean(table, "label", out=out, recipe={"clean": {"fill": "median"}})
    pm.clean(table, "label", out=out, recipe={"clean": {"fill": "median"}}, overwrite=True)
    assert first.path.read_bytes() != held[0]


def test_the_input_is_never_overwritten(table: Path, tmp_path: Path) -> None:
    for out in (table, table.parent, table.parent / ".." / "data" / "data.csv"):
        with pytest.raises(TableError, match="is the table itself"):
            pm.clean(table, "label", out=out, overwrite=True)
    with pytest.raises(TableError, match="no ending of a table"):
        pm.clean(table, "label", out=tmp_path / "clean.txt")


def test_in_memory_nothing_is_written(table: Path, tmp_path: Path) -> None:
    rows = {"said": [f" the {w}  " for w in WORDS * 10], "n": [n / 7 for n in range(40)]}
    found = pm.clean(rows)
    assert found.path is None and found.table.cells("said")[0] == f"the {WORDS[0]}"
    assert len(rows["said"][0]) > len(found.table.cells("said")[0])
    assert not [r for r in found.left if r.kind == "clean.text"]


def test_the_command(table: Path, tmp_path: Path) -> None:
    run = CliRunner()
    dry = run.invoke(app, ["clean", str(table), "-t", "label", "--dry-run"])
    assert dry.exit_code == 0 and "Nothing was written" in dry.output
    assert not list(tmp_path.glob("clean*"))
    out = tmp_path / "clean.jsonl"
    done = run.invoke(app, ["clean", str(table), "-o", str(out), "--set", "clean.fill=median"])
    assert done.exit_code == 0 and "Repaired" in done.output and "missing_values" in done.output
    assert json.loads(out.read_text().splitlines()[3])["size_missing"] == 1
    record, back = str(tmp_path / "repairs.jsonl"), str(tmp_path / "back.csv")
    undone = run.invoke(app, ["clean", "--undo", record, str(out), "-o", back])
    assert undone.exit_code == 0, undone.output
    one, other = pm.Table.read(table), pm.Table.read(back)
    assert {n: one.cells(n) for n in one.names} == {n: other.cells(n) for n in other.names}
    lost = run.invoke(app, ["clean", str(table)])
    assert lost.exit_code == 1 and "Name the output with -o" in str(lost.exception)


@pytest.mark.slow
def test_killed_at_any_instant_nothing_is_lost(table: Path, tmp_path: Path) -> None:
    options = {"clean": {"pictures": "median", "fill": "median"}}
    quiet = tmp_path / "quiet"
    pm.clean(table, "label", out=quiet, recipe=options)
    wanted = {p.relative_to(quiet): p.read_bytes() for p in quiet.rglob("*") if p.is_file()}
    before = table.read_bytes()
    # The child says when cleaning begins, so that the kills fall into it.
    program = (
        "import sys, polymodal as pm\n"
        "clean = pm.clean\n"
        "print('ready', flush=True)\n"
        f"clean(sys.argv[1], 'label', out=sys.argv[2], recipe={options!r})\n"
        "print('done', flush=True)\n"
    )
    out, kills, rng = tmp_path / "kill", 0, np.random.default_rng(0)
    for delay in rng.uniform(0.0, 1.5, 8):
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(table), str(out)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        kills += "done" not in child.communicate()[0]
        assert table.read_bytes() == before
        cleaned = out / "data.csv"
        assert not cleaned.exists() or cleaned.read_bytes() == wanted[Path("data.csv")]
    assert kills
    pm.clean(table, "label", out=out, recipe=options)
    held = {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert {p: b for p, b in held.items() if not p.name.endswith(".new")} == wanted
