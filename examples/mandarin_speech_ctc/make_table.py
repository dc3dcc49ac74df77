"""Write two tables of Mandarin syllables and their pinyin: speakers that are known, and a new one.

    python examples/mandarin_speech_ctc/make_table.py $POLYMODAL_DATA/mandarin_speech runs/mandarin

The two speakers were recorded in different rooms, one with the hum of the mains. So each recording
loses what is below 100 Hz, is cut to what lies within 30 dB of its loudest moment, and is brought
to the same loudness. Both write some syllables differently (lv and luu); here they agree.

* ``known_speakers.jsonl``: a fifth of the syllables, each with its tone, is for the test, a tenth
  for validation, of both speakers. None of them (ma3, say) was heard in training from anyone; its
  sound with another tone was.
* ``new_speaker.jsonl``: speaker A to learn from (a tenth for validation), speaker B for the test.

Training recordings are there at several speeds, as of a tape (Ko et al. 2015), which changes the
pitch, too. The tables are JSON lines, since ``nan`` is a syllable, but a missing value in CSV.
"""

import argparse
import csv
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from scipy.signal import butter, sosfiltfilt

RATE, LOWEST_HERTZ, LOUDNESS = 8000, 100, 0.1
FRAME, RINGING = 80, 800  # samples
KEPT_DECIBELS, MARGIN = 30, 4  # frames kept before and after
SPEEDS = {"known_speakers": (1.0, 0.92, 1.09), "new_speaker": (1.0, 0.85, 0.92, 1.09, 1.18)}
SPELLINGS = {
    "jv": "ju", "luu": "lü", "luue": "lüe", "luun": "lün", "lv": "lü", "lve": "lüe", "muo": "mo",
    "nue": "nüe", "nuu": "nü", "nuue": "nüe", "nv": "nü", "nve": "nüe",
}  # fmt: skip


def cleaned(samples: np.ndarray) -> np.ndarray:
    """A recording ``(T,)`` without hum and silence, as loud as all others."""
    high = butter(4, LOWEST_HERTZ, "high", fs=RATE, output="sos")
    # Mirrored for ten periods, or else the filter rings where the hum begins and ends.
    samples = sosfiltfilt(high, samples, padlen=min(RINGING, len(samples) - 1))
    starts = range(0, max(1, len(samples) - FRAME), FRAME)
    loud = np.array([np.sqrt(np.mean(samples[s : s + 2 * FRAME] ** 2)) for s in starts])
    heard = np.flatnonzero(loud > loud.max() * 10 ** (-KEPT_DECIBELS / 20))
    first, last = heard[0] - MARGIN, heard[-1] + 2 + MARGIN
    samples = samples[max(0, first) * FRAME : last * FRAME]
    return LOUDNESS * samples / np.sqrt(np.mean(samples**2))


def pinyin(written: str) -> str:
    """A syllable in the spelling of textbooks."""
    bare = written.lstrip("_")
    return SPELLINGS.get(bare, bare)


def tenth(name: str) -> int:
    """The tenth of all names, 0 to 9, into which a name falls; always the same one."""
    return zlib.crc32(name.encode()) % 10


def known_speakers(row: Mapping[str, str]) -> str:
    """The part of a recording, both speakers in each."""
    place = tenth(f"{pinyin(row['pinyin'])}{row['tone']}")
    return "test" if place < 2 else "validation" if place == 2 else "train"


def new_speaker(row: Mapping[str, str]) -> str:
    """The part of a recording, speaker B in the test."""
    if row["speaker"].startswith("B"):
        return "test"
    return "validation" if tenth(f"{pinyin(row['pinyin'])}{row['tone']}") == 2 else "train"


def write_sounds(source: Path, out: Path, speeds: Sequence[float]) -> list[str]:
    """A recording at some speeds as WAV; the files' names."""
    samples, rate = soundfile.read(source)
    assert rate == RATE and samples.ndim == 1
    samples, names = cleaned(samples), []
    for speed in speeds:
        names.append(f"sounds/{source.stem}_{speed:.2f}.wav")
        played = soxr.resample(samples, RATE * speed, RATE)
        soundfile.write(out / names[-1], np.clip(played, -1, 1), RATE)
    return names


def write(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write a table."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    print(f"{path}: {dict(Counter(row['split'] for row in rows))}")


def main() -> None:
    """Clean the recordings, write them and the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder mandarin_speech")
    parser.add_argument("out", type=Path, help="the folder to write")
    options = parser.parse_args()
    (options.out / "sounds").mkdir(parents=True, exist_ok=True)
    with (options.data / "syllables.csv").open(encoding="utf-8", newline="") as file:
        recordings = list(csv.DictReader(file))
    every_speed = sorted({speed for speeds in SPEEDS.values() for speed in speeds})
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in SPEEDS}
    for row in recordings:
        sounds = write_sounds(options.data / row["audio"], options.out, every_speed)
        for table, part in (
            ("known_speakers", known_speakers(row)),
            ("new_speaker", new_speaker(row)),
        ):
            for speed in SPEEDS[table] if part == "train" else (1.0,):
                tables[table].append(
                    {
                        "split": part,
                        "audio": sounds[every_speed.index(speed)],
                        "pinyin": pinyin(row["pinyin"]),
                        "tone": row["tone"],
                        "speaker": row["speaker"],
                    }
                )
    for name, rows in tables.items():
        write(rows, options.out / f"{name}.jsonl")


if __name__ == "__main__":
    main()
