"""A plain network over the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder, TableEncoder


class TabularMlp(TableEncoder):
    """The columns' vectors side by side, then a multilayer perceptron.

    An absent column is replaced by a learned vector of its own. With well embedded numbers this
    is a strong baseline (Gorishniy 2022).

    *When to choose it*: the first thing to try on tables; fast, good with few rows or many
    columns. A table of thousands of rows with dependent columns may gain from
    :class:`TabularTransformer`.

    Args:
        features: column -> encoder of its single value.
        width: size of the hidden layers and of the result.
        depth: number of layers.
        dropout: chance of dropping a feature in training.

    Raises:
        ValueError: there are no features, or no layers.

    Example:
        >>> from polymodal.encoders import CategoryEncoder, NumberEncoder
        >>> encoder = TabularMlp({"age": NumberEncoder(), "kind": CategoryEncoder(3)})
        >>> present = torch.tensor([True, False])
        >>> age, kind = Field(torch.zeros(2), present), Field(torch.tensor([2, 0]), present)
        >>> encoder({"age": age, "kind": kind}).pooled.shape
        torch.Size([2, 128])
    """

    def __init__(
        self,
        features: Mapping[str, Encoder],
        *,
        width: int = 128,
        depth: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        if not features:
            raise ValueError("A table encoder needs at least one feature.")
        if depth < 1:
            raise ValueError(f"A network needs at least one layer, not {depth}.")
        self.width, self.columns = width, tuple(features)
        self.features = nn.ModuleList(features.values())
        self.absent = nn.ParameterList(0.02 * torch.randn(f.width) for f in features.values())
        layers, inputs = nn.Sequential(), sum(f.width for f in features.values())
        for _ in range(depth):
            layers += nn.Sequential(nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout))
            inputs = width
        self.layers = layers

    def forward(self, fields: Mapping[str, Field]) -> Tokens:
        """Columns ``(B,)`` or ``(B, L)`` each → one token for the row ``(B, 1, D)``."""
        x = [
            torch.where(fields[name].present.unsqueeze(-1), feature(fields[name]).pooled, absent)
            for name, feature, absent in zip(self.columns, self.features, self.absent, strict=True)
        ]
        pooled = self.layers(torch.cat([v.to(x[0].dtype) for v in x], -1))
        return Tokens(pooled.unsqueeze(1), None, pooled)
