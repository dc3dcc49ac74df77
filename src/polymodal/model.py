"""The network: encoders → fusion → heads, composed from built modules."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from polymodal.batch import Batch, Field, Fused, Tokens
from polymodal.encoders.as_is import AsIs
from polymodal.encoders.encoder import Encoder, TableEncoder
from polymodal.fusion.fusion import Fusion
from polymodal.gradient_caching import in_parts
from polymodal.heads.decision import decide, decision_name
from polymodal.heads.embedding_head import EmbeddingHead
from polymodal.heads.head import Head
from polymodal.modality_dropout import ModalityDropout


class MultimodalModel(nn.Module):
    """Plain PyTorch from a :class:`Batch` to one prediction per target column.

    Args:
        encoders: branch -> encoder. A branch reads the input column of its name; a
            :class:`TableEncoder` reads the columns it was built with.
        fusion: built with the encoders' ``width`` per branch.
        heads: target column -> head, built with the fusion's ``width``.
        modality_dropout: chance that a present branch is hidden from a training row, so that
            the network learns to live without it: a number for all, or a mapping of branches
            and of columns that a :class:`TableEncoder` reads (see :class:`ModalityDropout`).
        loss_weights: target -> weight of its loss; None lets the network learn the balance of
            several targets by their uncertainty (Kendall, Gal & Cipolla 2018).
        cells_at_once: in training, cells that an encoder is run on at a time, so that batches
            may be larger than the memory (see :func:`~polymodal.gradient_caching.in_parts`).

    Raises:
        ValueError: no encoder or no head, a weight for a target or a dropout for an input that
            is not there, or a target that is named like a branch's decision on another.

    Example:
        >>> from polymodal.batch import Batch, Field
        >>> from polymodal.encoders import NumberEncoder
        >>> from polymodal.fusion import Concat
        >>> from polymodal.heads import Classification
        >>> model = MultimodalModel(
        ...     encoders={"a": NumberEncoder(width=8), "b": NumberEncoder(width=8)},
        ...     fusion=Concat({"a": 8, "b": 8}, width=16),
        ...     heads={"kind": Classification(16, classes=3)},
        ... )
        >>> number = Field(torch.tensor([0.5, 2.0]), present=torch.tensor([True, False]))
        >>> model(Batch({"a": number, "b": number}))["kind"].shape
        torch.Size([2, 3])
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder | TableEncoder],
        fusion: Fusion,
        heads: Mapping[str, Head],
        *,
        modality_dropout: float | Mapping[str, float] = 0.0,
        loss_weights: Mapping[str, float] | None = None,
        cells_at_once: int | None = None,
    ) -> None:
        super().__init__()
        if not encoders or not heads:
            raise ValueError("A model needs at least one encoder and one head.")
        unknown = set(loss_weights or {}) - set(heads)
        if unknown:
            raise ValueError(f"loss_weights names {sorted(unknown)}, which are not targets.")
        if fusion.decides_by_branch:
            _check_names(heads, encoders)
        self.encoders = nn.ModuleDict({_key(name): e for name, e in encoders.items()})
        self.fusion = fusion
        self.heads = nn.ModuleDict({_key(name): h for name, h in heads.items()})
        self.branches, self.targets = tuple(encoders), tuple(heads)
        asked = {name for head in heads.values() for name in head.reads}
        self.read_by_heads = tuple(name for name in encoders if name in asked)
        apart = {name for name, encoder in encoders.items() if isinstance(encoder, AsIs)}
        if unread := apart - asked:
            raise ValueError(
                f"No head reads {sorted(unread)} by itself: the encoder 'as_is' is for inputs of "
                "pretrained heads. Choose another encoder."
            )
        self.encoded = tuple(name for name in encoders if name not in apart)
        self.fused = self.encoded or self.branches
        self.columns = {
            name: e.columns if isinstance(e, TableEncoder) else (name,)
            for name, e in encoders.items()
        }
        self.modality_dropout, self.cells_at_once = modality_dropout, cells_at_once
        hides = bool(modality_dropout)
        self._dropout = ModalityDropout(modality_dropout, self.columns) if hides else None
        self.loss_weights = None if loss_weights is None else dict(loss_weights)
        learned = loss_weights is None and len(heads) > 1
        self.log_variance = nn.Parameter(torch.zeros(len(heads))) if learned else None

    def encode(
        self, batch: Batch, *, only: str | None = None
    ) -> tuple[dict[str, Tokens], dict[str, Tensor]]:
        """Tokens of each branch for each row, and in which rows the branch is present.

        Args:
            batch: the rows.
            only: the one branch that is run, all others being absent; None runs all.
        """
        if self.training and self._dropout is not None:
            batch = replace(batch, inputs=self._dropout.cells(batch.inputs))
        tokens, present = {}, {}
        for name in self.branches:
            encoder, columns = self.encoders[_key(name)], self.columns[name]
            if only not in (None, name):
                nothing = batch.rows.new_zeros((len(batch), self.encoder(name).width)).float()
                tokens[name] = Tokens(nothing[:, None], None, nothing)
                present[name] = torch.zeros_like(nothing[:, 0], dtype=torch.bool)
                continue
            if isinstance(encoder, TableEncoder):
                tokens[name] = encoder({c: batch.inputs[c] for c in columns})
            else:
                field = batch.inputs[name]
                cells = field.tokens() if field.encoded else self._read(encoder, field)
                tokens[name] = cells.take(field.index)
            present[name] = self.presence(batch, name)
        return tokens, present

    def _read(self, encoder: nn.Module, field: Field) -> Tokens:
        if self.cells_at_once is None or not self.training:
            tokens: Tokens = encoder(field)
            return tokens
        return in_parts(encoder, field, self.cells_at_once)

    def presence(self, batch: Batch, branch: str) -> Tensor:
        """In which rows a branch is present ``(B,)``: one of its columns is."""
        return torch.stack([batch.inputs[c].present for c in self.columns[branch]]).any(0)

    def fuse(self, batch: Batch) -> Fused:
        """The batch's rows, fused: what the heads see, and what embeddings are made of."""
        return self._fuse(*self.encode(batch))

    @property
    def aligned(self) -> bool:
        """Whether single columns and whole rows have vectors in one space."""
        return any(isinstance(head, EmbeddingHead) for head in self.heads.values())

    @property
    def rows_at_once(self) -> int:
        """How many rows are predicted or measured at a time."""
        return min(self.head(name).rows_at_once for name in self.targets)

    def vector(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Tensor:
        """The row as one vector ``(B, D)``: what embeddings are, from what :meth:`encode` gave."""
        fused = self._fuse(tokens, present)
        for name in self.targets:
            head = self.head(name)
            if isinstance(head, EmbeddingHead):
                return head.vector(self._decide(fused)[name])
        return fused.vector

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Prediction of each target, as its head's loss wants it.

        In training, where branches decide by themselves, their decisions too, each under its
        :func:`decision_name`.
        """
        return self.predict(*self.encode(batch))

    def predict(
        self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What :meth:`forward` gives, from what :meth:`encode` gave."""
        return self._decide(self._fuse(tokens, present))

    def alone(
        self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]
    ) -> dict[str, dict[str, Tensor]]:
        """What each branch says by itself: the prediction of each target, the others hidden.

        An absent branch contributes nothing, so the model with all others hidden *is* the
        predictor of that branch, and needs no head of its own.

        Args:
            tokens: branch -> tokens, as :meth:`encode` gave them.
            present: branch -> ``(B,)``; where a branch is absent, its prediction is the prior.
        """
        hidden = {branch: torch.zeros_like(here) for branch, here in present.items()}
        # Of what is hidden one token is enough: the sequences of a Transformer stay short.
        short = {
            branch: all_of_it if branch in self.read_by_heads else all_of_it.first()
            for branch, all_of_it in tokens.items()
        }
        found = {}
        for branch in self.branches:
            fused = self._fuse_present(
                {**short, branch: tokens[branch]}, {**hidden, branch: present[branch]}
            )
            said = self._decide(fused)
            found[branch] = {target: said[target] for target in self.targets}
        return found

    def _fuse(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        if self.training and self._dropout is not None and not self.fusion.decides_by_branch:
            present = self._dropout.branches(present)
        return self._fuse_present(tokens, present)

    def _fuse_present(self, tokens: Mapping[str, Tokens], present: Mapping[str, Tensor]) -> Fused:
        fused: Fused = self.fusion(
            {name: tokens[name] for name in self.fused},
            {name: present[name] for name in self.fused},
        )
        if not self.read_by_heads:
            return fused
        named = {name: _masked(tokens[name], present[name]) for name in self.read_by_heads}
        return fused._replace(branches=named)

    def _decide(self, fused: Fused) -> dict[str, Tensor]:
        if fused.experts is None:
            return {name: self.head(name)(fused) for name in self.targets}
        predictions = {}
        for name in self.targets:
            predictions[name], decisions = decide(self.head(name), fused)
            if self.training:
                for branch, decision in zip(self.branches, decisions.unbind(1), strict=True):
                    predictions[decision_name(name, branch)] = decision
        return predictions

    def losses(self, predictions: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Named terms, each already weighted: their sum is what training minimises."""
        terms = {}
        for i, name in enumerate(self.targets):
            for key, field in self._truths(name, predictions, batch).items():
                for term, loss in self.head(name).loss(predictions[key], field).items():
                    if self.log_variance is not None:
                        loss = torch.exp(-self.log_variance[i]) * loss + 0.5 * self.log_variance[i]
                    elif self.loss_weights is not None:
                        loss = self.loss_weights.get(name, 1.0) * loss
                    terms[f"{key}/{term}"] = loss
        return terms

    def _truths(
        self, target: str, predictions: Mapping[str, Tensor], batch: Batch
    ) -> dict[str, Field]:
        """What each prediction of a target is to be: a branch learns where it is present."""
        field = batch.targets[target]
        truths = {target: field}
        for branch in self.branches if self.fusion.decides_by_branch else ():
            key = decision_name(target, branch)
            if key in predictions:
                here = field.present & self.presence(batch, branch)
                truths[key] = replace(field, present=here)
        return truths

    def head(self, target: str) -> Head:
        """The head of a target column."""
        head = self.heads[_key(target)]
        assert isinstance(head, Head)
        return head

    def encoder(self, branch: str) -> Encoder | TableEncoder:
        """The encoder of a branch."""
        encoder = self.encoders[_key(branch)]
        assert isinstance(encoder, Encoder | TableEncoder)
        return encoder


def _masked(tokens: Tokens, present: Tensor) -> Tokens:
    """The same tokens, masked out in rows where the branch is absent."""
    mask = torch.ones_like(tokens.x[..., 0], dtype=torch.bool)
    mask = (mask if tokens.mask is None else tokens.mask) & present[:, None]
    return tokens._replace(mask=mask)


def _key(name: str) -> str:
    """A column's name as a module's name: PyTorch allows no dot, nor names like 'keys'."""
    return "column " + name.replace(".", "\u2024")


def _check_names(targets: Collection[str], branches: Collection[str]) -> None:
    for target, branch in product(targets, branches):
        if decision_name(target, branch) in targets:
            raise ValueError(
                f"The target {decision_name(target, branch)!r} is named like what the branch "
                f"{branch!r} decides on the target {target!r}: rename the column."
            )
