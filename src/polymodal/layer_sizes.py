"""Layers of other sizes than they were built with, as pruning leaves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn


def fit_sizes(model: nn.Module, shapes: Mapping[str, Sequence[int]]) -> None:
    """Give linear layers, convolutions and norms the sizes of the weights they are to hold.

    Other layers stay as they are: weights that do not fit them are an error when they are loaded.

    Args:
        model: the network, as its recipe builds it.
        shapes: name of a parameter or buffer -> its shape.
    """
    for name, module in model.named_modules():
        prefix = f"{name}." if name else ""
        wanted = shapes.get(f"{prefix}weight")
        weight = getattr(module, "weight", None)
        if wanted is None or weight is None or tuple(wanted) == tuple(weight.shape):
            continue
        if isinstance(module, nn.Linear):
            module.out_features, module.in_features = wanted
        elif isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) and module.groups == 1:
            module.out_channels, module.in_channels = wanted[:2]
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
            module.num_features = wanted[0]
        elif isinstance(module, nn.LayerNorm):
            module.normalized_shape = tuple(wanted)
        else:
            continue
        _resize(module, shapes, prefix)


def _resize(module: nn.Module, shapes: Mapping[str, Sequence[int]], prefix: str) -> None:
    for name, parameter in [*module.named_parameters(recurse=False)]:
        empty = parameter.new_empty(tuple(shapes[prefix + name]))
        setattr(module, name, nn.Parameter(empty, requires_grad=parameter.requires_grad))
    for name, buffer in [*module.named_buffers(recurse=False)]:
        if prefix + name in shapes:
            module.register_buffer(
                name, torch.empty(tuple(shapes[prefix + name]), dtype=buffer.dtype)
            )
