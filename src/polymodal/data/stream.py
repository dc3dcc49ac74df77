"""Training batches decoded on the fly, from a table too large to hold."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
import torch

from polymodal.batch import Batch
from polymodal.data.findings import Finding, kind_of_defect
from polymodal.data.loader import Columns, Loader
from polymodal.data.media import without_remarks
from polymodal.data.modalities import Modality
from polymodal.data.pack import pack_some
from polymodal.data.readers import from_rows
from polymodal.data.shards import Row, Shards
from polymodal.data.table import Table, columns_named


class Stream:
    """The rows of some shards, in a random order that depends on seed and epoch only.

    Args:
        shards: the files.
        sample: numbers of the rows that were read as a table.
        views: further columns, as :meth:`Table.with_views` takes them.
        shuffle: rows that are held to draw from; the files' order is random in any case.
        workers: threads that decode.
        process: number of this process, and of how many.
    """

    def __init__(
        self,
        shards: Shards,
        *,
        sample: Sequence[int] = (),
        views: Mapping[str, str] | None = None,
        shuffle: int = 1000,
        workers: int = 1,
        process: tuple[int, int] = (0, 1),
    ) -> None:
        self.shards, self.sample, self.views = shards, list(sample), dict(views or {})
        self.held_out: set[int] = set()
        self.shuffle, self.workers, self.process = shuffle, workers, process
        self.broken: Counter[tuple[str, str]] = Counter()  # column, kind of defect -> cells

    def __len__(self) -> int:
        """Rows of an epoch."""
        return sum(self.shards.counts) - len(self.held_out)

    def hold_out(self, places: np.ndarray) -> None:
        """Never draw these of the sample's rows: they are for validation and test."""
        self.held_out = {self.sample[place] for place in places.tolist()}

    def finding(self) -> Finding:
        """What was learned from the sample alone."""
        sample, rows = len(self.sample), sum(self.shards.counts)
        return Finding(
            "not_checked",
            "note",
            what=f"streamed: {sample:,} of {rows:,} rows, from the start of each of "
            f"{len(self.shards)} files, were read as a table",
            why="schema, statistics, vocabularies, checks, baselines, validation and test are "
            f"theirs; the network is trained on all {len(self):,} others and theirs for training",
            remedy="raise data.stream_sample if they do not stand for the rest",
        )

    def broken_cells(self) -> list[Finding]:
        """What could not be decoded on the way, so far."""
        return [
            Finding(
                kind_of_defect(kind, media=True),
                "error",
                column=column,
                what=f"{kind}: {count:,} times while streaming",
                why="the cell cannot be used",
                remedy="treated as missing",
            )
            for (column, kind), count in self.broken.items()
        ]

    def loader(self, columns: Columns, *, batch_size: int, seed: int) -> StreamLoader:
        """Its batches.

        Args:
            columns: which columns go into them, with their fitted modalities.
            batch_size: rows of a batch.
            seed: of the order and of augmentation.
        """
        return StreamLoader(self, columns, batch_size=batch_size, seed=seed)

    def order(self, rng: np.random.Generator) -> Iterator[Row]:
        """All rows in a random order, again and again in another one."""
        held: list[Row] = []
        while True:
            for shard in rng.permutation(len(self.shards)):
                for row in self.shards.rows(int(shard)):
                    if row.number in self.held_out:
                        continue
                    held.append(row)
                    if len(held) > self.shuffle:
                        yield _drawn(held, rng)
            while held:
                yield _drawn(held, rng)


class StreamLoader:
    """A source of training batches: the same bundle as :class:`Loader` makes of a pack.

    Threads decode some batches ahead while a step runs. A resumed epoch reads the rows it has
    had, but does not decode them. In a training on several processes each decodes its own batches
    only; all read the same rows.

    Args:
        stream: the rows.
        columns: which columns go into a batch, with their fitted modalities.
        batch_size: rows of a batch.
        seed: of the order and of augmentation.
    """

    def __init__(self, stream: Stream, columns: Columns, *, batch_size: int, seed: int) -> None:
        self.stream, self.columns = stream, columns
        self.batch_size, self.seed = batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch; a rest that fills none comes first in the next."""
        return max(1, len(self.stream) // self.batch_size)

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first ``skip``."""
        rows = self.stream.order(np.random.default_rng((self.seed, number)))
        for _ in range(skip * self.batch_size):
            next(rows)
        me, processes = self.stream.process
        ahead: deque[Future[Batch]] = deque()
        with without_remarks(), ThreadPoolExecutor(self.stream.workers) as threads:
            try:
                for place in range(skip, self.steps_per_epoch):
                    chosen = list(islice(rows, self.batch_size))
                    if place % processes == me:
                        ahead.append(threads.submit(self._batch, chosen, number, place))
                    else:
                        ahead.append(_of_another_process())
                    if len(ahead) > self.stream.workers + 1:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for waiting in ahead:
                    waiting.cancel()

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0."""
        return self.epoch(0)

    def _batch(self, rows: list[Row], number: int, place: int) -> Batch:
        """Fetch, decode and gather, in one of the threads."""
        cells = [self.stream.shards.fetched(row) for row in rows]
        table = self._complete(Table(from_rows(cells), source=self.stream.shards.source))
        modalities: dict[str, Modality] = {**self.columns.inputs, **self.columns.targets}
        packed = pack_some(table, modalities)
        for column, kinds in packed.broken.items():
            for kind, where in kinds.items():
                self.stream.broken[column, kind] += len(where)
        everything = np.arange(len(rows))
        loader = Loader(packed, self.columns, rows=everything, batch_size=len(rows))
        batch = loader.batch(everything, chance=(self.seed, number, place))
        return replace(batch, rows=torch.tensor([row.number for row in rows]))

    def _complete(self, table: Table) -> Table:
        """The table with its views, and with the columns that none of its rows has."""
        names = [*self.columns.inputs, *self.columns.targets]
        views = {name: self.stream.views[name] for name in names if name in self.stream.views}
        wanted = [name for name in names if name not in views]
        wanted += [part for source in views.values() for part in columns_named(source)]
        absent = {name: [None] * len(table) for name in wanted if name not in table.columns}
        whole = Table(table.columns | absent, folder=table.folder, source=table.source)
        return whole.with_views(views)


def _drawn(held: list[Row], rng: np.random.Generator) -> Row:
    """Take one of the held rows away."""
    place = int(rng.integers(len(held)))
    held[place], held[-1] = held[-1], held[place]
    return held.pop()


def _of_another_process() -> Future[Batch]:
    """What stands where another process has its batch; nobody looks into it."""
    empty: Future[Batch] = Future()
    empty.set_result(Batch({}))
    return empty
