"""Streams: the batches of a pack, in another order, from any file system, and resumed exactly."""

import io
import json
from itertools import islice

import fsspec
import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image as Pillow
from pyarrow import parquet

from polymodal.data.export import write_webdataset
from polymodal.data.loader import Columns
from polymodal.data.modalities import Category, Image, Number
from polymodal.data.shards import Shards
from polymodal.data.stream import Stream
from polymodal.data.table import Table
from polymodal.errors import TableError

ROWS = 23


def png(row):
    file = io.BytesIO()
    Pillow.new("RGB", (8, 8), (row * 10, 0, 0)).save(file, "PNG")
    return file.getvalue()


def cells(row):
    return {"n": float(row), "kind": "ab"[row % 2]}


@pytest.fixture
def columns():
    image, number, kind = Image(size=8, channels=3), Number(), Category()
    image.fit([Pillow.new("RGB", (8, 8))])
    number.fit([0.0, 22.0])
    kind.fit(["a", "b"])
    return Columns({"photo": image, "n": number}, {"kind": kind})


@pytest.fixture(params=["parquet", "jsonl", "tar", "memory", "arrow"])
def source(request, tmp_path):
    """The same rows in three files of each kind, and at addresses."""
    if request.param == "tar":
        for row in range(ROWS):
            (tmp_path / f"{row}.png").write_bytes(png(row))
        rows = [{"photo": f"{row}.png", **cells(row)} for row in range(ROWS)]
        write_webdataset(Table.read(rows, folder=tmp_path), tmp_path / "tars", rows=9)
        return str(tmp_path / "tars" / "{000000..000002}.tar")
    if request.param in ("jsonl", "memory"):
        place = f"memory://{tmp_path.name}" if request.param == "memory" else str(tmp_path)
        for start in (0, 9, 18):
            lines = []
            for row in range(start, min(start + 9, ROWS)):
                with fsspec.open(f"{place}/{row}.png", "wb") as file:
                    file.write(png(row))
                lines.append(json.dumps({"photo": f"{row}.png", **cells(row)}))
            with fsspec.open(f"{place}/part{start:02}.jsonl", "w") as file:
                file.write("\n".join(lines))
        return f"{place}/part*.jsonl"
    for start in (0, 9, 18):
        rows = [{"photo": png(row), **cells(row)} for row in range(start, min(start + 9, ROWS))]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{start:02}.parquet")
    return f"file://{tmp_path}" if request.param == "arrow" else str(tmp_path)


def batches(stream, columns, *, epoch=0, skip=0, count=None):
    loader = stream.loader(columns, batch_size=4, seed=3)
    return list(islice(loader.epoch(epoch, skip), count))


def test_every_row_comes_once_and_decoded(source, columns):
    stream = Stream(Shards(source), shuffle=5, workers=2)
    found = batches(stream, columns)
    assert len(found) == stream.loader(columns, batch_size=4, seed=3).steps_per_epoch == 5
    rows = torch.cat([batch.rows for batch in found]).tolist()
    assert len(set(rows)) == 20 and set(rows) <= set(range(ROWS)) and rows != sorted(rows)
    for batch in found:
        photo, number = batch.inputs["photo"], batch.inputs["n"]
        assert photo.by_row()[:, 0, 0, 0].tolist() == [10 * row for row in batch.rows.tolist()]
        assert number.values.tolist() == batch.rows.tolist()
        assert batch.targets["kind"].values.tolist() == [row % 2 for row in batch.rows.tolist()]


def test_the_rest_of_an_epoch_is_the_same_after_a_stop(source, columns):
    whole = batches(Stream(Shards(source), shuffle=5, workers=2), columns, epoch=1)
    rest = batches(Stream(Shards(source), shuffle=5), columns, epoch=1, skip=2)
    assert len(rest) == 3
    for one, other in zip(whole[2:], rest, strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.inputs["photo"].values.equal(other.inputs["photo"].values)
    other = batches(Stream(Shards(source), shuffle=5), columns, epoch=2)
    assert [b.rows.tolist() for b in other] != [b.rows.tolist() for b in whole]


def test_processes_share_the_batches(source, columns):
    whole = batches(Stream(Shards(source)), columns)
    for me in range(2):
        mine = batches(Stream(Shards(source), process=(me, 2)), columns)
        for place, batch in enumerate(mine):
            assert bool(batch.inputs) == (place % 2 == me)  # the others are not even decoded
            if place % 2 == me:
                assert batch.rows.tolist() == whole[place].rows.tolist()


def test_the_sample_is_spread_over_the_files_and_held_out(source):
    shards = Shards(source)
    table, numbers = shards.sample(7)
    assert numbers == [0, 1, 2, 9, 10, 18, 19] and table.cells("n") == numbers
    stream = Stream(shards, sample=numbers)
    stream.hold_out(np.array([1, 6]))
    assert len(stream) == ROWS - 2
    drawn = {row.number for row in islice(stream.order(np.random.default_rng(0)), len(stream))}
    assert drawn == set(range(ROWS)) - {1, 19}
    assert "7 of 23 rows" in stream.finding().what


def test_what_cannot_be_decoded_is_counted(tmp_path, columns):
    rows = [{"photo": b"" if row == 3 else png(row), **cells(row)} for row in range(8)]
    rows[5] = {"n": 5.0}
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps({"n": 1.0}) for _ in range(4)))
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    stream = Stream(Shards([tmp_path / "a.parquet", tmp_path / "t.jsonl"]), shuffle=100)
    found = batches(stream, columns)
    present = torch.cat([batch.inputs["photo"].present for batch in found])
    assert present.sum() == 6
    (finding,) = stream.broken_cells()
    assert finding.column == "photo" and "1 times" in finding.what


def test_what_cannot_be_streamed_says_why(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    with pytest.raises(TableError, match=r"cannot be streamed.*\.parquet"):
        Shards(tmp_path / "a.csv")
    with pytest.raises(TableError, match="no file or folder"):
        Shards(tmp_path / "gone.tar")
    (tmp_path / "bad.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(TableError, match=r"bad\.tar.*tar archive"):
        list(Shards(tmp_path / "bad.tar").rows(0))
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a"')
    with pytest.raises(TableError, match="line 2"):
        list(Shards(tmp_path / "bad.jsonl").rows(0))
