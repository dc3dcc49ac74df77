from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymodal.data.media import ending, identity, read_bytes, spread, unwrapped, what_is
from polymodal.errors import CellError


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x89PNG\r\n", "an image"), (b"\xff\xd8\xff\xe0", "an image"),
        (b"RIFF\0\0\0\0WEBPVP8", "an image"), (b"RIFF\0\0\0\0WAVEfmt ", "a sound"),
        (b"\0\0\0\x20ftypM4A ", "a sound"), (b"\0\0\0\x20ftypavif", "an image"),
        (b"\0\0\0\x20ftypisom", "a video"), (b"\xff\xf1\x50", "a sound"), (b"%PDF-1.7", "a PDF"),
        (b"<!DOCTYPE html>", "a web page"), ("中文".encode(), "plain text"),
        (b"\xfe\xfd\xfc", "unknown data"),
    ],
)  # fmt: skip
def test_what_bytes_are(start, what):
    assert what_is(start) == what


def test_text_cut_inside_a_character_is_still_text():
    assert what_is(("a" + "中" * 400).encode()) == "plain text"


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("gone.png", "file not found"), (".", "not a file"), ("/dev/zero", "not a file"),
        ("a\0b", "not a path"), ("\ud800", "not a path"), ("x" * 5000, "file cannot be read"),
        ("https://example.org/a.png", "address instead of a file"), (b"", "zero-byte file"),
        (3, "not a path, bytes or media object"),
    ],
)  # fmt: skip
def test_cells_without_bytes(cell, kind):
    with pytest.raises(CellError) as error:
        read_bytes(cell)
    assert error.value.kind == kind


def test_bytes_of_files_and_buffers(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    cells = [tmp_path / "a", str(tmp_path / "a"), b"abc", bytearray(b"abc"), memoryview(b"abc")]
    assert {read_bytes(cell) for cell in cells} == {b"abc"}


@given(st.text())
def test_any_text_as_a_path(text):
    try:
        read_bytes("no such folder/" + text)
    except CellError:
        return


def test_identity():
    assert (
        identity("a.png") == identity(Path("a.png")) == identity({"bytes": None, "path": "a.png"})
    )
    assert identity(b"abc") == identity({"bytes": b"abc", "path": "x"}) != identity(b"abd")
    assert identity(np.zeros(2)) is None and unwrapped({"a": 1}) == {"a": 1}


def test_endings_and_spreading():
    assert ending("x/y.TIFF") == ".tiff" and ending(Path("a.wav")) == ".wav"
    assert ending(".hidden") == ending("Mr. Smith") == ending("no\nline.png") == ""
    assert spread(range(5), 9) == [0, 1, 2, 3, 4] and spread(range(101), 3) == [0, 50, 100]
