"""From packed columns to batches: whole batches gathered at once, shared cells held once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch, Field
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack, Store

SHARED_FROM = 1.5
BATCHES_SORTED_TOGETHER = 20
WORTH_READING_AHEAD = 1 << 20  # bytes of a batch


@dataclass(frozen=True)
class Columns:
    """Which columns a batch holds, with their modalities.

    Args:
        inputs: input column -> its fitted modality.
        targets: target column -> its fitted modality.
    """

    inputs: Mapping[str, Modality]
    targets: Mapping[str, Modality]


class Loader:
    """Batches of some rows of a pack.

    In training, rows that share a picture or a recording are drawn together, so that it is
    encoded once for all of them; without shared cells, texts and recordings of like length are.
    The order depends on the seed and the epoch only.

    Args:
        pack: the decoded columns.
        columns: which of them go into a batch.
        rows: the rows to draw, ``(n,)``.
        batch_size: rows of a batch.
        seed: of the order.
        training: shuffle and augment; otherwise every row once, in the cheapest order.
        share: whether cells that several rows share are held once and drawn together.
    """

    def __init__(
        self,
        pack: Pack,
        columns: Columns,
        *,
        rows: np.ndarray,
        batch_size: int,
        seed: int = 0,
        training: bool = False,
        share: bool = True,
    ) -> None:
        self.pack, self.columns, self.rows = pack, columns, np.asarray(rows)
        self.batch_size, self.seed, self.training, self.share = batch_size, seed, training, share
        self._shared = self._most_shared() if share else None
        self._lengths = self._row_lengths()

    @property
    def steps_per_epoch(self) -> int:
        """Batches of one epoch."""
        return len(self._cuts(len(self.rows))) - 1

    def epoch(self, number: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, without the first ``skip``."""
        order = self._training_order(number) if self.training else self._plain_order()
        for place, batch in enumerate(self._batches(order[skip:]), start=skip):
            yield self._varied(batch, (self.seed, number, place)) if self.training else batch

    def __iter__(self) -> Iterator[Batch]:
        """The batches of epoch 0."""
        return self.epoch(0)

    def batch(self, rows: np.ndarray, *, chance: tuple[int, int, int] | None = None) -> Batch:
        """The batch of these rows, augmented by this chance if there is one."""
        batch = self._plain(rows)
        return batch if chance is None else self._varied(batch, chance)

    def _plain(self, rows: np.ndarray) -> Batch:
        inputs = {
            name: gather_features(self.pack.features[name], rows, share=self.share)
            if name in self.pack.features
            else gather(self.pack.stores[name], modality, rows, share=self.share)
            for name, modality in self.columns.inputs.items()
        }
        targets = {
            name: gather(self.pack.stores[name], modality, rows, share=False)
            for name, modality in self.columns.targets.items()
        }
        return Batch(inputs, targets, torch.from_numpy(np.ascontiguousarray(rows)))

    def _varied(self, batch: Batch, chance: tuple[int, int, int]) -> Batch:
        seed = int(np.random.SeedSequence(chance).generate_state(1)[0])
        generator = torch.Generator().manual_seed(seed)
        inputs = dict(batch.inputs)
        for name, modality in self.columns.inputs.items():
            field = inputs[name]
            if modality.augments and not field.encoded:
                values = modality.augment(field.values, generator, field.mask)
                inputs[name] = replace(field, values=values)
        return replace(batch, inputs=inputs)

    def _batches(self, order: list[np.ndarray]) -> Iterator[Batch]:
        """Batches one after the other; the next is read while one is used, where that pays."""
        if not self._on_disk():
            yield from map(self._plain, order)
            return
        with ThreadPoolExecutor(1) as reader:
            ahead: Future[Batch] | None = None
            for rows in order:
                following = reader.submit(self._plain, rows)
                if ahead is not None:
                    yield ahead.result()
                ahead = following
            if ahead is not None:
                yield ahead.result()

    def _on_disk(self) -> bool:
        """Whether batches are big and read from files: handing over a small one costs more."""
        stores = [self.pack.features.get(n, self.pack.stores[n]) for n in self.columns.inputs]
        mapped = [store for store in stores if isinstance(store.values, np.memmap)]
        size = sum(store.values.nbytes / max(store.distinct, 1) for store in mapped)
        return size * self.batch_size >= WORTH_READING_AHEAD

    def _cuts(self, count: int) -> list[int]:
        """Where batches begin and end; a small rest joins the batch before it."""
        cuts = list(range(0, count, self.batch_size))
        rest = count - cuts[-1] if cuts else 0
        if len(cuts) > 1 and self.batch_size > 1 and rest <= max(1, self.batch_size // 4):
            cuts.pop()
        return [*cuts, count]

    def _cut(self, rows: np.ndarray) -> list[np.ndarray]:
        cuts = self._cuts(len(rows))
        return [rows[a:b] for a, b in pairwise(cuts)]

    def _plain_order(self) -> list[np.ndarray]:
        if self._shared is not None:
            key = self.pack.stores[self._shared].index[self.rows]
            return self._cut(self.rows[np.argsort(key, kind="stable")])
        if self._lengths is not None:
            return self._cut(self.rows[np.argsort(self._lengths, kind="stable")])
        return self._cut(self.rows)

    def _training_order(self, number: int) -> list[np.ndarray]:
        if not len(self.rows):
            return []
        rng = np.random.default_rng((self.seed, number))
        if self._shared is not None:
            return self._cut(self.rows[self._together(rng)])
        order = rng.permutation(len(self.rows))
        if self._lengths is None:
            return self._cut(self.rows[order])
        window = BATCHES_SORTED_TOGETHER * self.batch_size
        parts = [order[i : i + window] for i in range(0, len(order), window)]
        order = np.concatenate([p[np.argsort(self._lengths[p], kind="stable")] for p in parts])
        batches = self._cut(self.rows[order])
        return [batches[i] for i in rng.permutation(len(batches))]

    def _together(self, rng: np.random.Generator) -> np.ndarray:
        """A random order in which rows with the same cell follow one another, in small runs."""
        assert self._shared is not None
        units = self.pack.stores[self._shared].index[self.rows]
        alone = np.flatnonzero(units < 0)
        units = units.copy()
        units[alone] = units.max(initial=0) + 1 + np.arange(len(alone))
        order = rng.permutation(len(units))
        order = order[np.argsort(units[order], kind="stable")]
        ranked = units[order]
        first = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        place = np.arange(len(order)) - np.repeat(first, np.diff(np.r_[first, len(order)]))
        # Runs are short beside a batch, so that a batch still holds many different cells.
        run = np.cumsum(place % max(2, self.batch_size // 16) == 0) - 1
        return order[np.argsort(rng.permutation(run[-1] + 1)[run], kind="stable")]

    def _most_shared(self) -> str | None:
        """The media column whose cells are shared by most rows, if that is worth it."""
        best, repeats = None, SHARED_FROM
        for name, modality in self.columns.inputs.items():
            if modality.media:
                index = self.pack.stores[name].index[self.rows]
                present = index[index >= 0]
                shared = len(present) / max(len(np.unique(present)), 1)
                if shared > repeats:
                    best, repeats = name, shared
        return best

    def _row_lengths(self) -> np.ndarray | None:
        """Length of each row's longest kind of cell, by which rows of like length meet."""
        ragged = [name for name, m in self.columns.inputs.items() if m.ragged]
        media = [name for name in ragged if self.columns.inputs[name].media]
        # Where no input has a length, texts that are written do.
        written = [name for name, m in self.columns.targets.items() if m.ragged]
        names = media or ragged or written
        if not names:
            return None
        total = np.zeros(len(self.rows), np.int64)
        for name in names:
            store = self.pack.stores[name]
            units = store.index[self.rows]
            total[units >= 0] += store.lengths(units[units >= 0])
        return total


def gather(
    store: Store, modality: Modality, rows: Sequence[int] | np.ndarray, *, share: bool
) -> Field:
    """One column of some rows as a field; a cell that several rows share is held once."""
    values, mask, present, index = _gathered(store, modality.blank(), rows, share=share)
    if modality.axes is not None:
        values = values.permute(modality.axes)
    if modality.tabular and index is not None:
        # Columns of one value each are read row by row: no index, nought where absent.
        values, index = values[index], None
        values[~present] = 0
    return Field(values, present, mask, index)


def gather_features(store: Store, rows: Sequence[int] | np.ndarray, *, share: bool) -> Field:
    """What a frozen encoder made of the cells of some rows, in place of these cells."""
    inner = store.values.shape[1:]
    blank = np.zeros(inner if store.offsets is None else (2, *inner), store.values.dtype)
    values, mask, present, index = _gathered(store, blank, rows, share=share)
    return Field(values, present, mask, index, encoded=True)


def _gathered(
    store: Store, blank: np.ndarray, rows: Sequence[int] | np.ndarray, *, share: bool
) -> tuple[Tensor, Tensor | None, Tensor, Tensor | None]:
    """Values, mask, presence and index, as a field holds them."""
    units = store.index[np.asarray(rows)]
    present = units >= 0
    everywhere = bool(present.all())
    held = units[present]
    distinct, inverse = np.unique(held, return_inverse=True)
    if everywhere and (not share or len(distinct) == len(units)):
        values, lengths = store.take(units)
        index = None
    elif len(held) == 0:
        values = blank[None]
        lengths = None if store.offsets is None else np.array([len(blank)])
        index = torch.zeros(len(units), dtype=torch.long)
    else:
        if not share:
            distinct, inverse = held, np.arange(len(held))
        values, lengths = store.take(distinct)
        index = torch.zeros(len(units), dtype=torch.long)
        index[torch.from_numpy(present)] = torch.from_numpy(inverse)
    mask = None
    if lengths is not None and int(lengths.min()) < values.shape[1]:
        mask = torch.arange(values.shape[1])[None] < torch.from_numpy(lengths)[:, None]
    return torch.from_numpy(values), mask, torch.from_numpy(present), index
