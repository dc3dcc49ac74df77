import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.data.modalities import Category, Image, Number, Text
from polymodal.data.pack import Store, pack
from polymodal.data.table import Table
from polymodal.errors import RunError, SchemaError


def bomb(width=30_000, height=30_000):
    """A PNG of a few bytes whose header claims 900 million pixels."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.fixture
def photos(tmp_path):
    for i in range(3):
        Pillow.new("RGB", (8, 8), (i * 40, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "empty.png").touch()
    (tmp_path / "half.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "bomb.png").write_bytes(bomb())
    names = ["0.png", "empty.png", "1.png", "0.png", None, "half.png", "text.png", "gone.png",
             "bomb.png", "2.png"]  # fmt: skip
    return Table({"photo": names}, folder=tmp_path)


@pytest.fixture
def image():
    image = Image(size=8, channels=3)
    image.fit([Pillow.new("RGB", (8, 8))])
    return image


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("on_disk", [False, True])
def test_every_defect_is_counted_by_kind_and_row(photos, image, tmp_path, workers, on_disk):
    directory = tmp_path / "pack" if on_disk else None
    packed = pack(photos, {"photo": image}, directory=directory, workers=workers)
    store = packed.stores["photo"]
    assert store.index.tolist() == [0, -1, 1, 0, -1, -1, -1, -1, -1, 2]
    assert store.cell(1)[0, 0].tolist() == [40, 0, 0]
    assert packed.broken["photo"] == {
        "zero-byte file": [1],
        "damaged image, or of a format not read": [5],
        "not an image": [6],
        "file not found": [7],
        "image too large": [8],
    }
    assert sum(f.count for f in packed.findings) == 5
    assert all(f.severity == "error" and f.column == "photo" for f in packed.findings)
    assert "first: 'gone.png'" in next(f.what for f in packed.findings if "not found" in f.what)
    assert packed.missing(["photo"])[3:5] == [[], ["photo"]]


def test_the_error_policy_names_column_row_and_remedy(photos, image):
    with pytest.raises(SchemaError, match=r"'photo', row 1: zero-byte file.*treat_as_missing"):
        pack(photos, {"photo": image}, broken="error")


def test_a_bomb_is_refused_without_memory(image, tmp_path):
    (tmp_path / "bomb.png").write_bytes(bomb())
    code = f"""
    import resource
    from polymodal.data.modalities import Image
    from polymodal.errors import CellError
    image = Image(size=8, channels=3)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        image.decode({str(tmp_path / "bomb.png")!r})
    except CellError as error:
        print(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")
    assert "image too large" in said[0] and int(said[1]) < 20


def test_no_usable_cell_at_all(image, tmp_path):
    table = Table({"photo": ["gone.png", None], "n": [None, "x"]}, folder=tmp_path)
    number = Number()
    number.fit([])
    packed = pack(table, {"photo": image, "n": number}, directory=tmp_path / "pack")
    assert (packed.stores["photo"].index == -1).all() and packed.stores["photo"].distinct == 0
    assert packed.broken == {"photo": {"file not found": [0]}, "n": {"not a number": [1]}}


def test_numbers_categories_and_texts():
    table = Table.read(
        {
            "n": ["1,234.5", "inf", "x", None],
            "c": ["a", "b", "c", "a"],
            "t": ["a b", "a b", "c", " "],
        }
    )
    number, category, text = Number(), Category(), Text()
    number.fit([1.0])
    category.fit(["a", "b"])
    text.fit(["a b", "c"])
    packed = pack(table, {"n": number, "c": category, "t": text})
    assert packed.stores["n"].values.tolist() == [1234.5]
    assert packed.stores["n"].index.tolist() == [0, -1, -1, -1]
    assert packed.stores["c"].index.tolist() == [0, 1, -1, 2]
    assert packed.stores["t"].index.tolist() == [0, 0, 1, -1]
    assert packed.broken["c"] == {"unseen category": [2]}


def test_longer_cells_are_cut_and_counted():
    text = Text(max_tokens=3)
    text.fit(["a b c d e f", "a"])
    packed = pack(Table.read({"t": ["a", "a b c d e f", "b", "a b c d e f"]}), {"t": text})
    (finding,) = packed.findings
    assert finding.rows.tolist() == [1, 3] and "3 tokens" in finding.what
    assert packed.stores["t"].lengths(np.arange(3)).max() == 3


def test_ragged_cells_are_padded_with_zeros():
    store = Store(np.arange(3), np.arange(1, 7), np.array([0, 1, 3, 6]))
    values, lengths = store.take(np.array([2, 0]))
    assert values.tolist() == [[4, 5, 6], [1, 0, 0]] and lengths.tolist() == [3, 1]
    assert store.distinct == 3 and store.cell(1).tolist() == [2, 3]


def test_progress_is_told(photos, image):
    told = []
    pack(photos, {"photo": image}, advance=told.append)
    assert sum(told) == len(photos)


def test_a_directory_that_cannot_be_made(photos, image, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="'photo' cannot be written"):
        pack(photos, {"photo": image}, directory=tmp_path / "file" / "pack")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_leaves_no_half_pack(photos, image, tmp_path, monkeypatch):
    import pathlib

    real = pathlib.Path.open

    def full(path, mode="r", *rest, **options):
        if mode == "wb":
            real(path, mode).close()  # the name is there, the space is not
            return open("/dev/full", "wb", 0)
        return real(path, mode, *rest, **options)

    monkeypatch.setattr(pathlib.Path, "open", full)
    with pytest.raises(RunError, match="No space left"):
        pack(photos, {"photo": image}, directory=tmp_path / "pack")
    assert not list((tmp_path / "pack").iterdir())


def test_an_older_pack_is_replaced_not_overwritten(photos, image, tmp_path):
    first = pack(photos, {"photo": image}, directory=tmp_path / "pack")
    before = first.stores["photo"].values.copy()
    pack(Table({"photo": [Pillow.new("RGB", (8, 8), "white")]}), {"photo": image},
         directory=tmp_path / "pack")  # fmt: skip
    assert (first.stores["photo"].values == before).all()


def test_an_interruption_stops_soon_and_cleans_up(image, tmp_path, monkeypatch):
    decoded = threading.Semaphore(0)

    def slow(cell):
        decoded.release()
        time.sleep(0.01)
        return image.blank()

    def interrupt(count):
        raise KeyboardInterrupt

    monkeypatch.setattr(image, "decode", slow)
    table = Table({"photo": [f"{i}.png" for i in range(5000)]}, folder=tmp_path)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        pack(table, {"photo": image}, directory=tmp_path / "p", workers=4, advance=interrupt)
    assert time.monotonic() - started < 5
    assert not list((tmp_path / "p").iterdir())


MEMORY = """
import resource, sys
import numpy as np
from PIL import Image as Pillow
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Image
from polymodal.data.pack import pack
from polymodal.data.table import Table
from pathlib import Path
rows, place = int(sys.argv[1]), Path(sys.argv[2])
table = Table({"photo": [f"{i}.bmp" for i in range(rows)]}, folder=place)
image = Image(size=64, channels=3)
image.fit([table.media(cell) for cell in table.cells("photo")])
packed = pack(table, {"photo": image}, directory=place / f"pack{rows}", workers=2)
loader = Loader(packed, Columns({"photo": image}, {}), rows=np.arange(rows), batch_size=64,
                training=True)
for batch in loader.epoch(0):
    batch.inputs["photo"].values.float().sum()
for unit in range(rows):
    packed.stores["photo"].cell(unit).sum()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_memory_does_not_grow_with_the_rows(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(10_000):
        noise = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Pillow.fromarray(noise).save(tmp_path / f"{i}.bmp")
    used = []
    for rows in (1000, 10_000):
        command = [sys.executable, "-c", MEMORY, str(rows), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        used.append(int(done.stdout))
    assert used[1] <= 1.1 * used[0], used


@pytest.mark.parametrize("scale", [1, 400])  # short cells and long ones are gathered in two ways
@pytest.mark.parametrize("inner", [(), (2,)])
def test_ragged_cells_at_any_place(scale, inner):
    """Cells of a shared file, some of length nought, are what slices of it are."""
    rng = np.random.default_rng(0)
    offsets = np.r_[0, np.cumsum(rng.integers(0, 4, 30) * scale)]
    values = rng.integers(1, 100, (offsets[-1], *inner))
    places = rng.permutation(30)[:20]
    store = Store(np.arange(20), values, offsets, places)
    units = rng.integers(0, 20, 9)
    taken, lengths = store.take(units)
    for row, unit, length in zip(taken, units, lengths, strict=True):
        cell = values[offsets[places[unit]] : offsets[places[unit] + 1]]
        assert np.array_equal(row[:length], cell) and not row[length:].any()
        assert np.array_equal(store.cell(unit), cell)
