"""The network: encoders → fusion → heads, composed from built modules."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polymodal.batch import Batch, Fused, Tokens
from polymodal.encoders.encoder import Encoder, TableEncoder
from polymodal.fusion.fusion import Fusion
from polymodal.heads.head import Head


class MultimodalModel(nn.Module):
    """Plain PyTorch from a :class:`Batch` to one prediction per target column.

    Args:
        encoders: branch -> encoder. A branch reads the input column of its name; a
            :class:`TableEncoder` reads the columns it was built with.
        fusion: built with the encoders' ``width`` per branch.
        heads: target column -> head, built with the fusion's ``width``.
        modality_dropout: chance that a present branch is hidden from a training row, so that
            the network learns to live without it. At least one branch stays.
        loss_weights: target -> weight of its loss; None lets the network learn the balance of
            several targets by their uncertainty (Kendall, Gal & Cipolla 2018).

    Raises:
        ValueError: no encoder or no head, or a weight for a target that is not there.

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
        modality_dropout: float = 0.0,
        loss_weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        if not encoders or not heads:
            raise ValueError("A model needs at least one encoder and one head.")
        unknown = set(loss_weights or {}) - set(heads)
        if unknown:
            raise ValueError(f"loss_weights names {sorted(unknown)}, which are not targets.")
        self.encoders = nn.ModuleDict({_key(name): e for name, e in encoders.items()})
        self.fusion = fusion
        self.heads = nn.ModuleDict({_key(name): h for name, h in heads.items()})
        self.branches, self.targets = tuple(encoders), tuple(heads)
        self.columns = {
            name: e.columns if isinstance(e, TableEncoder) else (name,)
            for name, e in encoders.items()
        }
        self.modality_dropout = modality_dropout
        self.loss_weights = None if loss_weights is None else dict(loss_weights)
        learned = loss_weights is None and len(heads) > 1
        self.log_variance = nn.Parameter(torch.zeros(len(heads))) if learned else None

    def encode(self, batch: Batch) -> tuple[dict[str, Tokens], dict[str, Tensor]]:
        """Tokens of each branch for each row, and in which rows the branch is present."""
        tokens, present = {}, {}
        for name in self.branches:
            encoder, columns = self.encoders[_key(name)], self.columns[name]
            if isinstance(encoder, TableEncoder):
                fields = {c: batch.inputs[c] for c in columns}
                tokens[name] = encoder(fields)
                present[name] = torch.stack([f.present for f in fields.values()]).any(0)
            else:
                field = batch.inputs[name]
                tokens[name], present[name] = encoder(field).take(field.index), field.present
        return tokens, present

    def fuse(self, batch: Batch) -> Fused:
        """The batch's rows, fused: what the heads see, and what embeddings are made of."""
        tokens, present = self.encode(batch)
        if self.training and self.modality_dropout:
            present = _drop(present, self.modality_dropout)
        return self.fusion(tokens, present)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Prediction of each target, as its head's loss wants it."""
        fused = self.fuse(batch)
        return {name: self.heads[_key(name)](fused) for name in self.targets}

    def losses(self, predictions: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Named terms, each already weighted: their sum is what training minimises."""
        terms = {}
        for i, name in enumerate(self.targets):
            for term, loss in self.head(name).loss(predictions[name], batch.targets[name]).items():
                if self.log_variance is not None:
                    loss = torch.exp(-self.log_variance[i]) * loss + 0.5 * self.log_variance[i]
                elif self.loss_weights is not None:
                    loss = self.loss_weights.get(name, 1.0) * loss
                terms[f"{name}/{term}"] = loss
        return terms

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


def _key(name: str) -> str:
    """A column's name as a module's name: PyTorch allows no dot, nor names like 'keys'."""
    return "column " + name.replace(".", "\u2024")


def _drop(present: dict[str, Tensor], chance: float) -> dict[str, Tensor]:
    """Hide present branches at random, but never the last one of a row."""
    stacked = torch.stack(list(present.values()))  # (M, B)
    kept = stacked & (torch.rand(stacked.shape, device=stacked.device) >= chance)
    kept = torch.where(kept.any(0), kept, stacked)
    return dict(zip(present, kept.unbind(0), strict=True))
