"""The files of a table too large to hold, read row by row, from any file system."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa

from polymodal.data.media import AUDIO_ENDINGS, IMAGE_ENDINGS, VIDEO_ENDINGS, ending
from polymodal.data.readers import from_rows
from polymodal.data.table import Table
from polymodal.data.webdataset import count_samples, read_samples
from polymodal.errors import PolymodalError, TableError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

Kind = Literal["parquet", "jsonl", "tar"]
KINDS: dict[str, Kind] = {
    ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl", ".tar": "tar",
}  # fmt: skip
FILE_ENDINGS = IMAGE_ENDINGS | AUDIO_ENDINGS | VIDEO_ENDINGS | {".npy", ".npz"}
ROWS_AT_ONCE = 64
BRACES = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Row(NamedTuple):
    """A row of a shard.

    Args:
        number: its place among the rows of all shards.
        cells: column -> cell.
        folder: where its relative paths start: a folder, or an address.
    """

    number: int
    cells: dict[str, Any]
    folder: str


class Shards:
    """Parquet, JSONL and tar files as one long table.

    Args:
        source: a file, folder, glob, or list of such; on this machine or at an address that fsspec
            knows (``s3://``, ``gs://``, ``https://``, ``hdfs://``, ``memory://``).
            ``{000..099}`` stands for all the numbers between.

    Raises:
        TableError: there is no such file, or one of another kind.
    """

    def __init__(self, source: str | Path | Sequence[str | Path]) -> None:
        sources = [source] if isinstance(source, str | Path) else list(source)
        self.source = str(sources[0])
        self._files: list[tuple[AbstractFileSystem, str]] = []
        for one in sources:
            for place in _filled_in(str(one)):
                self._files += _found(place)
        if not self._files:
            raise TableError(f"No Parquet, JSONL or tar file matches {self.source!r}.")
        for _, path in self._files:
            _kind(path)
        self._counts: list[int] | None = None

    def __len__(self) -> int:
        """The number of files."""
        return len(self._files)

    @property
    def counts(self) -> list[int]:
        """Rows of each file; counted once."""
        if self._counts is None:
            self._counts = [self._count(i) for i in range(len(self))]
            if not sum(self._counts):
                raise TableError(f"The files of {self.source!r} hold no rows.")
        return self._counts

    def rows(self, shard: int) -> Iterator[Row]:
        """The rows of a file, in order."""
        system, path = self._files[shard]
        folder = path.rpartition("/")[0]
        local = "file" in _protocols(system)
        start = folder if local else f"{_protocols(system)[0]}://{folder}"
        number = sum(self.counts[:shard])
        with self._opened(shard) as file:
            for cells in _READERS[_kind(path)](file, repr(path)):
                yield Row(number, cells, start)
                number += 1

    def fetched(self, row: Row) -> dict[str, Any]:
        """The cells of a row with relative paths made absolute, and far files as bytes.

        A file that cannot be fetched is left as it was named: decoding reports it.
        """
        cells = row.cells
        far = "://" in row.folder
        for name, cell in cells.items():
            if isinstance(cell, str) and ending(cell) in FILE_ENDINGS and "://" not in cell:
                whole = f"{row.folder}/{cell}" if not cell.startswith("/") else cell
                cells = {**cells, name: self._content(whole, cell) if far else whole}
        return cells

    def sample(self, rows: int) -> tuple[Table, list[int]]:
        """Rows from the start of every file, alike many of each, as a table; and their numbers.

        Args:
            rows: how many, if there are so many.
        """
        shares = _shares(self.counts, rows)
        chosen: list[Row] = []
        for shard, share in enumerate(shares):
            for row in self.rows(shard) if share else ():
                chosen.append(row)
                share -= 1
                if not share:
                    break
        columns = from_rows([self.fetched(row) for row in chosen])
        return Table(columns, source=repr(self.source)), [row.number for row in chosen]

    def _count(self, shard: int) -> int:
        _, path = self._files[shard]
        kind = _kind(path)
        with self._opened(shard) as file:
            if kind == "parquet":
                from pyarrow import parquet

                return int(parquet.ParquetFile(file).metadata.num_rows)
            if kind == "tar":
                return count_samples(file, repr(path))
            return sum(1 for line in file if line.strip())

    def _opened(self, shard: int) -> IO[bytes]:
        system, path = self._files[shard]
        try:
            opened: IO[bytes] = system.open(path, "rb")
        except OSError as error:
            raise TableError(f"{path!r} cannot be read: {error}") from error
        return opened

    def _content(self, place: str, cell: str) -> Any:
        system = self._files[0][0]
        try:
            return {"bytes": system.cat_file(place), "path": cell}
        except OSError:
            return cell


def _filled_in(place: str) -> list[str]:
    """The places that ``{000..002}`` stands for.

    >>> _filled_in("a-{08..10}.tar")
    ['a-08.tar', 'a-09.tar', 'a-10.tar']
    """
    found = BRACES.search(place)
    if found is None:
        return [place]
    first, last = found.groups()
    numbers = [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
    head, tail = place[: found.start()], place[found.end() :]
    return [full for n in numbers for full in _filled_in(f"{head}{n}{tail}")]


def _found(place: str) -> list[tuple[AbstractFileSystem, str]]:
    """The files of a place, in order, each with its file system."""
    system, path = _system(place)
    if any(letter in path for letter in "*?["):
        paths = sorted(map(str, system.glob(path)))
    elif system.isdir(path):
        listed = sorted(str(name) for name in system.ls(path, detail=False))
        paths = [name for name in listed if Path(name).suffix.lower() in KINDS]
    elif system.exists(path):
        paths = [path]
    else:
        raise TableError(f"There is no file or folder {place!r}.")
    return [(system, found) for found in paths]


def _system(place: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a place, and the path in it."""
    import fsspec

    if "://" not in place:
        return fsspec.filesystem("file"), str(Path(place).absolute())
    try:
        system, path = fsspec.core.url_to_fs(place)
    except ImportError as error:
        system, path = _arrow_system(place, error)
    except ValueError as error:
        raise TableError(f"{place!r}: {error}.") from error
    return system, str(path)


def _arrow_system(place: str, missing: ImportError) -> tuple[AbstractFileSystem, str]:
    """What Arrow reads by itself (s3, gs, hdfs), where fsspec lacks a package for it."""
    from fsspec.implementations.arrow import ArrowFSWrapper
    from pyarrow.fs import FileSystem

    try:
        system, path = FileSystem.from_uri(place)
    except (pa.ArrowException, OSError) as error:
        raise PolymodalError(f"{place!r} cannot be reached: {missing}") from error
    return ArrowFSWrapper(system), path


def _protocols(system: AbstractFileSystem) -> Sequence[str]:
    names = system.protocol
    return (names,) if isinstance(names, str) else tuple(names)


def _kind(path: str) -> Kind:
    kind = KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise TableError(
            f"{path!r} cannot be streamed; endings that can: {', '.join(KINDS)}. Other tables are "
            "read as a whole: leave data.stream off."
        )
    return kind


def _shares(counts: Sequence[int], wanted: int) -> list[int]:
    """How many rows to take of each file: as evenly as their sizes allow.

    >>> _shares([10, 2, 10], 9)
    [3, 2, 4]
    """
    shares, left = [0] * len(counts), min(wanted, sum(counts))
    while left:
        open_ = [i for i, count in enumerate(counts) if shares[i] < count]
        for place, i in enumerate(open_):
            even = -(-left // (len(open_) - place))
            more = min(even, counts[i] - shares[i])
            shares[i] += more
            left -= more
    return shares


def _parquet_rows(file: IO[bytes], source: str) -> Iterator[dict[str, Any]]:
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(file).iter_batches(ROWS_AT_ONCE):
            yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise TableError(f"{source} cannot be read as parquet: {error}") from error


def _json_rows(file: IO[bytes], source: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            cells = json.loads(line)
        except ValueError as error:
            raise TableError(f"{source}, line {number}: {error}") from error
        if not isinstance(cells, dict):
            raise TableError(f"{source}, line {number}: not a JSON object.")
        yield cells


_READERS = {"parquet": _parquet_rows, "jsonl": _json_rows, "tar": read_samples}
