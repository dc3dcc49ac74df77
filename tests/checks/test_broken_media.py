import numpy as np
import pytest
import soundfile
from PIL import Image
from subjects import by_column, classes, subject

from polymodal.checks.broken_media import (
    diagnosed,
    find_absurd_sizes,
    find_clipped,
    find_empty_media,
    find_wrong_files,
)

COUNT = 40
RATE = 8000


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Pictures and sounds, of which some are broken, each in its own way."""
    folder, rng = tmp_path_factory.mktemp("media"), np.random.default_rng(0)
    photos, sounds = [], []
    for i in range(COUNT):
        pixels = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.jpg")
        wave = 0.3 * np.sin(np.arange(RATE // 2) * (i + 5) / 40) + rng.normal(0, 0.02, RATE // 2)
        soundfile.write(folder / f"{i}.wav", wave, RATE)
        photos.append(f"{i}.jpg")
        sounds.append(f"{i}.wav")
    whole = (folder / "0.jpg").read_bytes()
    (folder / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "2.jpg").write_bytes((folder / "2.wav").read_bytes())
    (folder / "3.jpg").write_bytes(bytes(range(128, 256)) * 20)
    (folder / "4.jpg").write_bytes(b"")
    photos[5] = "nowhere.jpg"
    Image.open(folder / "6.jpg").save(folder / "6.png", "PNG")
    (folder / "6.jpg").write_bytes((folder / "6.png").read_bytes())
    Image.new("RGB", (80, 60), (9, 80, 200)).save(folder / "7.jpg")
    Image.new("L", (7, 5)).effect_spread(1).save(folder / "8.jpg")
    Image.fromarray(rng.integers(0, 255, (900, 1200, 3), np.uint8)).save(folder / "9.jpg")
    (folder / "10.wav").write_bytes((folder / "10.wav").read_bytes()[:3000])
    soundfile.write(folder / "11.wav", np.zeros(RATE), RATE)
    loud = np.clip(5 * np.sin(np.arange(RATE) / 9), -0.9, 0.9)
    soundfile.write(folder / "12.wav", loud, RATE)
    soundfile.write(folder / "13.wav", rng.normal(0, 0.1, 30 * RATE), RATE)
    columns = {"photo": photos, "sound": sounds, "y": classes(rng, COUNT)}
    return subject(columns, folder=folder)


def test_why_a_file_cannot_be_decoded(looked_at):
    found = diagnosed(looked_at.pack.findings, looked_at)
    assert by_column(found, "missing_file") == {"photo": [5]}
    assert by_column(found, "empty_file") == {"photo": [4]}
    assert by_column(found, "truncated") == {"photo": [1]}
    assert by_column(found, "wrong_modality") == {"photo": [2]}
    assert by_column(found, "undecodable") == {"photo": [3]}
    assert all(f.severity == "error" and f.what and f.why and f.remedy for f in found[:4])


def test_files_that_are_read_all_the_same(looked_at):
    found = find_wrong_files(looked_at)
    assert by_column(found, "truncated") == {"sound": [10]}
    assert by_column(found, "wrong_extension") == {"photo": [6]}
    assert found[0].remarks[6] == ".jpg holds PNG"


def test_sizes_and_durations(looked_at):
    found = find_absurd_sizes(looked_at)
    assert by_column(found, "low_resolution") == {"photo": [8]}
    assert by_column(found, "absurd_size") == {"photo": [9]}
    assert by_column(found, "absurd_duration") == {"sound": [13]}


def test_media_without_content(looked_at):
    found = find_empty_media(looked_at)
    assert 7 in by_column(found, "single_colour")["photo"]
    assert by_column(found, "silent") == {"sound": [11]}


def test_peaks_cut_off(looked_at):
    assert by_column(find_clipped(looked_at), "clipped") == {"sound": [12]}
