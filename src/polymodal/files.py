"""Files that are either the old one or the new one, whole, whatever happens while writing."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path


def write_file(path: Path, content: bytes | str | Callable[[Path], object]) -> None:
    """Write a file so that a crash or a full disk at any instant leaves the old one untouched.

    The content goes to a temporary name beside ``path``, is flushed to the disk and then renamed.

    Args:
        path: the file; its folder must exist.
        content: bytes, text (written as UTF-8), or a function that writes the file it is given.

    Raises:
        OSError: the disk is full, the folder is read-only, …; ``path`` is as it was.
    """

    def fill(temporary: Path) -> None:
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.chmod(0o666 & ~_umask())  # some writers make files that only their owner reads
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())

    _replace(path, fill)


def link_file(source: Path, path: Path) -> None:
    """Make ``path`` hold what ``source`` holds, as one whole step.

    Both names share one file on the disk where the file system allows it: harmless, and free,
    for files that are only ever replaced by :func:`write_file`.

    Args:
        source: a file that exists.
        path: the other name; an older file there is replaced.

    Raises:
        OSError: the disk is full, the folder is read-only, …; ``path`` is as it was.
    """

    def fill(temporary: Path) -> None:
        try:
            os.link(source, temporary)
        except OSError:  # no hard links on this file system
            shutil.copyfile(source, temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())

    _replace(path, fill)


def _replace(path: Path, fill: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    try:
        fill(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Flush the folder itself, which holds the names; only POSIX can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
