import errno
import os
from pathlib import Path

import pytest

from polymodal.files import link_file, write_file


def test_writes_text_bytes_and_what_a_function_writes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_file(path, "ü")
    assert path.read_bytes() == "ü".encode()
    write_file(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    write_file(path, lambda temporary: temporary.write_text("third"))
    assert path.read_text() == "third"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_file(path, "old")

    def fail(temporary: Path) -> None:
        temporary.write_text("half of the n")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_file(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_crash_while_writing_leaves_the_old_file_and_the_next_write_works(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_file(path, "old")
    (tmp_path / ".a.new").write_text("half of the n")  # what a killed process leaves
    assert path.read_text() == "old"
    write_file(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("links", [True, False])
def test_link_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    source, path = tmp_path / "a", tmp_path / "b"
    write_file(source, "first")
    write_file(path, "old")
    if not links:

        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
    link_file(source, path)
    write_file(source, "second")
    assert path.read_text() == "first"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
