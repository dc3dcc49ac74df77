"""Write a table of English captions, each with the five Chinese captions of the same photo.

    python examples/captions_translation/make_table.py $POLYMODAL_DATA/flickr8k_trimodal_1k runs/captions.jsonl

Every English caption of a photo for training and validation is a row; of a photo for the test it is
the first one only, so that the rows of the test are independent of one another. The parts are those
of the data set: no photo is in two of them.
"""  # noqa: E501

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def rows_of(photo: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a photo, one for each English caption that is used."""
    captions = photo["captions_en"][:1] if photo["split"] == "test" else photo["captions_en"]
    for caption in captions:
        yield {
            "photo": photo["id"],
            "split": photo["split"],
            "english": caption,
            "chinese": photo["captions_zh"],
        }


def main() -> None:
    """Read the photos' captions, write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder flickr8k_trimodal_1k")
    parser.add_argument("out", type=Path, help="the table to write, .jsonl")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    photos = map(json.loads, (options.data / "data.jsonl").read_text("utf-8").splitlines())
    lines = [json.dumps(row, ensure_ascii=False) for photo in photos for row in rows_of(photo)]
    options.out.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    print(f"{options.out}: {len(lines):,} rows")


if __name__ == "__main__":
    main()
