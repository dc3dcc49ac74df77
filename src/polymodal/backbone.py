"""A pretrained network as a part of ours: where it comes from and how it is trained."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal

import torch
from torch import nn

from polymodal.errors import MissingExtra, RecipeError

Training = Literal["frozen", "full", "lora"]


class Backbone(nn.Module):
    """A pretrained network that is frozen, trained, or adapted.

    Args:
        network: the network without its head.
        train: "frozen" (always in eval mode, no gradient), "full" (all weights) or "lora"
            (small matrices beside the frozen linear layers, Hu 2022).
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        groups: the network's parameters from its first layer to its last.

    Raises:
        RecipeError: an unknown way of training, or more layers than there are.
        MissingExtra: "lora" without the package peft.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        train: Training,
        layers: int | None,
        rank: int,
        groups: list[list[nn.Parameter]],
    ) -> None:
        super().__init__()
        if train not in ("frozen", "full", "lora"):
            raise RecipeError(f"train must be 'frozen', 'full' or 'lora', not {train!r}.")
        if layers is not None and (train != "full" or not 1 <= layers <= len(groups)):
            raise RecipeError(
                f"layers={layers} with train={train!r}: it is for train='full', from 1 to "
                f"{len(groups)} for this model."
            )
        if train == "lora":
            network = _with_lora(network, rank)
        elif train == "frozen":
            network.requires_grad_(False)
        elif layers is not None:
            for group in groups[:-layers]:
                for parameter in group:
                    parameter.requires_grad_(False)
        self.frozen = train == "frozen"
        self.network = network
        self.train()

    def train(self, mode: bool = True) -> Backbone:
        """Training mode, in which a frozen network stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def forward(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``run(network, …)`` gives, without a gradient if frozen."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            return run(self.network, *args, **kwargs)


def _with_lora(network: nn.Module, rank: int) -> nn.Module:
    peft = needed("peft")
    kinds: tuple[type[nn.Module], ...] = (nn.Linear,)
    if not any(isinstance(m, nn.Linear) for m in network.modules()):
        kinds = (nn.Conv2d,)  # a convolutional network
    names = [
        name
        for name, m in network.named_modules()
        if isinstance(m, kinds) and getattr(m, "groups", 1) == 1
    ]
    config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=names)
    return peft.inject_adapter_in_model(config, network)


def needed(package: str) -> ModuleType:
    """Import an optional package.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra(package, "pretrained") from error


@contextmanager
def found(model: str, what: str) -> Iterator[None]:
    """Explain why a model, or a file of it, could not be read.

    Raises:
        RecipeError: in place of the library's own error.
    """
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise RecipeError(
            f"The {what} of the pretrained model {model!r} cannot be loaded ({reason}). Check "
            "the name; without internet, download the model elsewhere (`hf download NAME "
            "--local-dir FOLDER`) and give the folder's path as the model."
        ) from error


def transformers_config(model: str, saved: dict[str, Any] | None) -> Any:
    """The configuration of a transformers model: the saved one, or read from folder or hub."""
    transformers = needed("transformers")
    if saved is not None:
        return transformers.AutoConfig.for_model(**saved)
    with found(model, "configuration"):
        return transformers.AutoConfig.from_pretrained(model)


def transformers_network(model: str, config: Any, weights: bool) -> nn.Module:
    """The network of a configuration, in float32 and without an unused pooling layer."""
    transformers = needed("transformers")
    if weights:
        with found(model, "weights"):
            network = transformers.AutoModel.from_pretrained(model, config=config)
    else:
        network = transformers.AutoModel.from_config(config)
    if getattr(network, "pooler", None) is not None:
        network.pooler = None
    return network.float()


def plain_config(config: Any) -> dict[str, Any]:
    """A transformers configuration as plain JSON, with everything to build it again."""
    return json.loads(config.to_json_string(use_diff=False))


def transformers_groups(network: nn.Module) -> list[list[nn.Parameter]]:
    """Parameters before the blocks, of each block, and after them (with the last block)."""
    lists = [m for m in network.modules() if type(m) is nn.ModuleList]
    blocks = max(lists, key=lambda blocks: sum(p.numel() for p in blocks.parameters()))
    groups = [list(block.parameters()) for block in blocks]
    inside = {id(p) for group in groups for p in group}
    names = [n for n, _ in network.named_parameters()]
    start = min(i for i, p in enumerate(network.parameters()) if id(p) in inside)
    outside = [(names[i], i, p) for i, p in enumerate(network.parameters()) if id(p) not in inside]
    groups[-1] += [p for _, i, p in outside if i > start]
    return [[p for _, i, p in outside if i < start], *groups]
