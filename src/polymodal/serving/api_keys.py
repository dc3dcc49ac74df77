"""API keys: shown once, kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from polymodal.errors import PolymodalError

PREFIX = "pm_"
RANDOM_BYTES = 32
HEADER = "# One key a line: its name, and the SHA-256 of the key. Delete a line to revoke a key.\n"


class ApiKeys:
    """The keys of a file; the file is read again when it changes.

    A key holds 256 random bits, so that one round of SHA-256 is as good as a slow hash: there is
    no word list to try.

    Args:
        path: made by :func:`new_key`.

    Raises:
        PolymodalError: there is no such file, it holds no key, or a line of it is no key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, int] | None = None
        self._hashes: dict[str, str] = {}
        self._refresh()

    def accepts(self, key: str) -> str | None:
        """The name of a key; None where it is not one."""
        self._refresh()
        given = _hash(key)
        found = None
        for name, known in self._hashes.items():  # all of them: time tells nothing
            if hmac.compare_digest(given, known):
                found = name
        return found

    def _refresh(self) -> None:
        try:
            now = os.stat(self.path)
        except OSError as error:
            if self._stamp is None:
                raise PolymodalError(
                    f"There is no file of keys {str(self.path)!r}. Make one: "
                    f"polymodal serve --new-key {self.path}"
                ) from error
            self._hashes = {}  # a file that was taken away takes every key with it
            return
        stamp = (now.st_mtime_ns, now.st_size)
        if stamp != self._stamp:
            first = self._stamp is None
            self._hashes, self._stamp = _read(self.path), stamp
            if first and not self._hashes:
                raise PolymodalError(
                    f"{str(self.path)!r} holds no key. Add one: polymodal serve --new-key "
                    f"{self.path}"
                )


def new_key(path: Path, name: str) -> str:
    """Make a key, add its hash to a file that only the user can read, and give the key.

    Args:
        path: of the file; it is made where there is none.
        name: of who gets the key.

    Raises:
        PolymodalError: the name is taken, or holds blanks; the file cannot be written.
    """
    if not name or any(c.isspace() or c == "#" for c in name):
        raise PolymodalError(f"{name!r} is no name for a key: use letters without blanks.")
    known = _read(path) if path.exists() else {}
    if name in known:
        raise PolymodalError(
            f"{str(path)!r} has a key called {name!r}: choose another name, or delete its line."
        )
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(handle, "a", encoding="utf-8") as file:
            file.write(("" if known else HEADER) + f"{name} {_hash(key)}\n")
    except OSError as error:
        raise PolymodalError(f"{str(path)!r} cannot be written: {error.strerror}.") from error
    return key


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _read(path: Path) -> dict[str, str]:
    found = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        parts = line.split("#", 1)[0].split()
        if not parts:
            continue
        if len(parts) != 2 or len(parts[1]) != 64 or set(parts[1]) - set("0123456789abcdef"):
            raise PolymodalError(
                f"{str(path)!r}, line {number}: expected a name and 64 hexadecimal digits. Only "
                "hashes belong there; polymodal serve --new-key adds them."
            )
        found[parts[0]] = parts[1]
    return found
