"""Packs that outlive a run: a folder of decoded cells, by preprocessing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from polymodal.data import arrays, media, modalities
from polymodal.data.arrays import ADDRESS
from polymodal.data.kept_cells import KEY_BYTES, KeptCells, remove, size_of
from polymodal.data.modalities import Modality

DECODERS = ("polymodal", "numpy", "torch", "pillow", "soundfile", "soxr", "av")
JUST_WRITTEN_SECONDS = 0.1
SPARE_BYTES = 200_000_000
CACHE_VARIABLE = "POLYMODAL_CACHE"
PORTABLE = "PACKED"
"""Marks a folder that holds a table, its media and their packs."""


class KeptPacks:
    """A folder with a file of decoded cells for each preprocessing, and the room it may take.

    A preprocessing is a modality with all that decides what it decodes to: options, what it has
    learned, our code and the versions of the decoders. A cell is known again by its file's path,
    size, inode and times of change, or by its bytes: an edited file is decoded anew, alone.

    Args:
        folder: where the files are.
        private: a folder of the run, for what cannot be kept.
        most_bytes: that the folder may take; what was used longest ago makes room. None: no limit.
        portable: files are known by their place below ``folder``'s parent and their size, so that
            the whole may be copied elsewhere.
        tell: is told what cannot be kept, and why.
    """

    def __init__(
        self,
        folder: Path,
        *,
        private: Path,
        most_bytes: float | None = None,
        portable: bool = False,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder, self.private, self.most_bytes = folder, private, most_bytes
        self.portable, self.tell = portable, tell

    def cells(self, modality: Modality, name: str) -> KeptCells:
        """The cells that were decoded with a modality's preprocessing."""
        path = self.folder / f"{modality.name}-{preprocessing(modality)}"
        found = KeptCells(path, modality, name=name)
        if len(found):
            _mark_used(path)
        return found

    def key(self, cell: Any) -> bytes | None:
        """What tells a media cell from all others; None for a file that is not there."""
        digest = hashlib.blake2b(digest_size=KEY_BYTES)
        root = self.folder.parent if self.portable else None
        return digest.digest() if _describe(cell, digest, root) else None

    def make_room(self, needed: float, keep: Path) -> bool:
        """Whether so many bytes may be added, after removing what was used longest ago.

        Args:
            needed: bytes.
            keep: the cells that they are for.
        """
        if self.most_bytes is not None:
            if needed + size_of(keep) > self.most_bytes:
                if (
                    needed <= self.most_bytes
                ):  # what is there has grown old: the next run begins anew
                    remove(keep)
                return False
            others = sorted(_packs(self.folder, keep), key=_last_used)
            taken = sum(map(size_of, others)) + size_of(keep)
            while others and taken + needed > self.most_bytes:
                taken -= size_of(others[0])
                remove(others.pop(0))
        return needed + SPARE_BYTES <= free_bytes(self.folder)


def kept_packs(
    table_folder: Path,
    *,
    private: Path,
    most_bytes: float,
    keep: bool = True,
    tell: Callable[[str], None] = lambda line: None,
) -> Path | KeptPacks:
    """The packs beside a table that was packed to be carried about, else those of the user.

    Args:
        table_folder: where the table's media paths start.
        private: a folder of the run, for what cannot be kept; for all where nothing is.
        most_bytes: that the user's packs may take.
        keep: whether anything is to be kept.
        tell: is told what cannot be kept, and why.
    """
    if not keep:
        return private
    if (table_folder / PORTABLE).is_file():
        return KeptPacks(table_folder / "packs", private=private, portable=True, tell=tell)
    return KeptPacks(cache_folder(), private=private, most_bytes=most_bytes, tell=tell)


def cache_folder() -> Path:
    """The user's folder for what can be computed again (``POLYMODAL_CACHE`` names another)."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute() / "packs"
    usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(usual) / "polymodal" / "packs"


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of a folder, which need not exist yet."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def preprocessing(modality: Modality) -> str:
    """What tells a modality's way of decoding from all others."""
    described = json.dumps(_settings(modality), sort_keys=True, default=repr)
    digest = hashlib.blake2b(f"{_code()}{described}".encode(), digest_size=KEY_BYTES)
    return digest.hexdigest()


def _settings(modality: Modality) -> dict[str, Any]:
    """A modality's attributes, but for those that decoding does not read."""
    found: dict[str, Any] = {"class": type(modality).__qualname__}
    for name, value in vars(modality).items():
        if name not in modality.unread and not name.startswith("_"):
            found[name] = _settings(value) if isinstance(value, Modality) else value
    return found


@cache
def _code() -> str:
    """The decoders' versions and our own code: what they change, is decoded anew."""
    versions = {}
    for name in DECODERS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = ""
    digest = hashlib.blake2b(repr(versions).encode(), digest_size=KEY_BYTES)
    folder = Path(str(modalities.__file__)).parent
    for path in [*sorted(folder.glob("*.py")), Path(media.__file__), Path(arrays.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _describe(cell: Any, digest: hashlib.blake2b, root: Path | None) -> bool:
    """Feed a digest with what tells a cell from others; False where that is not to be had."""
    cell = media.unwrapped(cell)
    if isinstance(cell, bytes):
        digest.update(b"bytes")
        digest.update(cell)
    elif isinstance(cell, str | Path):
        return _describe_file(str(cell), digest, root)
    elif isinstance(cell, list | tuple) and any(isinstance(c, str | Path | bytes) for c in cell):
        digest.update(f"list {len(cell)}".encode())
        return all(_describe(part, digest, root) for part in cell)
    elif isinstance(cell, np.ndarray | Tensor):
        array = np.ascontiguousarray(cell)
        digest.update(f"array {array.dtype} {array.shape}".encode())
        digest.update(array.data)
    elif isinstance(cell, list | tuple | Mapping | int | float | None):
        digest.update(f"value {cell!r}".encode())
    else:
        return False
    return True


def _describe_file(path: str, digest: hashlib.blake2b, root: Path | None) -> bool:
    address = ADDRESS.fullmatch(path)
    file = address[1] if address else path
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        if "\n" in path or path.lstrip()[:1] in "[{":  # numbers written down, not a path
            digest.update(f"text {path}".encode())
            return True
        return False
    if root is not None and Path(path).is_relative_to(root):
        digest.update(repr((str(Path(path).relative_to(root)), found.st_size)).encode())
        return True
    times = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)
    digest.update(repr((path, found.st_size, times)).encode())
    if time.time() - found.st_ctime < JUST_WRITTEN_SECONDS:
        # Clocks of file systems are coarse: it may change again and keep its time.
        digest.update(Path(file).read_bytes())
    return True


def _packs(folder: Path, keep: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    noted = folder.glob("*.lengths")
    return [path for p in noted if (path := p.with_suffix("")) != keep]


def _last_used(path: Path) -> float:
    try:
        return os.stat(f"{path}.lengths").st_atime
    except OSError:
        return 0.0


def _mark_used(path: Path) -> None:
    """Set the time of the last use, whatever the file system itself notes."""
    noted = f"{path}.lengths"
    try:
        os.utime(noted, (time.time(), os.stat(noted).st_mtime))
    except OSError:
        return  # a folder that can only be read
