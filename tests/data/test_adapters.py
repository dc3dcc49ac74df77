"""Data sets as others lay them out."""

import json

import pytest
from PIL import Image as Pillow

from polymodal.data.export import save_datasets, to_datasets, write_webdataset
from polymodal.data.table import Table
from polymodal.errors import TableError

COCO_IMAGES = [{"id": 7, "file_name": "a.jpg"}, {"id": 9, "file_name": "b.jpg"}]


def picture(path, colour=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.new("RGB", (4, 4), (colour, 0, 0)).save(path)


def rows(table):
    columns = [table.cells(name) for name in table.names]
    return table.names, list(zip(*columns, strict=True))


@pytest.mark.parametrize("folder", ["", "images", "val2017", "../val2017"])
def test_coco_captions_find_their_pictures(tmp_path, folder):
    place = tmp_path / "annotations" / "captions_val2017.json"
    picture(place.parent / folder / "a.jpg")
    notes = [
        {"image_id": 7, "caption": "a cat"},
        {"image_id": 9, "caption": "a dog"},
        {"image_id": 7, "caption": "cat"},
    ]
    place.write_text(json.dumps({"info": {}, "images": COCO_IMAGES, "annotations": notes}))
    names, found = rows(Table.read(place))
    start = f"{folder}/" if folder else ""
    assert names == ["image", "caption"]
    assert found == [
        (f"{start}a.jpg", "a cat"), (f"{start}b.jpg", "a dog"), (f"{start}a.jpg", "cat"),
    ]  # fmt: skip


def test_coco_objects_are_tags_of_each_picture(tmp_path):
    kinds = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    notes = [{"image_id": 7, "category_id": 2}, {"image_id": 7, "category_id": 1}]
    content = {"images": COCO_IMAGES, "annotations": notes, "categories": kinds}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    names, found = rows(Table.read(tmp_path / "instances.json"))
    assert names == ["image", "objects"] and found == [("a.jpg", ["cat", "dog"]), ("b.jpg", None)]
    del content["categories"]
    (tmp_path / "instances.json").write_text(json.dumps(content))
    with pytest.raises(TableError, match="looks like COCO but lacks 'categories'"):
        Table.read(tmp_path / "instances.json")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("results.token", "1.jpg#0\tA cat, red .\n1.jpg#1\tA dog .\n2.jpg#0\tNo .\n"),
        ("results.csv", "image_name| comment_number| comment\n1.jpg| 0| A cat, red .\n"
         "1.jpg| 1   A dog .\n2.jpg| 0| No .\n"),
        ("captions.txt", 'image,caption\n1.jpg,"A cat, red ."\n1.jpg,A dog .\n2.jpg,No .\n'),
    ],
)  # fmt: skip
def test_flickr_captions_even_with_the_line_that_lacks_a_bar(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    picture(tmp_path / "flickr30k_images" / "1.jpg")
    names, found = rows(Table.read(tmp_path / name))
    assert names == ["image", "caption"]
    start = "flickr30k_images/"
    assert found == [
        (f"{start}1.jpg", "A cat, red ."), (f"{start}1.jpg", "A dog ."), (f"{start}2.jpg", "No ."),
    ]  # fmt: skip


def test_karpathys_split(tmp_path):
    images = [
        {"filename": "1.jpg", "split": "restval", "sentences": [{"raw": "x"}, {"raw": "y"}]},
        {"filename": "2.jpg", "split": "val", "sentences": [{"raw": "z"}]},
    ]
    (tmp_path / "d.json").write_text(json.dumps({"dataset": "flickr30k", "images": images}))
    names, found = rows(Table.read(tmp_path / "d.json"))
    assert names == ["image", "caption", "split"]
    assert found == [
        ("1.jpg", "x", "train"), ("1.jpg", "y", "train"), ("2.jpg", "z", "validation")
    ]  # fmt: skip


@pytest.fixture
def table(tmp_path):
    for i in (0, 1, 3):
        picture(tmp_path / f"{i}.png", i * 50)
    content = {
        "photo": ["0.png", "1.png", None, "3.png"],
        "n": [1.5, 2.0, None, 4.0],
        "c": ["a", "b", "a", None],
    }
    return Table(content, folder=tmp_path)


def test_webdataset_out_and_in(table, tmp_path):
    written = write_webdataset(table, tmp_path / "tars", rows=3)
    assert [path.name for path in written] == ["000000.tar", "000001.tar"]
    again = Table.read(tmp_path / "tars")
    assert again.cells("n") == table.cells("n") and again.cells("c") == table.cells("c")
    pictures = [None if c is None else (tmp_path / c).read_bytes() for c in table.cells("photo")]
    assert again.cells("photo") == pictures


def test_webdataset_of_others(tmp_path):
    import tarfile

    for name, content in {"1.jpg": b"\xff\xd8\xff", "1.cls": b"3", "1.left.txt": b"hi"}.items():
        (tmp_path / name).write_bytes(content)
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        for name in ("1.jpg", "1.cls", "1.left.txt"):
            archive.add(tmp_path / name, f"train/{name}")
    names, found = rows(Table.read(tmp_path / "t.tar"))
    assert names == ["image", "label", "left"] and found == [(b"\xff\xd8\xff", 3, "hi")]


@pytest.mark.slow
def test_hugging_face_datasets_out_and_in(table, tmp_path):
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    found = to_datasets(table)
    again = Table.read(found)
    assert again.cells("n") == table.cells("n")
    assert [cell and cell["path"] for cell in again.cells("photo")] == table.cells("photo")
    assert Table.read(found.select([3, 0])).cells("n") == [4.0, 1.5]
    save_datasets(table, tmp_path / "saved")
    assert Table.read(tmp_path / "saved").cells("c") == table.cells("c")
    named = datasets.Dataset.from_dict({"y": [0, 1, -1]})
    named = named.cast_column("y", datasets.ClassLabel(names=["cat", "dog"]))
    parts = datasets.DatasetDict(train=named, test=named.select([1]))
    both = Table.read(parts)
    assert both.cells("y") == ["cat", "dog", None, "dog"]
    assert both.cells("split") == ["train"] * 3 + ["test"]
    with pytest.raises(TableError, match="stream"):
        Table.read(named.to_iterable_dataset())
