"""Frozen encoders run once: what they make of each cell is kept on disk.

Letters: U distinct cells of a column · T tokens of one cell · D width of the encoder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from polymodal.batch import Tokens
from polymodal.countdown import spoken_time
from polymodal.data.growing_array import GrowingArray
from polymodal.data.loader import gather
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack, Store
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.pixels import channels_last
from polymodal.model import MultimodalModel

MOST_CELLS, MOST_VALUES = 64, 4_000_000  # that an encoder is given at once
SECONDS_BETWEEN_SAVES = 5.0
NEWS_AFTER = 0.02  # of the cells
MOST_OF_FREE_DISK = 0.8


class FrozenFeatures:
    """Runs each frozen encoder once over the distinct cells of its column.

    What it makes of them is kept in float32 in a file whose name is a key of the decoded cells
    (the files' content and their preprocessing) and of the encoder's kind, settings and weights.
    So networks that share an encoder share its features, and a computation that was killed goes
    on where it was. A fusion that reads no tokens has only the pooled vectors kept.

    Features are what training would compute at each step, in full precision; a column whose
    cells are augmented has none.

    Args:
        pack: the decoded columns.
        modalities: column -> fitted modality.
        directory: where the files are kept.
        tell: is told what is being done, a line at a time.
        device: where encoders run; None takes the best there is.
    """

    def __init__(
        self,
        pack: Pack,
        modalities: Mapping[str, Modality],
        *,
        directory: Path,
        tell: Callable[[str], None] = lambda line: None,
        device: torch.device | str | None = None,
    ) -> None:
        self.pack, self.modalities, self.directory, self.tell = pack, modalities, directory, tell
        best = torch.accelerator.current_accelerator(check_available=True)
        self.device = torch.device(device or best or "cpu")
        self._packs: WeakKeyDictionary[MultimodalModel, Pack] = WeakKeyDictionary()
        self._contents: dict[str, bytes] = {}
        self._too_large: set[str] = set()

    def columns(self, model: MultimodalModel) -> list[str]:
        """The columns of a network whose features can be kept."""
        return list(self._encoders(model))

    def pack_for(self, model: MultimodalModel) -> Pack:
        """The pack, with features of the cells that the network's frozen encoders read.

        Args:
            model: a network on the pack's columns; its frozen weights must stay as they are.

        Raises:
            RunError: the features cannot be written.
        """
        if model not in self._packs:
            found = {
                column: self._store(column, encoder, whole=reads_tokens(model, column))
                for column, encoder in self._encoders(model).items()
            }
            features = {column: store for column, store in found.items() if store is not None}
            self._packs[model] = replace(self.pack, features=features)
        return self._packs[model]

    def _encoders(self, model: MultimodalModel) -> dict[str, Encoder]:
        encoders = {name: model.encoder(name) for name in model.branches}
        return {
            name: encoder
            for name, encoder in encoders.items()
            if isinstance(encoder, Encoder)
            and encoder.frozen
            and not self.modalities[name].augments
            and self.pack.stores[name].distinct
        }

    def _store(self, column: str, encoder: Encoder, *, whole: bool) -> Store | None:
        """The features of a column's cells; None where the disk is too small for them."""
        if column not in self._contents:
            self._contents[column] = _content(self.pack.stores[column])
        key = hashlib.blake2b(self._contents[column] + _fingerprint(encoder), digest_size=16)
        name = f"{key.hexdigest()}.{'tokens' if whole else 'pooled'}"
        if name in self._too_large:
            return None
        kept = GrowingArray(self.directory / name, (encoder.width,))
        cells = self.pack.stores[column]
        lengths = cells.lengths(np.arange(cells.distinct))
        # The longest first: where memory is too small for them, it shows at once.
        order = np.argsort(-lengths, kind="stable")
        if len(kept) < len(order):
            work = self._work(column, encoder, order[len(kept) :], whole=whole)
            with kept:
                complete = self._fill(kept, work, column, lengths[order])
            if not complete:
                kept.remove()
                self._too_large.add(name)
                return None
        values, offsets = kept.mapped()
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        index = np.where(cells.index >= 0, place[cells.index], -1)
        return Store(index, values, offsets)

    def _work(
        self, column: str, encoder: Encoder, units: np.ndarray, *, whole: bool
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows ``(sum of 1 + T, D)`` and their number for each of some cells, batch by batch."""
        store = self.pack.stores[column]
        cells = Store(np.arange(store.distinct), store.values, store.offsets, store.places)
        channels_last(encoder.to(self.device))
        for batch in _batches(cells, units):
            field = gather(cells, self.modalities[column], batch, share=True).to(self.device)
            with torch.inference_mode():
                yield _rows(encoder(field), whole=whole)

    def _fill(
        self,
        kept: GrowingArray,
        work: Iterator[tuple[np.ndarray, np.ndarray]],
        column: str,
        lengths: np.ndarray,
    ) -> bool:
        """Add what is lacking; False where the disk is too small for it."""
        what = f"features of {column!r} by its frozen encoder"
        begun = told = len(kept)
        work_of = np.maximum(lengths, 1)
        started = saved = time.perf_counter()
        for rows, counts in work:
            first = len(kept) == begun
            kept.add(rows, counts)
            left = work_of[len(kept) :].sum() / work_of[begun : len(kept)].sum()
            free = shutil.disk_usage(self.directory).free
            if first and (needed := rows.nbytes * left) > MOST_OF_FREE_DISK * free:
                self.tell(
                    f"{what}: not kept, they would take {needed / 1e9:,.1f} GB and "
                    f"{free / 1e9:,.1f} GB are free; it runs at each step instead"
                )
                return False
            now = time.perf_counter()
            if now - saved > SECONDS_BETWEEN_SAVES:
                saved = now
                kept.save()
                if len(kept) - told >= NEWS_AFTER * len(lengths):
                    told = len(kept)
                    done = f"{told:,} of {len(lengths):,} cells"
                    self.tell(f"{what}: {done}, {spoken_time(left * (now - started))} left")
        kept.save()
        seconds, size = time.perf_counter() - started, kept.path.stat().st_size
        self.tell(
            f"{what}: {len(kept):,} cells in {spoken_time(seconds)}, {size / 1e6:,.1f} MB on disk"
        )
        return True


def reads_tokens(model: MultimodalModel, branch: str) -> bool:
    """Whether a branch's tokens are read, by fusion or head, or its pooled vector alone.

    Found by trying: NaN in the tokens shows in what a fusion makes of them, whatever it does.
    """
    if branch in model.read_by_heads:
        return True
    fusion = model.fusion
    device = next(chain(fusion.parameters(), [torch.zeros(())])).device
    tokens, present = {}, {}
    for name in model.fused:
        width = model.encoder(name).width
        x = torch.full((1, 2, width), torch.nan if name == branch else 0.0, device=device)
        tokens[name] = Tokens(x, None, torch.zeros(1, width, device=device))
        present[name] = torch.ones(1, dtype=torch.bool, device=device)
    training = fusion.training
    with torch.inference_mode():
        fused = fusion.eval()(tokens, present)
    fusion.train(training)
    parts = (fused.vector, fused.tokens, fused.weights, fused.experts)
    return any(part is not None and bool(part.isnan().any()) for part in parts)


def _batches(cells: Store, units: np.ndarray) -> Iterator[np.ndarray]:
    """Cells that are encoded together, of like length where they are sorted by it."""
    size = cells.cell(int(units[0]))[:1].size if cells.offsets is not None else cells.cell(0).size
    lengths = cells.lengths(units)
    start = 0
    while start < len(units):
        count = max(1, min(MOST_CELLS, MOST_VALUES // max(1, size * int(lengths[start]))))
        yield units[start : start + count]
        start += count


def _rows(tokens: Tokens, *, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """The pooled vector and, if wanted, the real tokens of each cell, end to end."""
    x, first = tokens.pooled[:, None], torch.ones_like(tokens.pooled[:, :1], dtype=torch.bool)
    mask = first
    if whole:
        real = torch.ones_like(tokens.x[..., 0], dtype=torch.bool)
        x = torch.cat([x, tokens.x], 1)
        mask = torch.cat([first, real if tokens.mask is None else tokens.mask], 1)
    return x[mask].float().cpu().numpy(), mask.sum(1).cpu().numpy()


def _content(store: Store) -> bytes:
    """What distinguishes the decoded cells of a column from all others."""
    digest = hashlib.blake2b(repr((store.distinct, store.values.dtype)).encode())
    for unit in range(store.distinct):
        cell = np.ascontiguousarray(store.cell(unit))
        digest.update(repr(cell.shape).encode())
        digest.update(cell.data)
    return digest.digest()


def _fingerprint(encoder: Encoder) -> bytes:
    """What distinguishes an encoder from all others: its kind, settings, weights and buffers."""
    described = [type(encoder).__qualname__, json.dumps(encoder.settings(), sort_keys=True)]
    digest = hashlib.blake2b(repr(described).encode())
    for name, tensor in _tensors(encoder):
        digest.update(repr((name, tensor.shape, tensor.dtype)).encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.digest()


def _tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Weights and buffers, those too that a saved run does not hold."""
    return chain(module.named_parameters(), module.named_buffers())
