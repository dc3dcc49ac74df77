"""A packed folder: carried elsewhere, trained on without decoding."""

import shutil

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.data.kept_packs import KeptPacks
from polymodal.data.modalities import Image
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.errors import RunError
from polymodal.experiment import Experiment
from polymodal.portable_pack import pack_table
from polymodal.recipe import Recipe


@pytest.fixture
def source(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / "source"
    folder.mkdir()
    for i in range(40):
        pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(folder / f"{i}.png")
    lines = [f"{i}.png,{i},{'ab'[i % 2]}" for i in range(40)]
    lines[7] = "gone.png,7,a"
    (folder / "data.csv").write_text("\n".join(["photo,n,label", *lines]))
    return folder / "data.csv"


def test_it_is_carried_elsewhere_and_decodes_nothing(source, tmp_path, monkeypatch):
    told = []
    options = {"targets": ["label"]}
    done = pack_table(
        source, tmp_path / "packed", recipe=options, advance=lambda *n: told.append(n)
    )
    assert done.rows == 40 and told[-1] == (40, 40) and done.size > 0
    assert [finding.kind for finding in done.findings] == ["missing_file"]
    here = Experiment(str(source), Recipe.load(options), out=tmp_path / "run")
    here.prepare()
    here.build()
    shutil.copytree(tmp_path / "packed", tmp_path / "elsewhere" / "packed")
    for folder in (source.parent, tmp_path / "packed"):
        shutil.rmtree(folder)

    decoded, decode = [], Image.decode
    monkeypatch.setattr(
        Image, "decode", lambda self, cell: decoded.append(cell) or decode(self, cell)
    )
    there = Experiment(
        str(tmp_path / "elsewhere" / "packed"), Recipe.load(options), out=tmp_path / "run2"
    )
    there.prepare()
    there.build()
    assert [path.name for path in decoded] == ["gone.png"]
    one, other = here.pack.stores["photo"], there.pack.stores["photo"]
    assert one.index.tolist() == other.index.tolist()
    assert all((one.cell(i) == other.cell(i)).all() for i in range(39))


def test_what_was_packed_is_not_packed_again(source, tmp_path, monkeypatch):
    pack_table(source, tmp_path / "packed")
    decoded, decode = [], Image.decode
    monkeypatch.setattr(
        Image, "decode", lambda self, cell: decoded.append(cell) or decode(self, cell)
    )
    pack_table(source, tmp_path / "packed")
    assert [path.name for path in decoded] == ["gone.png"]


def test_a_folder_that_holds_something_else(source, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match=r"letter\.txt.*new or empty"):
        pack_table(source, tmp_path / "taken")


def test_bytes_stay_in_the_table(tmp_path):
    Pillow.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    pack_table({"photo": [content, content, None], "n": [1, 2, 3]}, tmp_path / "packed")
    table = Table.read(tmp_path / "packed")
    assert table.cells("photo") == [content, content, None]
    image = Image(size=8, channels=3)
    packs = KeptPacks(tmp_path / "packed" / "packs", private=tmp_path, portable=True)
    assert len(packs.cells(image, "photo")) == 1
    packed = pack(table, {"photo": image}, directory=packs)
    assert packed.stores["photo"].index.tolist() == [0, 0, -1]
