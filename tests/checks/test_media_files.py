import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from polymodal.checks.media_files import is_clipped, read_facts


def picture(form: str) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file := io.BytesIO(), form)
    return file.getvalue()


def sound(form: str) -> bytes:
    wave = np.random.default_rng(0).normal(0, 0.1, 9000)
    soundfile.write(file := io.BytesIO(), wave, 8000, format=form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WebP"])
def test_a_picture_that_is_cut_off_is_told_from_a_whole_one(form):
    content = picture(form)
    facts = read_facts(content)
    assert facts.whole and facts.format == form and (facts.width, facts.height) == (40, 30)
    assert read_facts(content[: len(content) * 2 // 3]).whole is False


@pytest.mark.parametrize(("form", "name"), [("WAV", "WAV"), ("FLAC", "FLAC"), ("OGG", "Ogg")])
def test_a_sound_that_is_cut_off_is_told_from_a_whole_one(form, name):
    content = sound(form)
    facts = read_facts(content)
    assert facts.whole and facts.format == name and facts.seconds == pytest.approx(9000 / 8000)
    assert read_facts(content[: len(content) * 2 // 3]).whole is False


def test_equal_contents_have_equal_digests(tmp_path):
    (tmp_path / "a.png").write_bytes(picture("PNG"))
    (tmp_path / "b.jpg").write_bytes(picture("PNG"))
    a, b = read_facts(tmp_path / "a.png"), read_facts(tmp_path / "b.jpg")
    assert a.digest == b.digest and not a.misnamed and b.misnamed


def test_what_is_no_file():
    assert read_facts("nowhere/at/all.png").size == -1
    assert read_facts(np.zeros(3)).digest == b"" and read_facts(b"").size == 0


@given(st.binary(max_size=400), st.sampled_from(["PNG", "JPEG", "WAV", "FLAC", "OGG", None]))
def test_nothing_in_a_file_stops_it(content, start):
    made = {"WAV": sound, "FLAC": sound, "OGG": sound, "PNG": picture, "JPEG": picture}
    whole = made[start](start)[: 3 * len(content)] if start else b""
    read_facts(whole + content)


def test_a_wave_that_only_touches_the_top_is_not_clipped():
    wave = np.sin(np.arange(8000) / 30)
    assert not is_clipped(wave) and is_clipped(np.clip(1.5 * wave, -1, 1))
    assert not is_clipped(np.zeros(100)) and not is_clipped(np.zeros(0))
