"""Packs that outlive a run: found again, resumed, and the same as those made anew."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image as Pillow

from polymodal.data import kept_cells, kept_packs
from polymodal.data import pack as pack_module
from polymodal.data.kept_packs import KeptPacks, preprocessing
from polymodal.data.loader import Columns, Loader
from polymodal.data.modalities import Audio, Image, Series
from polymodal.data.pack import pack
from polymodal.data.table import Table
from polymodal.errors import RunError

NAMES = [f"{i}.png" for i in range(6)]


@pytest.fixture
def photos(tmp_path):
    """Pictures, one twice, one broken, one missing."""
    for i, name in enumerate(NAMES):
        Pillow.new("RGB", (8, 8), (i * 40, 0, 0)).save(tmp_path / name)
    (tmp_path / "text.png").write_text("no picture")
    time.sleep(2 * kept_packs.JUST_WRITTEN_SECONDS)
    return Table({"photo": [*NAMES, None, "0.png", "text.png", "gone.png"]}, folder=tmp_path)


@pytest.fixture
def image():
    image = Image(size=8, channels=3)
    image.fit([Pillow.new("RGB", (8, 8))])
    return image


@pytest.fixture
def packs(tmp_path):
    return KeptPacks(tmp_path / "cache", private=tmp_path / "private")


def same(one, other):
    for name, store in one.stores.items():
        again = other.stores[name]
        assert again.index.tolist() == store.index.tolist()
        assert again.distinct == store.distinct
        for unit in range(store.distinct):
            assert np.array_equal(again.cell(unit), store.cell(unit))
    assert [(f.what, list(f.rows)) for f in one.findings] == [
        (f.what, list(f.rows)) for f in other.findings
    ]
    assert one.broken == other.broken


def counted(monkeypatch, modality):
    """The cells that a modality decodes from here on."""
    seen, decode = [], type(modality).decode

    def note(self, cell):
        seen.append(os.path.basename(cell))
        return decode(self, cell)

    monkeypatch.setattr(type(modality), "decode", note)
    return seen


@pytest.mark.parametrize("workers", [1, 3])
def test_a_second_run_decodes_nothing_and_is_the_same(photos, image, packs, monkeypatch, workers):
    anew = pack(photos, {"photo": image})
    same(anew, pack(photos, {"photo": image}, directory=packs, workers=workers))
    with monkeypatch.context() as patch:
        seen = counted(patch, image)
        again = pack(photos, {"photo": image}, directory=packs, workers=workers)
    assert set(seen) == {"text.png", "gone.png"}  # what is broken may have been mended
    same(anew, again)
    assert again.stores["photo"].places is None  # all cells in order: no detour


def test_an_edited_file_is_decoded_alone(photos, image, packs, monkeypatch, tmp_path):
    pack(photos, {"photo": image}, directory=packs)
    kept = os.stat(tmp_path / "2.png")
    Pillow.new("RGB", (8, 8), (0, 7, 0)).save(tmp_path / "2.png")
    os.utime(tmp_path / "2.png", ns=(kept.st_atime_ns, kept.st_mtime_ns))  # an old date helps not
    time.sleep(2 * kept_packs.JUST_WRITTEN_SECONDS)
    with monkeypatch.context() as patch:
        seen = counted(patch, image)
        packed = pack(photos, {"photo": image}, directory=packs)
    assert [name for name in seen if name in NAMES] == ["2.png"]
    same(pack(photos, {"photo": image}), packed)


def test_another_table_shares_what_it_can(photos, image, packs, monkeypatch, tmp_path):
    """Batches are those of a pack made anew, whatever else lies in the file."""
    pack(photos, {"photo": image}, directory=packs)
    Pillow.new("RGB", (8, 8), "white").save(tmp_path / "new.png")
    table = Table({"photo": ["4.png", "new.png", "1.png", "4.png"] * 3}, folder=tmp_path)
    with monkeypatch.context() as patch:
        seen = counted(patch, image)
        packed = pack(table, {"photo": image}, directory=packs)
    assert seen == ["new.png"]
    anew = pack(table, {"photo": image})
    same(anew, packed)
    for one, other in zip(*(list(_loader(p, image, 12).epoch(2)) for p in (anew, packed)),
                          strict=True):  # fmt: skip
        assert one.rows.tolist() == other.rows.tolist()
        assert one.inputs["photo"].values.equal(other.inputs["photo"].values)


def _loader(packed, image, rows):
    columns = Columns({"photo": image}, {})
    return Loader(packed, columns, rows=np.arange(rows), batch_size=4, training=True)


def test_ragged_cells_with_cuts_and_remarks(packs, tmp_path):
    numbers = [[[float(i), 1.0]] * (3 + i) for i in range(5)]
    table = Table.read({"s": numbers})
    series = Series(max_length=5)
    series.fit(table.cells("s"))
    anew = pack(table, {"s": series})
    assert [f.kind for f in anew.findings] == ["too_long"]
    for _ in range(2):
        same(anew, pack(table, {"s": series}, directory=packs))


def test_what_decoding_does_not_read_is_no_other_preprocessing(image):
    def key(size=8, resize="stretch", **more):
        return preprocessing(Image(size=size, channels=3, resize=resize, **more))

    assert key() == key(mean=[0.1] * 3, std=[1.0] * 3) == key(augment="flip")
    assert len({key(), key(9), key(resize="pad"), preprocessing(Audio())}) == 4


KILLED_AFTER = (0.02, 0.11, 0.3)


def _slowly(table, image, folder):
    """Pack so that a kill may come at any instant; saves all the time."""
    kept_cells.SECONDS_BETWEEN_SAVES = 0.0
    decode = Image.decode

    def slow(self, cell):
        time.sleep(0.004)
        return decode(self, cell)

    Image.decode = slow
    pack(table, {"photo": image}, directory=KeptPacks(folder, private=folder / "private"))


@pytest.mark.skipif(os.name != "posix", reason="packs are kept where locks end with a process")
def test_a_kill_at_any_instant_loses_nothing_that_was_saved(image, tmp_path, monkeypatch):
    table = Table({"photo": [f"{i}.png" for i in range(60)]}, folder=tmp_path)
    for i in range(60):
        Pillow.new("RGB", (8, 8), (i, 2 * i, 3 * i)).save(tmp_path / f"{i}.png")
    time.sleep(2 * kept_packs.JUST_WRITTEN_SECONDS)
    anew, sizes = pack(table, {"photo": image}), []
    for seconds in KILLED_AFTER:
        # Forked: nothing but our own code runs in the child, on one thread.
        child = multiprocessing.get_context("fork").Process(
            target=_slowly, args=(table, image, tmp_path / "cache")
        )
        child.start()
        time.sleep(seconds)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        packs = KeptPacks(tmp_path / "cache", private=tmp_path / "private")
        sizes.append(len(packs.cells(image, "photo")))
    assert sizes == sorted(sizes)
    seen = counted(monkeypatch, image)
    same(anew, pack(table, {"photo": image}, directory=packs))
    assert len(seen) == 60 - sizes[-1]


def test_one_process_writes_others_pack_for_themselves(photos, image, packs, tmp_path):
    told = []
    busy = packs.cells(image, "photo")
    assert busy.lock()
    other = KeptPacks(packs.folder, private=tmp_path / "private", tell=told.append)
    same(pack(photos, {"photo": image}), pack(photos, {"photo": image}, directory=other))
    assert "another run is writing" in told[0] and list((tmp_path / "private").iterdir())
    busy.close()


@pytest.mark.parametrize("edited", [True, False])
def test_another_run_that_needs_the_room_may_delete_them(photos, image, packs, edited, tmp_path):
    """While they are being read: this run then decodes for itself."""
    pack(photos, {"photo": image}, directory=packs)
    if edited:  # so that it finds out when it begins to write
        Pillow.new("RGB", (8, 8), (0, 7, 0)).save(tmp_path / "2.png")
    told, cells = [], packs.cells

    def deleted(modality, name):
        found = cells(modality, name)
        kept_cells.remove(found.path)
        return found

    packs.cells, packs.tell = deleted, told.append
    same(pack(photos, {"photo": image}), pack(photos, {"photo": image}, directory=packs))
    assert len(told) == 1


def test_what_was_used_longest_ago_makes_room(photos, image, tmp_path):
    packs = KeptPacks(tmp_path / "cache", private=tmp_path / "private", most_bytes=4000)
    sizes = []
    for size in (8, 9, 10, 8):
        image.size = size
        pack(photos, {"photo": image}, directory=packs)
        sizes.append(sum(path.stat().st_size for path in packs.folder.iterdir()))
    assert max(sizes) <= 4000 and len(list(packs.folder.glob("*.keys"))) == 2
    packs.most_bytes = 1600  # with new pictures beside the old ones it is too much: begin anew
    for i, name in enumerate(NAMES):
        Pillow.new("RGB", (8, 8), (0, i, 99)).save(photos.folder / name)
    time.sleep(2 * kept_packs.JUST_WRITTEN_SECONDS)
    for kept in (0, len(NAMES)):
        pack(photos, {"photo": image}, directory=packs)
        assert len(packs.cells(image, "photo")) == kept
    told = []
    small = KeptPacks(
        tmp_path / "small", private=tmp_path / "private", most_bytes=500, tell=told.append
    )
    pack(photos, {"photo": image}, directory=small)
    assert "data.keep_packs_gb" in told[0]


def test_a_disk_too_small_says_how_much_is_needed(photos, image, packs, monkeypatch, tmp_path):
    monkeypatch.setattr(pack_module, "FEW_CELLS", 0)
    for module in (kept_packs, pack_module):
        monkeypatch.setattr(module, "free_bytes", lambda folder: 500)
    with pytest.raises(RunError, match=r"needs about 0\.0 GB in .*private.*0\.0 GB are free"):
        pack(photos, {"photo": image}, directory=packs)
    assert not list((tmp_path / "private").glob("*.bin"))


def test_pictures_in_memory_are_not_kept(image, packs):
    table = Table({"photo": [Pillow.new("RGB", (8, 8), "white")] * 2})
    packed = pack(table, {"photo": image}, directory=packs)
    assert packed.stores["photo"].index.tolist() == [0, 1]
    assert packs.private.is_dir()
