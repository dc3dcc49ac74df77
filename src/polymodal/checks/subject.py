"""What checks look at: a table with its schema, parts and decoded cells, each worked out once."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from polymodal.checks.media_files import MediaFile, read_facts
from polymodal.data.dataset import Dataset
from polymodal.data.media import as_list, unwrapped
from polymodal.data.modalities import Modality
from polymodal.data.modalities.audio import QUIETEST
from polymodal.data.modalities.number import to_numbers
from polymodal.data.pack import Pack, Store
from polymodal.data.schema import Schema
from polymodal.data.table import Table
from polymodal.evaluation.features import table_features

FLATTEST = 6  # grey levels between the darkest and the brightest pixel of "one colour"


@dataclass
class Subject:
    """A table as checks look at it.

    Letters: N rows · U distinct cells of a column · F features.

    Args:
        table: the cells.
        schema: modality and role of every column.
        parts: ``(N,)`` "train", "validation", "test"; all "train" where nothing is split.
        modalities: input and target columns -> fitted modality.
        pack: their decoded cells.
        given: whether the parts were given with the data, not drawn at random.
        seed: of everything drawn.
    """

    table: Table
    schema: Schema
    parts: np.ndarray
    modalities: Mapping[str, Modality]
    pack: Pack
    given: bool = False
    seed: int = 0
    _numbers: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _codes: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _features: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict, repr=False)
    _blank: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _files: dict[str, dict[int, MediaFile]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, dataset: Dataset, modalities: Mapping[str, Modality], pack: Pack, *, seed: int = 0
    ) -> Subject:
        """A prepared data set with its decoded cells."""
        schema = dataset.schema
        given = bool(schema.named("split")) or dataset.given
        return cls(dataset.table, schema, dataset.parts, modalities, pack, given, seed)

    def __len__(self) -> int:
        """The number of rows N."""
        return len(self.table)

    def inputs(self, *names: str) -> list[str]:
        """Input columns of these modalities; of all without a name."""
        return [n for n in self.schema.inputs if not names or self.schema[n].modality in names]

    def columns(self, *names: str) -> list[str]:
        """Input and target columns of these modalities."""
        used = [*self.schema.inputs, *self.schema.targets]
        return [name for name in used if self.schema[name].modality in names]

    def media(self) -> list[str]:
        """Input columns that hold files, each set of cells once."""
        sources = self.schema.sources
        names = [n for n in self.schema.inputs if self.modalities[n].media]
        return [name for name in names if sources.get(name) not in names]

    def numbers(self, column: str) -> np.ndarray:
        """The column as numbers ``(N,)``, NaN where there is none."""
        if column not in self._numbers:
            self._numbers[column] = to_numbers(self.table.cells(column))
        return self._numbers[column]

    def codes(self, column: str) -> np.ndarray:
        """A number for each row ``(N,)``, equal where cells are; -1 where missing."""
        if column not in self._codes:
            self._codes[column] = self.table.codes(column)
        return self._codes[column]

    def texts(self, column: str) -> list[str | None]:
        """The column's cells ``(N,)`` as text; None where missing."""
        cells = self.table.cells(column)
        return [" ".join(map(str, c)) if isinstance(c, list) else _written(c) for c in cells]

    def rows_of(self, column: str) -> dict[int, np.ndarray]:
        """Distinct cell -> the rows that hold it, by :meth:`codes`."""
        codes = self.codes(column)
        order = np.argsort(codes, kind="stable")
        order = order[codes[order] >= 0]
        starts = np.flatnonzero(np.diff(codes[order], prepend=-2))
        groups = np.split(order, starts[1:]) if len(order) else []
        return {int(codes[group[0]]): group for group in groups}

    def files(self, column: str) -> dict[int, MediaFile]:
        """First row of each distinct cell of a media column -> what its file says of itself."""
        if column not in self._files:
            found = {}
            firsts = np.array([rows[0] for rows in self.rows_of(column).values()], np.int64)
            cells = self.table.cells(column, firsts)
            for row, cell in zip(firsts.tolist(), cells, strict=True):
                if as_list(cell) is None:  # lists have several files
                    found[row] = read_facts(unwrapped(self.table.media(cell)))
            self._files[column] = found
        return self._files[column]

    def features(self, column: str) -> np.ndarray:
        """Hand-made features of the distinct decoded cells ``(U, F)`` float32."""
        return self._unit_features(column)[0]

    def row_features(self, column: str, rows: np.ndarray) -> np.ndarray:
        """Features of rows ``(len(rows), F)`` float32, NaN where the cell is absent."""
        features = self.features(column)
        units = self.store(column).index[rows]
        found = np.full((len(rows), features.shape[1]), np.nan, np.float32)
        found[units >= 0] = features[units[units >= 0]]
        return found

    def store(self, column: str) -> Store:
        """The column's decoded cells."""
        return self.pack.stores[column]

    def first_rows(self, column: str) -> np.ndarray:
        """The first row of each decoded cell ``(U,)``."""
        return self._unit_features(column)[1]

    def rows_of_units(self, column: str) -> list[np.ndarray]:
        """For each decoded cell, the rows that hold it."""
        index = self.store(column).index
        order = np.argsort(index, kind="stable")
        order = order[index[order] >= 0]
        starts = np.searchsorted(index[order], np.arange(self.store(column).distinct + 1))
        return [order[a:b] for a, b in itertools.pairwise(starts)]

    def blank_units(self, column: str) -> np.ndarray:
        """Decoded pictures and videos of one colour, and sounds without sound."""
        if column not in self._blank:
            is_blank = _is_silent if self.schema[column].modality == "audio" else _is_flat
            store = self.store(column)
            blank = [unit for unit in range(store.distinct) if is_blank(store.cell(unit))]
            self._blank[column] = np.array(blank, np.int64)
        return self._blank[column]

    def _unit_features(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        if column not in self._features:
            rows = np.array([rows[0] for rows in self.rows_of_units(column)], np.int64)
            made = table_features(self.pack, {column: self.modalities[column]}, rows)
            self._features[column] = made[column], rows
        return self._features[column]


def _written(cell: object) -> str | None:
    return None if cell is None else cell if isinstance(cell, str) else str(cell)


def _is_flat(cell: np.ndarray) -> bool:
    """Whether pixels ``(…, H, W, C)`` are of one colour."""
    for step in (7, 1):  # most pictures show more than one colour in a few of their pixels
        pixels = cell[..., ::step, ::step, :].reshape(-1, cell.shape[-1])
        if not len(pixels) or int(np.ptp(pixels, axis=0).max()) > FLATTEST:
            return False
    return True


def _is_silent(cell: np.ndarray) -> bool:
    """Whether a waveform ``(T,)`` or log-mel frames ``(T, mels)`` hold no sound."""
    if cell.ndim == 1:  # a waveform
        return int(np.abs(cell.astype(np.int32)).max(initial=0)) <= 8
    return float(cell.astype(np.float32).max(initial=-99)) < np.log(QUIETEST) + 0.7
