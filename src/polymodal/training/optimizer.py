"""The optimizer: which weights decay, and which implementation is fast."""

from __future__ import annotations

from typing import Any

from torch import nn, optim

from polymodal.errors import PolymodalError
from polymodal.train_options import TrainOptions

# Measured on one CPU thread with 2 million to 8 million weights: AdamW takes 5-7 times, SGD
# 1.2-1.5 times as long without. Other devices keep PyTorch's own choice.
_FUSED = ("cpu", "cuda")


def make_optimizer(model: nn.Module, options: TrainOptions) -> optim.Optimizer:
    """The optimizer of ``options`` for the weights of ``model`` that are not frozen.

    Weight decay is for matrices and convolutions only: pulling a bias, the scale of a norm or
    the embedding of a rare word towards zero does harm and regularises nothing.

    Args:
        model: on the device it will be trained on.
        options: with ``learning_rate`` resolved.

    Raises:
        PolymodalError: every weight is frozen.
    """
    assert options.learning_rate != "auto", "resolve the options first"
    decayed: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    tables = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
    }
    for weight in model.parameters():
        if weight.requires_grad:
            is_matrix = weight.ndim >= 2 and id(weight) not in tables
            (decayed if is_matrix else others).append(weight)
    if not decayed and not others:
        raise PolymodalError("Every weight of the model is frozen: there is nothing to train.")
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": decay}
        for weights, decay in ((decayed, options.weight_decay), (others, 0.0))
        if weights
    ]
    fused = True if (decayed or others)[0].device.type in _FUSED else None
    if options.optimizer == "sgd":
        rate = options.learning_rate
        return optim.SGD(groups, lr=rate, momentum=options.momentum, fused=fused)
    kind = optim.AdamW if options.optimizer == "adamw" else optim.Adam
    return kind(groups, lr=options.learning_rate, fused=fused)
