"""A search index: what a model makes of a table's rows, on disk, to be asked with anything.

For serving (and everybody else)::

    index = SearchIndex.open("shoes.index", predictor=predictor)  # predictor: optional
    index.columns                       # {"photo": "image", "title": "text"}: what may ask
    found = index.search({"photo": b"...", "title": "red boots"}, weights={"photo": 2.0},
                         where="price < 50", k=10)
    found.hits[0].key, .score, .row, .thumbnail
    found.to_dict()                     # plain JSON, thumbnails as data URIs
    result_page(index, found)           # of result_view: one HTML text, pictures and players
    index.add(rows), index.delete(["k1"]), len(index)

Questions may come from several threads at once, while another process adds rows. Whatever cannot
be asked raises a ``PolymodalError`` that says what can.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polymodal.countdown import TellStage
from polymodal.data.table import Table
from polymodal.errors import PolymodalError, RunError
from polymodal.predictor import Predictor
from polymodal.search.about import About, check_model, chinese_share, describe
from polymodal.search.asking import Ask, Asker, listed
from polymodal.search.found import Found
from polymodal.search.index_tuning import INDEX_FROM, tune
from polymodal.search.row_writer import ROWS_AT_ONCE, Added, RowWriter, field_types
from polymodal.search.stored_rows import ROW
from polymodal.search.vector_table import (
    ABOUT,
    CACHE_BYTES,
    ROWS,
    IndexKind,
    VectorStore,
)

SECONDS_BETWEEN_LOOKS = 5.0
STALE_SHARE = 0.1
"""The share of rows an index may not know yet before it is brought up to date."""
KINDS: tuple[IndexKind, ...] = ("ivf_pq", "ivf_hnsw_sq")
TEXTS = ("text", "passages", "tags", "category")


def _silent(stage: str, done: int, total: int) -> None:
    """Tells nobody."""


class SearchIndex:
    """Rows on disk, found by what a model sees in them, by words, and by filters.

    Made by :meth:`build` or :meth:`open`.

    Args:
        store: where it is.
        about: what it says of itself.
        predictor: the model; None loads it from the run directory when it is needed.
    """

    def __init__(
        self, store: VectorStore, about: About, predictor: Predictor | None = None
    ) -> None:
        self.store, self.about = store, about
        self._predictor = predictor
        self._rows = store.open(about.rows)
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    @classmethod
    def build(
        cls,
        run: Predictor | Path | str,
        data: Any,
        place: Path | str,
        *,
        columns: Sequence[str] | None = None,
        key: str | None = None,
        replace: bool = False,
        dims: int | None = None,
        kind: IndexKind | str = "auto",
        options: dict[str, str] | None = None,
        tell: TellStage = _silent,
    ) -> SearchIndex:
        """Index the rows of a table.

        Rows are written, and can be found, a thousand at a time: what was written before an
        interruption stays, and :meth:`add` of the same table goes on. Readers of an index that
        is replaced go on with the old rows until the new ones are whole.

        Args:
            run: the model: a saved predictor, or its run directory.
            data: a table as :meth:`Table.read` takes it.
            place: a folder, or an address as ``s3://bucket/prefix``.
            columns: the input columns to make vectors of, one by one; None for all. Vectors of
                whole rows are always kept.
            key: the column that names a row; by default a row is named by what it holds.
            replace: whether an index that is there gives way to this one.
            dims: numbers kept of each vector (Matryoshka); None keeps all.
            kind: "ivf_pq", "ivf_hnsw_sq"; "auto" takes the first that finds enough; "exact" none.
            options: what LanceDB is to know of an object store.
            tell: is told a stage, how much of it is done, and how much there is.

        Raises:
            PolymodalError: an index is there, or model and table do not fit.
        """
        predictor = run if isinstance(run, Predictor) else Predictor.load(run)
        table = Table.read(data)
        if kind not in ("auto", "exact", *KINDS):
            raise PolymodalError(
                f"No kind of index is called {kind!r}. Known: auto, exact, {', '.join(KINDS)}."
            )
        store = VectorStore(place, options=options)
        there = store.tables()
        if ABOUT in there and not replace:
            raise PolymodalError(
                f"There is an index in {str(place)!r}. Add rows to it with --add, or make it anew "
                "with --replace; until then it answers as before."
            )
        about = describe(predictor, table, columns, key=key, dims=dims)
        about.rows, about.kind = _next(there), kind
        old = store.read_about()["rows"] if ABOUT in there else None
        store.create(about.rows, about.layout.schema(field_types(table, about.layout.fields)))
        if old is None:  # so that it opens if this is interrupted
            store.write_about(about.to_dict())
        index = cls(store, about, predictor)
        RowWriter(about, index._rows, predictor).put(table, tell)
        index._finish(tell)
        for name in there:
            if name not in (ABOUT, old):  # readers may still be at the last one
                store.drop(name)
        return index

    @classmethod
    def open(
        cls,
        place: Path | str,
        *,
        predictor: Predictor | None = None,
        cache_bytes: int = CACHE_BYTES,
        options: dict[str, str] | None = None,
    ) -> SearchIndex:
        """An index that is there.

        Args:
            place: its folder, or its address in an object store.
            predictor: the model, where it is loaded already or has moved.
            cache_bytes: memory for pieces of indexes, at most.
            options: what LanceDB is to know of an object store.

        Raises:
            PolymodalError: there is no index.
            RunError: the index was made by another model than ``predictor``.
        """
        store = VectorStore(place, cache_bytes=cache_bytes, options=options)
        about = About.from_dict(store.read_about(), str(place))
        if predictor is not None:
            check_model(about, predictor)
        return cls(store, about, predictor)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self._rows)

    @property
    def columns(self) -> dict[str, str]:
        """The columns that may ask, with their modality."""
        return dict(self.about.modalities)

    @property
    def fields(self) -> list[str]:
        """The names that filters and answers use for the table's own columns."""
        return list(self.about.layout.fields.values())

    @property
    def predictor(self) -> Predictor:
        """The model that made the index.

        Raises:
            RunError: its run directory is gone, or holds another model now.
        """
        if self._predictor is None:
            try:
                predictor = Predictor.load(self.about.run)
            except RunError as error:
                raise RunError(
                    f"The index needs the model that made it, which was in {self.about.run!r}: "
                    f"{error} Name the run directory with --run."
                ) from error
            check_model(self.about, predictor)
            self._predictor = predictor
        return self._predictor

    def add(self, data: Any, *, tell: TellStage = _silent) -> Added:
        """Add rows, and replace those whose key is there; what is there unchanged costs little.

        When rows are written, a thousand at a time, they stay, whatever happens afterwards.

        Args:
            data: a table as :meth:`Table.read` takes it, with the columns of the first one.
            tell: is told a stage, how much of it is done, and how much there is.

        Raises:
            PolymodalError: columns are missing, or of another type.
        """
        added = RowWriter(self.about, self._rows, self.predictor).put(Table.read(data), tell)
        stale = max(self._rows.indexed().values(), default=0)
        if stale > max(ROWS_AT_ONCE, STALE_SHARE * len(self)):
            tell("tidying up", 0, 1)
            self._rows.tidy()
        if not self.about.whole:
            self._finish(tell)
        return added

    def delete(self, keys: Sequence[str]) -> int:
        """Remove rows by key; returns how many there were."""
        return self._rows.delete([str(key) for key in keys])

    def tune(self, kind: str = "auto", *, tell: TellStage = _silent) -> None:
        """Build indexes of vectors anew, and choose how to search them by measured recall.

        Readers are answered by the old ones meanwhile.

        Args:
            kind: see :meth:`build`; below 20,000 rows every row is compared with.
            tell: is told what is being done.
        """
        if kind == "exact" or (kind == "auto" and len(self) < INDEX_FROM):
            return
        kinds: Sequence[IndexKind] = KINDS if kind == "auto" else (kind,)  # type: ignore[assignment]
        vectors = self.about.layout.vectors
        for number, (name, column) in enumerate(vectors.items()):
            others = [c for n, c in vectors.items() if n not in (name, ROW)]
            chosen, measured = tune(
                self._rows,
                column,
                asked_with=others[0] if self.about.aligned and others else None,
                kinds=kinds,
                tell=lambda line, n=number: tell(line, n, len(vectors)),  # type: ignore[misc]
            )
            self.about.measured[name] = {
                "chosen": chosen.to_dict(),
                "measured": [one.to_dict() for one in measured],
                "rows": len(self),
            }
        self.store.write_about(self.about.to_dict())

    def search(
        self,
        cells: Mapping[str, Any] | None = None,
        *,
        weights: Mapping[str, float] | None = None,
        within: str | None = None,
        words: str = "",
        where: str | None = None,
        k: int = 10,
        rerank: bool = False,
    ) -> Found:
        """The rows most like what is asked.

        Args:
            cells: column -> a cell as a table would hold it (path, bytes, text, number, …);
                :data:`ROW` -> a whole row, as a dictionary.
            weights: column -> how much it counts; 1 by default, below 0 to move away from it.
            within: the column whose cells answer; "" for whole rows. By default whole rows where
                all columns are in one space; elsewhere each column asks its own.
            words: to be found in the texts, by BM25; joined with ``cells`` by the ranks of both.
            where: only rows that pass this, as SQL: ``price < 10 AND kind = 'cat'``.
            k: how many rows.
            rerank: whether the model looks at all of the question at once, and puts the 50 best
                candidates in the order of whole rows.

        Raises:
            PolymodalError: nothing is asked, or it cannot be asked of this index.
        """
        begun = time.perf_counter()
        self._look_again()
        cells, words = dict(cells or {}), words.strip()
        if not cells and not words:
            raise PolymodalError(f"Nothing is asked. Columns that may ask: {listed(self.about)}.")
        if k < 1:
            raise PolymodalError(f"k is {k}; ask for at least one row.")
        asker = Asker(self.about, self._rows, self.embedded)
        asks = asker.asks(cells, weights or {}, within) if cells else []
        judge = None
        if rerank:
            whole = cells.get(ROW, cells)
            if not whole:
                raise PolymodalError("Words alone leave nothing for the model to rank by.")
            judge = Ask(ROW, self.embedded(whole, ROW))
        encoded = time.perf_counter() - begun
        if len(asks) == 1 and not words and judge is None:
            hits = asker.directly(asks[0], k, where)
        else:
            hits = asker.joined(asks, words, k, where=where, judge=judge)
        return Found(
            hits=hits,
            asked={**cells, **({"words": words} if words else {})},
            within=[ask.space for ask in asks],
            where=where,
            seconds=time.perf_counter() - begun,
            seconds_encoding=encoded,
        )

    def column_for(self, modality: str, text: str = "") -> str:
        """The column that asks with a picture, a sound, a text: the first of that modality.

        Of several columns of text, that of the question's script (Chinese or not).

        Raises:
            PolymodalError: there is none.
        """
        kinds = TEXTS if modality == "text" else (modality,)
        named = [n for kind in kinds for n, m in self.about.modalities.items() if m == kind]
        if not named:
            raise PolymodalError(
                f"No column of this index asks with {modality}. Columns that may ask: "
                f"{listed(self.about)}."
            )
        share = chinese_share([text])
        texts = [name for name in named if self.about.modalities[name] == "text"]
        if text and len(texts) > 1:
            return min(texts, key=lambda name: abs(self.about.chinese.get(name, 0.0) - share))
        return named[0]

    def embedded(self, cells: Mapping[str, Any], space: str) -> np.ndarray:
        """The vector ``(D,)`` of a question's cells.

        Args:
            cells: column -> cell.
            space: the column they are read as; "" for a whole row.

        Raises:
            PolymodalError: they cannot be read.
        """
        with self._lock:
            vectors = self.predictor.embed([dict(cells)], space or None, dims=self.about.dims)
        if not vectors.any():
            said = {name: str(cell)[:60] for name, cell in cells.items() if cell is not None}
            raise PolymodalError(
                f"What is asked cannot be read as {repr(space) if space else 'a row'}: {said}. "
                "Is the file there, and whole?"
            )
        return vectors[0]

    def _finish(self, tell: TellStage) -> None:
        """What follows when all rows of the first table are there."""
        self._rows.index_keys()
        for number, text in enumerate(self.about.texts):
            tell("indexing words", number, len(self.about.texts))
            self._rows.index_words(text)
        self.about.whole = True
        self.tune(self.about.kind, tell=tell)
        self.store.write_about(self.about.to_dict())

    def _look_again(self) -> None:
        """See whether the index was replaced or tuned meanwhile."""
        now = time.monotonic()
        if now - self._looked < SECONDS_BETWEEN_LOOKS:
            return
        self._looked = now
        about = About.from_dict(self.store.read_about(), self.store.place)
        if about.model != self.about.model:
            self._predictor = None
        if about.rows != self.about.rows:
            self._rows = self.store.open(about.rows)
        self.about = about


def _next(there: Sequence[str]) -> str:
    """A name that no table of rows has."""
    numbers = [int(name.rpartition("_")[2]) for name in there if name != ABOUT]
    return f"{ROWS}_{max(numbers, default=0) + 1}"
