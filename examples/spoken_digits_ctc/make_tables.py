"""Write six tables of spoken digits, in each of which one speaker is kept for the test.

    python examples/spoken_digits_ctc/make_tables.py $POLYMODAL_DATA/digits_multi runs/new_speaker

In ``george.csv`` all recordings of George are the test part, those of the next speaker in the
alphabet choose the best epoch, and the other four are learned from.
"""

import argparse
import csv
from pathlib import Path


def write(source: Path, out: Path) -> list[Path]:
    """Write the tables; returns them, one for each speaker.

    Args:
        source: the folder with ``data.csv``.
        out: the folder that is made.
    """
    with (source / "data.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    speakers = sorted({row["speaker"] for row in rows})
    out.mkdir(parents=True, exist_ok=True)
    tables = []
    for place, kept in enumerate(speakers):
        after = speakers[(place + 1) % len(speakers)]
        parts = {kept: "test", after: "validation"}
        tables.append(out / f"{kept}.csv")
        with tables[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["split", "audio", "word_en"])
            for row in rows:
                audio = (source / row["audio"]).resolve()
                writer.writerow([parts.get(row["speaker"], "train"), audio, row["word_en"]])
    return tables


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    for table in write(asked.source, asked.out):
        print(table)
