"""Rows with vectors on disk, found again by nearness, by words, by key: LanceDB's one owner.

Letters: N rows · D numbers of a vector · k rows asked for. Nothing here knows of models; the
module loads without torch, so that a process that only searches stays small.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from polymodal.errors import MissingExtra, PolymodalError

KEY = "_key"
ROWS, ABOUT = "rows", "about"
IndexKind = Literal["ivf_pq", "ivf_hnsw_sq"]
CACHE_BYTES, METADATA_BYTES = 24 << 20, 8 << 20
SECONDS_STALE = 1.0
KEYS_AT_ONCE = 1000
KEPT_VERSIONS = timedelta(hours=1)
"""How long readers may go on with a state of the table that was replaced."""


@dataclass(frozen=True)
class Probing:
    """How thoroughly an index is searched.

    Args:
        probes: how many of its partitions are looked into.
        refine: how many times k candidates are compared by their whole vectors.
    """

    probes: int
    refine: int


class VectorStore:
    """A folder, or an object store's address, with tables of vectors in it.

    Args:
        place: a folder, or an address as ``s3://bucket/prefix``.
        cache_bytes: memory for pieces of indexes, at most; what does not fit is read again.
        options: what LanceDB is to know of an object store (region, endpoint, keys).

    Raises:
        MissingExtra: LanceDB is not installed.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        cache_bytes: int = CACHE_BYTES,
        options: dict[str, str] | None = None,
    ) -> None:
        lancedb = _lancedb()
        self.place = str(place)
        self.options = options
        self._lancedb = lancedb
        session = lancedb.Session(cache_bytes, METADATA_BYTES)
        with _explained(self.place):
            self._connection = lancedb.connect(
                self.place,
                session=session,
                storage_options=options,
                read_consistency_interval=timedelta(seconds=SECONDS_STALE),
            )

    @property
    def remote(self) -> bool:
        """Whether it is an address, not a folder."""
        return "://" in self.place

    def tables(self) -> list[str]:
        """The names of its tables."""
        if not self.remote and not Path(self.place).is_dir():
            return []
        with _explained(self.place):
            return list(self._connection.list_tables().tables)

    def create(self, name: str, schema: pa.Schema) -> VectorTable:
        """A new table without rows; one of that name is replaced."""
        with _explained(self.place):
            table = self._connection.create_table(name, schema=schema, mode="overwrite")
        return VectorTable(table)

    def open(self, name: str) -> VectorTable:
        """A table that is there."""
        with _explained(self.place):
            return VectorTable(self._connection.open_table(name))

    def drop(self, name: str) -> None:
        """Remove a table."""
        with _explained(self.place):
            self._connection.drop_table(name, ignore_missing=True)

    def write_about(self, content: dict[str, Any]) -> None:
        """Say what the tables are: whole or not at all, whatever happens meanwhile."""
        rows = pa.table({"json": [json.dumps(content, ensure_ascii=False)]})
        with _explained(self.place):
            self._connection.create_table(ABOUT, rows, mode="overwrite")

    def read_about(self) -> dict[str, Any]:
        """What :meth:`write_about` wrote last.

        Raises:
            PolymodalError: nothing was written here.
        """
        if ABOUT not in self.tables():
            raise PolymodalError(
                f"There is no search index in {self.place!r}. Make one: polymodal index RUN TABLE "
                f"--out {self.place}"
            )
        with _explained(self.place):
            table = self._connection.open_table(ABOUT)
            return json.loads(table.to_arrow()["json"][0].as_py())


class VectorTable:
    """One table: a key, any columns, and columns of vectors ``(D,)`` that are null where absent.

    Args:
        table: of LanceDB.
    """

    def __init__(self, table: Any) -> None:
        self._table = table

    def __len__(self) -> int:
        """The number of rows N."""
        return self._table.count_rows()

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._table.schema

    def count(self, where: str | None = None) -> int:
        """How many rows pass a filter.

        Raises:
            PolymodalError: the filter cannot be understood.
        """
        with _explained_filter(where, self.schema):
            return self._table.count_rows(where)

    def put(self, rows: pa.Table) -> None:
        """Add rows, and replace those whose key is there; when it returns, they are on disk."""
        if not self._table.count_rows():
            self._table.add(rows)
            return
        merge = self._table.merge_insert(KEY)
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def delete(self, keys: Sequence[str]) -> int:
        """Remove rows by key; returns how many there were."""
        before = len(self)
        for start in range(0, len(keys), KEYS_AT_ONCE):
            self._table.delete(_keyed(keys[start : start + KEYS_AT_ONCE]))
        return before - len(self)

    def take(self, keys: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """Rows by key, in any order; keys that are not there are left out."""
        parts = [
            self._table.search(None)
            .where(_keyed(keys[start : start + KEYS_AT_ONCE]))
            .select([KEY, *columns])
            .limit(KEYS_AT_ONCE)
            .to_arrow()
            for start in range(0, len(keys), KEYS_AT_ONCE)
        ]
        return pa.concat_tables(parts) if parts else self.schema.empty_table().select([KEY])

    def batches(self, columns: Sequence[str], size: int = 8192) -> Iterator[pa.RecordBatch]:
        """All rows, some columns, ``size`` rows at a time: in the order they lie on disk."""
        yield from self._table.search(None).select(list(columns)).to_batches(size)

    def nearest(
        self,
        column: str,
        vector: np.ndarray,
        k: int,
        *,
        where: str | None = None,
        columns: Sequence[str] = (),
        probing: Probing | None = None,
    ) -> pa.Table:
        """The rows whose vectors are most alike.

        Args:
            column: which vectors.
            vector: ``(D,)``, what to be near to.
            k: how many rows.
            where: only rows that pass, as SQL; they are filtered before they are searched.
            columns: what to bring beside key and ``_distance`` (1 - cosine).
            probing: how thoroughly; None compares with every row.

        Raises:
            PolymodalError: the filter cannot be understood.
        """
        asked = self._table.search(vector, vector_column_name=column).distance_type("cosine")
        asked = asked.limit(k).select([KEY, *columns, "_distance"])
        if probing is None:
            asked = asked.bypass_vector_index()
        elif where is None:
            asked = asked.nprobes(probing.probes).refine_factor(probing.refine)
        else:  # goes on through further partitions until enough rows have passed
            asked = asked.minimum_nprobes(probing.probes).maximum_nprobes(0)
            asked = asked.refine_factor(probing.refine)
        with _explained_filter(where, self.schema):
            return (asked.where(where, prefilter=True) if where else asked).to_arrow()

    def matching(
        self, words: str, columns: Sequence[str], k: int, *, where: str | None = None
    ) -> pa.Table:
        """The rows whose texts hold these words, the best first: key and ``_score`` (BM25).

        Args:
            words: any of them may occur.
            columns: the texts to look in.
            k: how many rows.
            where: only rows that pass, as SQL.

        Raises:
            PolymodalError: the filter cannot be understood.
        """
        query = self._lance_words(words, columns)
        asked = self._table.search(query, query_type="fts").limit(k).select([KEY, "_score"])
        with _explained_filter(where, self.schema):
            return (asked.where(where, prefilter=True) if where else asked).to_arrow()

    @staticmethod
    def _lance_words(words: str, columns: Sequence[str]) -> Any:
        from lancedb.query import MatchQuery, MultiMatchQuery

        return MatchQuery(words, columns[0]) if len(columns) == 1 else MultiMatchQuery(
            words, list(columns)
        )  # fmt: skip

    def index_words(self, column: str) -> None:
        """Make a column's words findable; Chinese is cut into words by ICU's own dictionary."""
        from lancedb.index import FTS

        self._table.create_index(column, config=FTS(base_tokenizer="icu", remove_stop_words=False))

    def index_keys(self) -> None:
        """Make keys quick to find."""
        from lancedb.index import BTree

        self._table.create_index(KEY, config=BTree())

    def index_vectors(self, column: str, kind: IndexKind, *, rows: int, width: int) -> None:
        """Build an index of vectors; an older one answers until the new one is whole.

        Args:
            column: which vectors.
            kind: how they are kept in it.
            rows: how many there are.
            width: D.
        """
        from lancedb.index import IvfHnswSq, IvfPq

        partitions = partitions_of(rows, kind)
        config = (
            IvfPq(
                distance_type="cosine",
                num_partitions=partitions,
                num_sub_vectors=sub_vectors_of(width),
                max_iterations=20,
                sample_rate=64,
            )
            if kind == "ivf_pq"
            else IvfHnswSq(
                distance_type="cosine", num_partitions=partitions, max_iterations=20, sample_rate=64
            )
        )
        self._table.create_index(column, config=config, replace=True)

    def drop_index(self, column: str) -> None:
        """Compare with every vector again."""
        for index in self._table.list_indices():
            if index.columns == [column]:
                self._table.drop_index(index.name)

    def indexed(self) -> dict[str, int]:
        """Columns with an index -> how many rows it does not know yet (they are searched too)."""
        return {
            index.columns[0]: int(index.num_unindexed_rows or 0)
            for index in self._table.list_indices()
        }

    def tidy(self) -> None:
        """Join small files, bring indexes up to date, forget states that were replaced long ago."""
        self._table.optimize(cleanup_older_than=KEPT_VERSIONS)


def partitions_of(rows: int, kind: IndexKind) -> int:
    """How many partitions an index has: the root of the rows, far fewer where each is a graph.

    >>> partitions_of(1_000_000, "ivf_pq"), partitions_of(1_000_000, "ivf_hnsw_sq")
    (1000, 4)
    """
    return max(1, round(rows**0.5)) if kind == "ivf_pq" else max(1, rows // 250_000)


def sub_vectors_of(width: int) -> int:
    """Pieces that a vector is cut into: of 4 numbers each, if it can be, else of fewer.

    >>> sub_vectors_of(256), sub_vectors_of(6), sub_vectors_of(5)
    (64, 2, 5)
    """
    return next(width // piece for piece in (4, 3, 2, 1) if width % piece == 0)


def _keyed(keys: Sequence[str]) -> str:
    quoted = ", ".join("'" + key.replace("'", "''") + "'" for key in keys)
    return f"{KEY} IN ({quoted})"


def _lancedb() -> Any:
    os.environ.setdefault("LANCEDB_LOG", "error")  # it tells of every table it creates
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that it loads
            import lancedb
    except ImportError as error:
        raise MissingExtra("lancedb", "search") from error
    return lancedb


@contextlib.contextmanager
def _explained(place: str) -> Iterator[None]:
    """LanceDB's errors on places as ours."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, PolymodalError):
            raise
        raise PolymodalError(f"{place!r} cannot be used as a search index: {error}") from error


@contextlib.contextmanager
def _explained_filter(where: str | None, schema: pa.Schema) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        if where is None:
            raise
        said = re.split(r",? ?/?[\w/.-]*\.rs:\d+|\. Valid fields", str(error))[0].strip(" .")
        names = ", ".join(name for name in schema.names if not name.startswith("_"))
        raise PolymodalError(
            f"The filter {where!r} cannot be used: {said}. Columns: {names}. Write it as in SQL: "
            "\"price < 10 AND kind = 'cat'\"; a name with capitals or spaces in backticks."
        ) from error
