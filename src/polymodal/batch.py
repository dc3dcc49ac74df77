"""The named bundles that travel from the table to the loss.

Letters used for shapes, here and everywhere:
    B rows of a batch · U distinct cells of one column in a batch (U <= B) · T tokens (or frames)
    D width · M modalities (branches of the network) · C classes
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

ITEM = "(item)"
"""The target of columns that are aligned, of which no column is one: which rows are alike."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a batch.

    Cells that several rows share (one photo, ten questions) are held once: ``values`` has a row
    for each *distinct* cell and ``index`` says which of them a row of the batch holds. Absent
    cells are not in ``values`` at all when there is an ``index``.

    Args:
        values: ``(U, …)`` the distinct cells; ``(B, …)`` without an ``index``.
        present: ``(B,)`` bool, False where the row has no such cell.
        mask: ``(U, T)`` bool, True at real tokens and False at padding; None where no padding is.
        index: ``(B,)`` long, the place in ``values`` of each row's cell (0 where absent); None
            means that row ``i`` holds ``values[i]``.
        encoded: whether ``values`` ``(U, 1 + T, D)`` are what a frozen encoder made of the cells:
            of each the pooled vector, then the tokens (none where only the former is needed).
    """

    values: Tensor
    present: Tensor
    mask: Tensor | None = None
    index: Tensor | None = None
    encoded: bool = False

    def to(self, device: torch.device | str) -> Field:
        """The same field on a device."""
        return Field(
            self.values.to(device, non_blocking=True),
            self.present.to(device, non_blocking=True),
            None if self.mask is None else self.mask.to(device, non_blocking=True),
            None if self.index is None else self.index.to(device, non_blocking=True),
            self.encoded,
        )

    def tokens(self) -> Tokens:
        """What the encoder made of the distinct cells of an encoded field."""
        assert self.encoded, "these are cells: give them to the encoder"
        mask = None if self.mask is None else self.mask[:, 1:]
        return Tokens(self.values[:, 1:], mask, self.values[:, 0])

    def by_row(self, *, absent: float = 0) -> Tensor:
        """The cell of each row ``(B, …)``, and ``absent`` where there is none, whatever is held."""
        values = self.values
        if self.index is not None:
            # All rows absent: there is no cell, and no row of it to point to.
            cells = values if values.shape[0] else values.new_zeros((1, *values.shape[1:]))
            values = cells[self.index]
        present = self.present.reshape(-1, *[1] * (values.ndim - 1))
        return torch.where(present, values, absent)

    def mean(self, numbers: Tensor, weights: Tensor | None = None) -> Tensor:
        """The (weighted) mean of a number per row ``(B,)`` over rows with a cell; 0 if none has."""
        shares = self.present.to(numbers.dtype)
        if weights is not None:
            shares = torch.where(self.present, weights, 0.0)
        total = torch.where(self.present, numbers * shares, 0.0).sum()
        count = shares.sum()
        return total / torch.where(count > 0, count, 1.0)

    def absent(self) -> Field:
        """The same field with every cell absent."""
        return replace(self, present=torch.zeros_like(self.present))


@dataclass(frozen=True, slots=True)
class Mixture:
    """What rows that were mixed with others are to answer besides their own targets.

    Args:
        targets: target column -> its field, of each row's partner.
        own: how much a row's own target counts, 0 to 1; that of its partner counts the rest.
    """

    targets: dict[str, Field]
    own: float


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of a table, ready for the network.

    Args:
        inputs: input column -> its field.
        targets: target column -> its field; empty when predicting.
        rows: ``(B,)`` long, the rows' numbers in their table.
        mixture: in training, what rows that were mixed with others are to answer too.
        lessons: in training, target -> what a teacher answers: probabilities ``(B, C)``, or a
            value ``(B,)``.
    """

    inputs: dict[str, Field]
    targets: dict[str, Field] = field(default_factory=dict)
    rows: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))
    mixture: Mixture | None = None
    lessons: dict[str, Field] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows B."""
        return len(next(iter((self.inputs or self.targets).values())).present)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on a device."""
        mixture = self.mixture
        if mixture is not None:
            others = {name: f.to(device) for name, f in mixture.targets.items()}
            mixture = replace(mixture, targets=others)
        return Batch(
            {name: f.to(device) for name, f in self.inputs.items()},
            {name: f.to(device) for name, f in self.targets.items()},
            self.rows.to(device, non_blocking=True),
            mixture,
            {name: f.to(device) for name, f in self.lessons.items()},
        )

    def counting(self, rows: Tensor) -> Batch:
        """The same batch with the targets absent in all other rows ``(B,)``."""

        def only(targets: dict[str, Field]) -> dict[str, Field]:
            return {n: replace(f, present=f.present & rows) for n, f in targets.items()}

        mixture = self.mixture
        if mixture is not None:
            mixture = replace(mixture, targets=only(mixture.targets))
        return replace(self, targets=only(self.targets), mixture=mixture)

    def without(self, columns: Iterable[str]) -> Batch:
        """The same batch with these input columns absent in every row."""
        gone = set(columns)
        inputs = {n: f.absent() if n in gone else f for n, f in self.inputs.items()}
        return replace(self, inputs=inputs)


class Tokens(NamedTuple):
    """What an encoder makes of one branch of the network.

    Args:
        x: ``(B, T, D)`` one vector per token.
        mask: ``(B, T)`` bool, True at real tokens; None where every token is real.
        pooled: ``(B, D)`` one vector for the whole cell.
    """

    x: Tensor
    mask: Tensor | None
    pooled: Tensor

    def take(self, index: Tensor | None) -> Tokens:
        """The tokens of each row, from those of the distinct cells ``index`` points into."""
        if index is None:
            return self
        mask = None if self.mask is None else self.mask[index]
        return Tokens(self.x[index], mask, self.pooled[index])

    def first(self) -> Tokens:
        """The same with the first token only."""
        return Tokens(self.x[:, :1], None if self.mask is None else self.mask[:, :1], self.pooled)


class Fused(NamedTuple):
    """What a fusion makes of all branches.

    Args:
        vector: ``(B, D)`` the row as one vector.
        tokens: ``(B, T, D)`` tokens that a head may attend to.
        mask: ``(B, T)`` bool, True at tokens that may be attended to; at least one in every row.
        weights: ``(B, M)`` how much each branch gave, rows sum to 1 (to 0 where all are absent);
            None where the fusion has no such notion.
        experts: ``(B, M, D)`` one vector per branch, on each of which the heads decide by
            themselves; ``weights`` then says how their decisions are combined. None where the
            heads decide once, on ``vector``.
        branches: branch -> its tokens as the encoder made them, no mask being None and all of it
            False where the branch is absent: those that a head reads by itself; None where no
            head does.
    """

    vector: Tensor
    tokens: Tensor
    mask: Tensor
    weights: Tensor | None = None
    experts: Tensor | None = None
    branches: dict[str, Tokens] | None = None
