"""Write the tables of the verification protocol of orl_faces: 30 people to learn from, 10 new ones.

    python examples/orl_faces_verification/tables.py $POLYMODAL_DATA/orl_faces faces/

``train.csv`` holds people 1 to 30, ``test.csv`` people 31 to 40, ``pairs.csv`` the pairs to be
tested; pictures are named by their absolute paths, and nothing is copied.
"""

import argparse
import csv
from pathlib import Path

FIRST_TEST_PERSON = 31


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Rows as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Read the data set, write the three tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path, help="the folder orl_faces")
    parser.add_argument("out", type=Path, help="where the tables go")
    options = parser.parse_args()
    data, out = options.data.absolute(), options.out
    out.mkdir(parents=True, exist_ok=True)
    people = [
        {"image": str(data / row["image"]), "subject": row["subject"]}
        for row in read(data / "data.csv")
    ]
    new = [row for row in people if int(row["subject"]) >= FIRST_TEST_PERSON]
    write(out / "train.csv", [row for row in people if row not in new])
    write(out / "test.csv", new)
    pairs = [
        {
            "image_a": str(data / row["image_a"]),
            "image_b": str(data / row["image_b"]),
            "same": row["same"],
        }
        for row in read(data / "pairs.csv")
        if row["split"] == "test"
    ]
    write(out / "pairs.csv", pairs)
    print(f"{len(people) - len(new)} and {len(new)} pictures, {len(pairs)} pairs in {out}")


if __name__ == "__main__":
    main()
