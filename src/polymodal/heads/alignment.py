"""Columns brought into one space, in which the cells of a row are near each other.

Letters: B rows · M branches · W width of the widest encoder · D width of the space.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from polymodal.batch import Field, Fused
from polymodal.errors import RecipeError
from polymodal.heads.contrastive import first_dimensions, info_nce, sigmoid_pairs
from polymodal.heads.decision import weighted_mean
from polymodal.heads.embedding_head import EmbeddingHead

HOTTEST = math.log(100)


class Alignment(EmbeddingHead):
    """Each column's vector in one space: the cells of a row near each other, all others far.

    Every pair of columns is compared in the rows that have both, so any column may be absent in
    any row. No target is needed: the target it gets is which rows are the same thing.

    When to choose it: to search with one column for another, or to name pictures by words
    (zero-shot). InfoNCE for most; ``loss="sigmoid"`` where batches are small or hold many rows
    that are nearly right. To answer a question about a row, predict a target instead.

    Args:
        widths: branch -> width of its encoder.
        width: numbers of a vector in the common space.
        loss: info_nce (which of all rows is mine), or sigmoid (is this pair the same).
        hidden: size of one hidden layer between an encoder and the space; 0 for none.
        dropout: chance that a value of an encoder is dropped in training.
        temperature: softness of the comparison at the start of training, which learns it.
        hardness: how much more alike wrong answers count, for info_nce; 0 counts all the same.
        matryoshka: lengths to which vectors may be cut and still be compared.
        masked: weight of an auxiliary loss: tell a column's vector from those of the others.
        captions: of several rows of one thing, train with one of them at a time, or all.

    Raises:
        RecipeError: a size, share or temperature is out of range.

    Example:
        >>> head = Alignment({"photo": 3, "text": 2}, width=4)
        >>> tokens = torch.rand(2, 3, 3)
        >>> vectors = head(Fused(tokens[:, 0], tokens, torch.tensor([[True] * 3] * 2)))
        >>> items = Field(torch.tensor([7, 8]), present=torch.ones(2, dtype=torch.bool))
        >>> vectors.shape, list(head.loss(vectors, items))
        (torch.Size([2, 2, 4]), ['info_nce'])
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        width: int = 256,
        *,
        loss: Literal["info_nce", "sigmoid"] = "info_nce",
        hidden: int = 0,
        dropout: float = 0.1,
        temperature: float = 0.07,
        hardness: float = 0.0,
        matryoshka: Sequence[int] = (),
        masked: float = 0.0,
        captions: Literal["one", "all"] = "one",
    ) -> None:
        super().__init__()
        _check(width, matryoshka, temperature=temperature, amounts=(hidden, hardness, masked))
        if len(widths) < 2:
            raise RecipeError(
                f"Only {', '.join(widths)} would be aligned: name two or more input columns."
            )
        self.sizes, self.width, self.kind = tuple(widths.values()), width, loss
        self.hardness, self.masked, self.captions = hardness, masked, captions
        self.dims = (*sorted(set(matryoshka) - {width}), width)
        self.projections = nn.ModuleList(
            _projection(size, width, hidden=hidden, dropout=dropout) for size in self.sizes
        )
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.bias = nn.Parameter(torch.tensor(-10.0)) if loss == "sigmoid" else None
        tellers = (_teller(width) for _ in self.sizes)
        self.tellers = nn.ModuleList(tellers) if masked else None

    @property
    def scale(self) -> float:
        """What cosines are multiplied by: one over the temperature that training has found."""
        return float(self.log_scale.detach().clamp(max=HOTTEST).exp())

    @property
    def together(self) -> int | None:
        """All rows of a thing, or one."""
        return None if self.captions == "one" else 1 << 30

    def forward(self, fused: Fused) -> Tensor:
        """Vectors ``(B, M, D)`` of length 1, zero where the branch is absent."""
        vectors = [
            project(fused.tokens[:, 1 + i, :size])
            for i, (project, size) in enumerate(zip(self.projections, self.sizes, strict=True))
        ]
        here = fused.mask[:, 1 : 1 + len(vectors), None]
        return torch.where(here, normalize(torch.stack(vectors, 1).float(), dim=-1), 0.0)

    def vector(self, prediction: Tensor) -> Tensor:
        """The mean of the branches that are there ``(B, D)``, of length 1."""
        return normalize(prediction.sum(1), dim=-1)

    def loss(self, prediction: Tensor, target: Field) -> dict[str, Tensor]:
        """The mean over all pairs of branches.

        Args:
            prediction: ``(B, M, D)``, as ``forward`` gave it.
            target: values ``(B,)``: equal in rows that are the same thing; or ``(B, 1 + M)``,
                then equal too where the cell of a branch is the same.
        """
        here, whose = (prediction != 0).any(-1), target.by_row()
        alike = whose[:, None] if whose.ndim == 1 else whose
        pairs = []
        for a, b in combinations(range(len(self.sizes)), 2):
            both = here[:, a] & here[:, b]
            same = _same(alike, 0, 1 + a, 1 + b)
            pairs.append(self._compared(prediction[:, a], prediction[:, b], both, same))
        terms: dict[str, Tensor] = {self.kind: _mean(pairs, prediction)}
        if self.tellers is not None:
            terms["masked"] = self.masked * self._told(prediction, here, alike)
        return terms

    def _told(self, vectors: Tensor, here: Tensor, alike: Tensor) -> Tensor:
        """How well each branch's vector is told from the mean of the others'."""
        assert self.tellers is not None
        found = []
        for i, tell in enumerate(self.tellers):
            others = vectors.sum(1) - vectors[:, i]
            both = here[:, i] & (here.sum(1) > 1)
            said = normalize(tell(normalize(others, dim=-1)), dim=-1)
            same = _same(alike, 0, 1 + i)
            found.append(self._compared(said, vectors[:, i].detach(), both, same))
        return _mean(found, vectors)

    def _compared(self, left: Tensor, right: Tensor, both: Tensor, same: Tensor) -> Tensor | None:
        """The loss of two branches in the rows that have both; None for fewer than two rows."""
        if int(both.sum()) < 2:
            return None
        left, right, same = left[both], right[both], same[both][:, both]
        losses = [
            self._loss(first_dimensions(left, dims), first_dimensions(right, dims), same)
            for dims in self.dims
        ]
        return torch.stack(losses).mean()

    def _loss(self, left: Tensor, right: Tensor, same: Tensor) -> Tensor:
        scale = self.log_scale.clamp(max=HOTTEST).exp()
        if self.bias is not None:
            return sigmoid_pairs(left, right, scale=scale, bias=self.bias, same=same)
        return info_nce(left, right, scale=scale, same=same, hardness=self.hardness)

    def blend(self, predictions: Tensor, weights: Tensor) -> Tensor:
        """The weighted mean of the branches' vectors."""
        return weighted_mean(predictions, weights)

    def answer(self, prediction: Tensor) -> Tensor:
        """How well the cells of a row agree ``(B,)``: the mean cosine of all pairs that are there.

        NaN where there are fewer than two.
        """
        count = (prediction != 0).any(-1).sum(1)
        # |sum of n unit vectors|² = n + the sum over ordered pairs of their cosines.
        pairs = prediction.sum(1).square().sum(-1) - count
        return pairs / (count * (count - 1)).to(pairs.dtype).masked_fill(count < 2, torch.nan)

    def probabilities(self, prediction: Tensor) -> None:
        """None."""
        return None


def _projection(size: int, width: int, *, hidden: int, dropout: float) -> nn.Sequential:
    first = [nn.Linear(size, hidden), nn.GELU()] if hidden else []
    last = nn.Linear(hidden or size, width)
    return nn.Sequential(nn.LayerNorm(size), nn.Dropout(dropout), *first, last)


def _same(alike: Tensor, *columns: int) -> Tensor:
    """``(B, B)`` where two rows are equal in one of these columns, of those that there are."""
    known = alike[:, [column for column in columns if column < alike.shape[1]]]
    return (known[:, None] == known).any(-1)


def _teller(width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))


def _mean(losses: Sequence[Tensor | None], vectors: Tensor) -> Tensor:
    known = [loss for loss in losses if loss is not None]
    # Nothing to compare: a loss of nought, still one that can be differentiated.
    return torch.stack(known).mean() if known else 0.0 * vectors.sum()


def _check(
    width: int, matryoshka: Sequence[int], *, temperature: float, amounts: Sequence[float]
) -> None:
    if width < 1 or any(not 1 <= dims <= width for dims in matryoshka):
        raise RecipeError(
            f"matryoshka names lengths from 1 to the width {width}, not {list(matryoshka)}."
        )
    if not 0.01 <= temperature <= 10:
        raise RecipeError(f"temperature is {temperature}; it is 0.01 to 10.")
    if min(amounts) < 0:
        raise RecipeError("hidden, hardness and masked must not be negative.")
