"""Keys and values of a network's layers, as plain tensors and as transformers wants them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from torch import Tensor

from polymodal.backbone import needed


def cache_of(tensors: Sequence[Tensor]) -> Any:
    """A cache of transformers, from keys and values of each layer, one after the other."""
    cache = needed("transformers").DynamicCache()
    for layer in range(len(tensors) // 2):
        cache.update(tensors[2 * layer], tensors[2 * layer + 1], layer)
    return cache


def tensors_of(cache: Any) -> list[Tensor]:
    """Keys and values of each layer ``(B, heads, S, D / heads)``, one after the other."""
    return [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]


def named(tensors: Iterable[Tensor]) -> dict[str, Tensor]:
    """The same by names, in the order of the layers."""
    return {f"{place:04}": tensor for place, tensor in enumerate(tensors)}
