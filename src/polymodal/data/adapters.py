"""Data sets in the layouts that others give them: COCO, Flickr, Hugging Face datasets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from polymodal.data.summary import Column
from polymodal.errors import MissingExtra, TableError

PICTURE_FOLDERS = (
    "", "images", "flickr30k_images", "flickr30k-images", "Images", "Flicker8k_Dataset",
    "Flickr8k_Dataset",
)  # fmt: skip
FLICKR_HEADER = ["image_name", "comment_number", "comment"]
KARPATHY_PARTS = {"restval": "train", "val": "validation"}


def is_coco(content: Any) -> bool:
    """Whether a JSON file is laid out as COCO's: pictures, and what is said of them by number."""
    return isinstance(content, dict) and {"images", "annotations"} <= set(content)


def read_coco(place: Path, content: Mapping[str, Any]) -> dict[str, Column]:
    """COCO's captions or objects.

    Returns:
        ``image`` and ``caption``, a row for each caption; or ``image`` and ``objects`` (the names
        of the kinds seen in it), a row for each picture.

    Raises:
        TableError: the file lacks what such files have.
    """
    try:
        files = {image["id"]: image["file_name"] for image in content["images"]}
        notes = content["annotations"]
        folder = _pictures(place, files.values(), _year(place.stem))
        if all("caption" in note for note in notes):
            pictures = [folder + files[note["image_id"]] for note in notes]
            return _columns(image=pictures, caption=[note["caption"] for note in notes])
        kinds = {kind["id"]: kind["name"] for kind in content["categories"]}
        seen: dict[Any, set[str]] = {image: set() for image in files}
        for note in notes:
            seen[note["image_id"]].add(kinds[note["category_id"]])
    except (KeyError, TypeError) as error:
        raise TableError(f"{str(place)!r} looks like COCO but lacks {error}.") from error
    pictures = [folder + name for name in files.values()]
    return _columns(image=pictures, objects=[sorted(names) for names in seen.values()])


def is_karpathy(content: Any) -> bool:
    """Whether a JSON file is one of Karpathy's splits of Flickr8k, Flickr30k or COCO."""
    images = content.get("images") if isinstance(content, dict) else None
    return isinstance(images, list) and bool(images) and "sentences" in images[0]


def read_karpathy(place: Path, content: Mapping[str, Any]) -> dict[str, Column]:
    """Captions with the part each belongs to: ``image``, ``caption``, ``split``."""
    images = content["images"]
    names = ["/".join(filter(None, (i.get("filepath"), i["filename"]))) for i in images]
    folder = _pictures(place, names, "")
    rows = [
        (folder + name, sentence["raw"], KARPATHY_PARTS.get(image["split"], image["split"]))
        for name, image in zip(names, images, strict=True)
        for sentence in image["sentences"]
    ]
    pictures, captions, parts = zip(*rows, strict=True)
    return _columns(image=pictures, caption=captions, split=parts)


def is_flickr(place: Path) -> bool:
    """Whether a text file holds the captions of Flickr8k or Flickr30k, as they are published."""
    if place.suffix == ".token":
        return True
    if place.suffix.lower() not in (".csv", ".txt"):
        return False
    with place.open(encoding="utf-8-sig", errors="replace") as file:
        header = file.readline(200)
    named = [word.strip() for word in header.split("|")] == FLICKR_HEADER
    return named or (place.suffix.lower() == ".txt" and header.strip() == "image,caption")


def read_flickr(place: Path) -> dict[str, Column]:
    """Captions of Flickr8k or Flickr30k, a row for each: ``image``, ``caption``.

    Raises:
        TableError: a line is not a picture's name and a caption.
    """
    lines = place.read_text("utf-8-sig").splitlines()
    pattern = r"(?P<name>[^\t|,#]+)(?:#\d+\t|\|\s*\d+\s*\|?|,)\s*(?P<caption>.*)"
    rows = []
    for number, line in enumerate(lines, start=1):
        found = re.fullmatch(pattern, line)
        if found and found["caption"]:
            rows.append((found["name"].strip(), found["caption"].strip().strip('"')))
        elif line.strip() and number > 1:  # the first line may hold the columns' names
            raise TableError(f"{str(place)!r}, line {number}: not a picture and its caption.")
    rows = [row for row in rows if row != ("image", "caption")]
    if not rows:
        raise TableError(f"{str(place)!r} holds no captions.")
    folder = _pictures(place, [name for name, _ in rows[:1]], "")
    return _columns(image=[folder + name for name, _ in rows], caption=[said for _, said in rows])


def is_datasets(source: Any) -> bool:
    """Whether an object comes from the library `datasets`."""
    return type(source).__module__.split(".")[0] == "datasets"


def is_saved_datasets(place: Path) -> bool:
    """Whether a folder was written by ``save_to_disk`` of the library `datasets`."""
    whole = (place / "state.json").is_file() and (place / "dataset_info.json").is_file()
    return whole or (place / "dataset_dict.json").is_file()


def load_saved_datasets(place: Path) -> Any:
    """What ``save_to_disk`` wrote.

    Raises:
        MissingExtra: `datasets` is not installed.
    """
    try:
        from datasets import load_from_disk
    except ImportError as error:
        raise MissingExtra("datasets", "datasets") from error
    return load_from_disk(str(place))


def from_datasets(source: Any) -> pa.Table:
    """The rows of a ``datasets.Dataset``, or of all parts of a ``DatasetDict``.

    Media stay bytes and paths, which polymodal decodes itself; classes get their names.

    Raises:
        TableError: it is a stream, whose length nobody knows.
    """
    if isinstance(source, Mapping):
        parts = [from_datasets(part) for part in source.values()]
        named = [
            part.append_column("split", pa.array([name] * len(part)))
            for name, part in zip(source, parts, strict=True)
        ]
        return pa.concat_tables(named, promote_options="permissive")
    if not hasattr(source, "with_format") or not hasattr(source, "__len__"):
        raise TableError(
            f"A {type(source).__name__} is a stream: save it as Parquet files and train with "
            "data.stream=true, or load it without streaming."
        )
    # Kept on disk and mapped, unless rows were chosen or shuffled.
    table = source.data.table if source._indices is None else source.with_format("arrow")[:]
    for name, feature in source.features.items():
        if type(feature).__name__ == "ClassLabel":
            names = pa.array([*feature.names, None])
            numbers = table[name].combine_chunks().fill_null(-1).to_numpy(zero_copy_only=False)
            place = table.column_names.index(name)
            table = table.set_column(place, name, names.take(pa.array(numbers % len(names))))
    return table


def _columns(**cells: Any) -> dict[str, Column]:
    return {name: pa.chunked_array([pa.array(list(column))]) for name, column in cells.items()}


def _year(stem: str) -> str:
    """The folder that COCO's pictures are in, by the name of the file about them.

    >>> _year("captions_train2017"), _year("captions")
    ('train2017', '')
    """
    found = re.search(r"(train|val|test)\d{4}", stem)
    return found[0] if found else ""


def _pictures(place: Path, names: Iterable[str], further: str) -> str:
    """Where the pictures lie, seen from the file about them; '' where none is found."""
    first = next(iter(names), None)
    if first is None:
        return ""
    for above in (place.parent, place.parent.parent):
        for inner in (further, *PICTURE_FOLDERS):
            if (above / inner / first).is_file():
                found = Path(os.path.relpath(above / inner, place.parent)).as_posix()
                return "" if found == "." else f"{found}/"
    return ""
