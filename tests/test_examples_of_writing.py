"""The scripts beside the examples in which a text is the target."""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def closed() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "slake_open" / "closed_questions.py"))


@pytest.fixture
def mandarin() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "mandarin_speech_ctc" / "make_table.py"))


@pytest.fixture
def translation() -> dict[str, Any]:
    return runpy.run_path(str(EXAMPLES / "captions_translation" / "make_table.py"))


def test_closed_questions_without_the_picture(closed: dict[str, Any]) -> None:
    known = [("Is it CT?", "No"), ("is it CT?", "no"), ("Is it CT?", "Yes"), ("Left?", "Yes")]
    known += [("Right?", "Yes")]
    assert closed["majority"](known) == "yes"  # 3 of 5
    assert closed["by_same_words"](known, ["IS IT CT?", "left?", "New?"]) == ["no", "yes", "yes"]


def test_an_outcome_is_cut_with_all_its_parts(closed: dict[str, Any]) -> None:
    from polymodal.evaluation import Outcome

    truth, said = np.array([["yes"], ["no"], ["no"]]), np.array(["yes", "yes", "no"])
    rows, scores = np.array([3, 5, 8]), np.array([0.9, 0.5, 1.0])
    outcome = Outcome("answer", "text", truth, said, None, (), rows, scores=scores)
    part = closed["part_of"](outcome, np.array([2, 1]))
    assert part.rows.tolist() == [8, 5] and part.right.tolist() == [True, False]


def test_recordings_lose_silence_hum_and_loudness(mandarin: dict[str, Any]) -> None:
    time = np.arange(8000) / 8000
    hum = 0.2 * np.sin(2 * np.pi * 50 * time)
    word = 0.1 * np.sin(2 * np.pi * 440 * time) * ((time > 0.4) & (time < 0.6))
    heard = mandarin["cleaned"](hum + word)
    assert 0.2 <= len(heard) / 8000 < 0.35  # 0.2 s of word, some frames at each end
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(0.1)
    assert np.abs(np.fft.rfft(heard)).argmax() * 8000 / len(heard) == pytest.approx(440, abs=10)


def test_mandarin_tables_keep_nan_and_hold_parts_apart(
    mandarin: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "syllables").mkdir()
    lines = ["id,split,audio,speaker,pinyin,tone,seconds"]
    noise = np.random.default_rng(0).normal(0, 0.1, 2000)
    for speaker in ("A_ann", "B_bob"):
        for syllable in ("nan", "luu" if speaker == "B_bob" else "lv"):
            for tone in "1234":
                name = f"syllables/{speaker}{syllable}{tone}.wav"
                soundfile.write(tmp_path / name, noise, 8000)
                lines.append(f"0,train,{name},{speaker},{syllable},{tone},0.2")
    (tmp_path / "syllables.csv").write_text("\n".join(lines))
    monkeypatch.setattr("sys.argv", ["make_table.py", str(tmp_path), str(tmp_path / "out")])
    mandarin["main"]()
    for table in ("known_speakers", "new_speaker"):
        text = (tmp_path / "out" / f"{table}.jsonl").read_text("utf-8")
        rows = [json.loads(line) for line in text.splitlines()]
        assert {row["pinyin"] for row in rows} == {"nan", "lü"}
        assert all((tmp_path / "out" / row["audio"]).exists() for row in rows)
        parts: dict[Any, set[str]] = {}
        for row in rows:
            key = row["speaker"] if table == "new_speaker" else (row["pinyin"], row["tone"])
            parts.setdefault(key, set()).add(row["split"])
        if table == "known_speakers":
            assert all(len(part) == 1 for part in parts.values())
        else:
            assert parts["B_bob"] == {"test"} and "test" not in parts["A_ann"]


def test_a_caption_is_a_row_with_all_its_references(translation: dict[str, Any]) -> None:
    photo = {"id": "p", "split": "train", "captions_en": ["a", "b"], "captions_zh": ["甲", "乙"]}
    rows = list(translation["rows_of"](photo))
    assert [row["english"] for row in rows] == ["a", "b"]
    assert all(row["chinese"] == ["甲", "乙"] and row["photo"] == "p" for row in rows)
    assert len(list(translation["rows_of"](photo | {"split": "test"}))) == 1


def test_each_speaker_is_kept_for_one_test(tmp_path: Path) -> None:
    make = runpy.run_path(str(EXAMPLES / "spoken_digits_ctc" / "make_tables.py"))
    lines = ["audio,speaker,word_en"] + [f"{s}{i}.flac,{s},two" for s in "cab" for i in range(2)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    tables = make["write"](tmp_path, tmp_path / "out")
    assert [table.name for table in tables] == ["a.csv", "b.csv", "c.csv"]
    parts = {line.split(",")[0] + Path(line.split(",")[1]).stem[0] for line in
             tables[2].read_text().splitlines()[1:]}  # fmt: skip
    assert parts == {"testc", "validationa", "trainb"}
