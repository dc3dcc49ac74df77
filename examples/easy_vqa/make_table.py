"""Put easy-VQA into one Parquet file, the pictures' bytes inside a column.

    pip install --no-deps easy-vqa==1.0
    python examples/easy_vqa/make_table.py                      # from the installed package
    python examples/easy_vqa/make_table.py --data DIR/easy_vqa  # from a folder with data.csv

The file holds the whole data set, in the order of its authors: split, image, question, answer.
A picture has about ten questions; Parquet's dictionary keeps each picture once.
"""

import argparse
import csv
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

HERE = Path(__file__).resolve().parent
Row = tuple[str, Path, str, str]


def rows_of_package() -> Iterator[Row]:
    """The rows of the installed package ``easy-vqa``."""
    found = importlib.util.find_spec("easy_vqa")
    if found is None or found.origin is None:
        raise SystemExit("easy-vqa is not installed: pip install --no-deps easy-vqa==1.0")
    for split in ("train", "test"):
        folder = Path(found.origin).parent / "data" / split
        for question, answer, image in json.loads((folder / "questions.json").read_text("utf-8")):
            yield split, folder / "images" / f"{image}.png", question, answer


def rows_of_folder(folder: Path) -> Iterator[Row]:
    """The rows of a folder that holds ``data.csv`` and the pictures it names."""
    with (folder / "data.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["split"], folder / row["image"], row["question"], row["answer"]


def write(rows: list[Row], path: Path) -> None:
    """Write the rows as Parquet."""
    places: dict[Path, int] = {}
    codes = [places.setdefault(image, len(places)) for _, image, _, _ in rows]
    pictures = pa.array([image.read_bytes() for image in places], pa.binary())
    table = pa.table(
        {
            "split": [split for split, _, _, _ in rows],
            "image": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pictures),
            "question": [question for _, _, question, _ in rows],
            "answer": [answer for _, _, _, answer in rows],
        }
    )
    # The dictionary must hold all pictures: beyond its limit each row would store its own.
    parquet.write_table(
        table.cast(pa.schema([(name, pa.binary() if name == "image" else pa.string())
                              for name in table.column_names])),
        path,
        compression="zstd",
        row_group_size=len(rows),
        dictionary_pagesize_limit=1 << 25,
        store_schema=False,
    )  # fmt: skip


def main() -> None:
    """Write the table, and say how big it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with data.csv; default: the package")
    parser.add_argument("--out", type=Path, default=HERE / "easy_vqa.parquet")
    options = parser.parse_args()
    rows = list(rows_of_folder(options.data) if options.data else rows_of_package())
    write(rows, options.out)
    pictures = len({image for _, image, _, _ in rows})
    size = options.out.stat().st_size / 1e6
    print(f"{options.out}: {len(rows):,} rows, {pictures:,} pictures, {size:.1f} MB")


if __name__ == "__main__":
    main()
