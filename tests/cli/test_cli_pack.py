"""``polymodal pack`` as a person types it."""

from pathlib import Path

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from polymodal.cli import app
from polymodal.data.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for i in range(4):
        Pillow.new("RGB", (8, 8), (i * 40, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "data.csv").write_text("photo,n\n0.png,1\n1.png,2\n2.png,3\ngone.png,4\n")
    return tmp_path / "data.csv"


def test_a_packed_folder(table: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["pack", str(table), "-o", str(tmp_path / "packed")])
    assert done.exit_code == 0, done.output
    assert "4 rows" in done.output and "file not found" in done.output
    assert len(Table.read(tmp_path / "packed")) == 4


def test_archives(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "shards"
    done = CliRunner().invoke(app, ["pack", str(table), "-o", str(out), "--to", "webdataset"])
    assert done.exit_code == 0, done.output
    again = Table.read(out)
    assert again.cells("n") == [1, 2, 3, 4] and again.cells("photo")[3] is None
