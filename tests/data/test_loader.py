from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from polymodal.data.loader import Columns, Loader, gather, gather_features
from polymodal.data.modalities import Category, Image, Number, Tags, Text
from polymodal.data.pack import Pack, Store, pack
from polymodal.data.table import Table

PICTURES = [np.full((4, 4, 3), 20 * i + 10, np.uint8) for i in range(6)]


def image():
    image = Image(size=4, channels=3)
    image.fit(PICTURES)
    return image


def text():
    text = Text()
    text.fit(["a b c d e", "a", "b c"])
    return text


def numbers(count, share=None):
    """A loader's pack of a number for each row, and of a picture for every ``share`` rows."""
    stores = {"n": Store(np.arange(count), np.arange(count, dtype=np.float32))}
    columns = {"n": Number()}
    if share:
        units = np.arange(count) // share
        pictures = np.zeros((units.max() + 1, 4, 4, 3), np.uint8)
        stores["p"], columns["p"] = Store(units, pictures), image()
    return Pack(count, stores), Columns(columns, {})


def drawn(loader, epoch=0):
    return [batch.rows.tolist() for batch in loader.epoch(epoch)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.integers(1, 20), st.sampled_from([None, 1, 2, 5]), st.booleans())
def test_every_row_once_in_an_order_that_seed_and_epoch_decide(count, size, share, training):
    packed, columns = numbers(count, share)
    rows = np.arange(count)[::-1].copy()
    options = {"rows": rows, "batch_size": size, "seed": 3, "training": training}
    loader = Loader(packed, columns, **options)
    batches = drawn(loader, 1)
    assert sorted(row for batch in batches for row in batch) == list(range(count))
    assert len(batches) == loader.steps_per_epoch
    assert batches == drawn(Loader(packed, columns, **options), 1)
    if size > 1 and count > 1:
        assert min(map(len, batches)) > 1
    assert max(map(len, batches)) <= size + max(1, size // 4)


def test_epochs_and_seeds_differ():
    packed, columns = numbers(50)
    options = {"rows": np.arange(50), "batch_size": 10, "training": True}
    loader = Loader(packed, columns, **options)
    assert drawn(loader, 0) != drawn(loader, 1)
    assert drawn(loader, 0) != drawn(Loader(packed, columns, seed=1, **options), 0)


def test_an_epoch_can_start_in_the_middle():
    packed, columns = numbers(50, 5)
    loader = Loader(packed, columns, rows=np.arange(50), batch_size=8, training=True)
    rest = [batch.rows.tolist() for batch in loader.epoch(2, skip=3)]
    assert rest == drawn(loader, 2)[3:]


def test_no_rows():
    packed, columns = numbers(5)
    for training in (True, False):
        loader = Loader(packed, columns, rows=np.arange(0), batch_size=4, training=training)
        assert drawn(loader) == [] and loader.steps_per_epoch == 0


def test_rows_that_share_a_picture_are_drawn_together_in_small_runs():
    packed, columns = numbers(640, 10)
    loader = Loader(packed, columns, rows=np.arange(640), batch_size=64, training=True)
    for batch in loader.epoch(0):
        held = len(batch.inputs["p"].values)
        assert 12 <= held <= 32  # alone, 64 rows would hold some 40 of 64 pictures
    apart = Loader(packed, columns, rows=np.arange(640), batch_size=64, training=True, share=False)
    assert len(next(apart.epoch(0)).inputs["p"].values) == 64


def test_where_no_input_has_a_length_written_texts_of_like_length_meet():
    words = text()
    cells = [("a b c d e " * 8).strip() if row % 2 else "a" for row in range(200)]
    packed = pack(Table.read({"n": list(range(200)), "t": cells}), {"n": Number(), "t": words})
    columns = Columns({"n": Number()}, {"t": words})
    options = {"rows": np.arange(200), "batch_size": 10, "training": True}
    lengths = [
        {int(row) % 2 for row in batch.rows}
        for batch in Loader(packed, columns, **options).epoch(0)
    ]
    assert sum(len(parities) == 1 for parities in lengths) >= len(lengths) - 1


def test_texts_of_like_length_meet():
    lengths = np.random.default_rng(0).integers(1, 50, 400)
    offsets = np.r_[0, np.cumsum(lengths)]
    packed = Pack(400, {"t": Store(np.arange(400), np.ones(offsets[-1], np.int32), offsets)})
    loader = Loader(packed, Columns({"t": text()}, {}), rows=np.arange(400), batch_size=20,
                    training=True)  # fmt: skip
    padded = sum(batch.inputs["t"].values.numel() for batch in loader.epoch(0))
    assert padded < 1.15 * lengths.sum()


ROWS = [
    {"photo": PICTURES[1], "text": "a b c d e", "n": 1.5, "kind": "x", "tags": ["u", "v"]},
    {"photo": None, "text": "a", "n": None, "kind": "y", "tags": None},
    {"photo": PICTURES[2], "text": None, "n": -2.0, "kind": None, "tags": ["v"]},
    {"photo": None, "text": None, "n": None, "kind": None, "tags": None},
    {"photo": PICTURES[1], "text": "b c", "n": 7.0, "kind": "x", "tags": ["w"]},
]


@pytest.fixture(scope="module")
def world():
    modalities = {
        "photo": image(),
        "text": text(),
        "n": Number(),
        "kind": Category(),
        "tags": Tags(),
    }
    table = Table.read(ROWS)
    for name in ("n", "kind", "tags"):
        modalities[name].fit([cell for cell in table.cells(name) if cell is not None])
    return pack(table, modalities), Columns(modalities, {})


def content(field, row):
    """What a row of a field holds: None where absent, without padding."""
    if not field.present[row]:
        return None
    place = row if field.index is None else int(field.index[row])
    values = field.values[place]
    return (values if field.mask is None else values[field.mask[place]]).tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=8), st.booleans())
def test_a_row_is_the_same_alone_and_in_any_batch(world, rows, share):
    packed, columns = world
    loader = Loader(packed, columns, rows=np.arange(5), batch_size=8, share=share)
    together = loader.batch(np.array(rows))
    for place, row in enumerate(rows):
        alone = loader.batch(np.array([row]))
        for name in columns.inputs:
            assert content(together.inputs[name], place) == content(alone.inputs[name], 0)
            assert (content(alone.inputs[name], 0) is None) == (ROWS[row][name] is None)


def test_absent_cells_are_not_in_the_batch(world):
    packed, columns = world
    batch = Loader(packed, columns, rows=np.arange(5), batch_size=8).batch(np.arange(5))
    photo, number = batch.inputs["photo"], batch.inputs["n"]
    assert photo.values.shape == (3, 3, 4, 4) and photo.index.tolist() == [0, 0, 1, 0, 2]
    assert number.index is None and number.values.tolist() == [1.5, 0, -2, 0, 7]
    assert batch.inputs["tags"].values.dtype == torch.uint8
    absent = gather(packed.stores["text"], columns.inputs["text"], [2, 3], share=True)
    assert absent.values.tolist() == [[0]] and not absent.present.any()


def test_a_broken_number_leaves_no_trace():
    table = Table.read({"n": [1.0, float("inf"), 2.0]})
    number = Number()
    number.fit([1.0, 2.0])
    packed = pack(table, {"n": number})
    field = gather(packed.stores["n"], number, np.arange(3), share=True)
    assert field.values.tolist() == [1, 0, 2] and field.present.tolist() == [True, False, True]


def test_augmentation_depends_on_the_place_only():
    packed, _ = numbers(12, 2)
    packed.stores["p"].values[:] = np.random.default_rng(0).integers(0, 255, (6, 4, 4, 3))
    moved = Image(size=4, channels=3, augment="shift_flip")
    moved.fit(PICTURES)
    options = {"rows": np.arange(12), "batch_size": 4, "training": True}
    loader = Loader(packed, Columns({"p": moved}, {}), **options)
    first = [b.inputs["p"].values for b in loader.epoch(0)]
    again = [b.inputs["p"].values for b in loader.epoch(0)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    later = next(loader.epoch(0, skip=2)).inputs["p"].values
    assert torch.equal(later, first[2])


def test_kept_features_stand_for_the_cells():
    packed, columns = numbers(8, 2)
    packed.stores["p"].index[6:] = -1
    features = np.arange(6, dtype=np.float32).reshape(3, 1, 2)
    kept = replace(packed, features={"p": Store(packed.stores["p"].index, features)})
    options = {"rows": np.arange(8), "batch_size": 4, "training": True}
    cells, encoded = (list(Loader(each, columns, **options)) for each in (packed, kept))
    assert [b.rows.tolist() for b in cells] == [b.rows.tolist() for b in encoded]
    for batch in encoded:
        field = batch.inputs["p"]
        assert field.encoded and not batch.inputs["n"].encoded
        vectors = field.tokens().take(field.index).pooled
        for row, vector, here in zip(batch.rows.tolist(), vectors, field.present, strict=True):
            assert here == (row < 6)
            if here:
                assert vector.tolist() == features[row // 2, 0].tolist()


def test_features_of_several_lengths():
    values = np.arange(14, dtype=np.float32).reshape(7, 2)
    store = Store(np.array([1, -1, 0]), values, np.array([0, 3, 7]))
    field = gather_features(store, np.arange(3), share=True)
    tokens = field.tokens()
    assert tokens.pooled.tolist() == values[[0, 3]].tolist()  # the first row of each cell
    assert tokens.mask.tolist() == [[True, True, False], [True, True, True]]
    assert tokens.x[0, :2].tolist() == values[1:3].tolist()
    nobody = gather_features(store, np.array([1, 1]), share=True)
    assert nobody.values.shape == (1, 2, 2) and not nobody.present.any()


def test_reading_ahead_changes_nothing(tmp_path, monkeypatch):
    """Batches read by another thread are those made here, from the start and from a stop."""
    from PIL import Image as Pillow

    from polymodal.data import loader as loader_module

    pixels = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    table = Table({"photo": [Pillow.fromarray(one) for one in pixels]})
    image = Image(size=8, channels=3, augment="shift_flip")
    image.fit(table.cells("photo"))
    packed = pack(table, {"photo": image}, directory=tmp_path)
    columns = Columns({"photo": image}, {})

    def epoch(skip=0):
        source = Loader(packed, columns, rows=np.arange(30), batch_size=8, seed=1, training=True)
        return [(batch.rows, batch.inputs["photo"].values) for batch in source.epoch(2, skip)]

    plain = epoch()
    monkeypatch.setattr(loader_module, "WORTH_READING_AHEAD", 0)
    for skip in (0, 2):
        for (rows, values), (same_rows, same_values) in zip(plain[skip:], epoch(skip), strict=True):
            assert rows.equal(same_rows) and values.equal(same_values)
