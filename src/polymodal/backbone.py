"""A pretrained network as a part of ours: where it comes from and how it is trained."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from pickle import UnpicklingError
from types import ModuleType
from typing import Any, Literal

import torch
from torch import nn

from polymodal import hub
from polymodal.errors import MissingExtra, PolymodalError, RecipeError

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
        untouched: a layer that is not adapted, as the one that tells tokens.

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
        untouched: nn.Module | None = None,
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
            network = _with_lora(network, rank, untouched)
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


def _with_lora(network: nn.Module, rank: int, untouched: nn.Module | None) -> nn.Module:
    peft = needed("peft")
    names = _layers(network, (nn.Linear,), untouched)
    if not names:  # a convolutional network, or GPT-2 with linear layers of its own kind
        kinds = (nn.Conv2d, needed("transformers.pytorch_utils").Conv1D)
        names = _layers(network, kinds, untouched)
    turned = any(type(m).__name__ == "Conv1D" for m in network.modules())
    config = peft.LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=names, fan_in_fan_out=turned
    )
    network = peft.inject_adapter_in_model(config, network)
    for parameter in network.parameters():
        if parameter.requires_grad:  # small steps are lost in the formats of large networks
            parameter.data = parameter.data.float()
    return network


def _layers(
    network: nn.Module, kinds: tuple[type[nn.Module], ...], untouched: nn.Module | None
) -> list[str]:
    return [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, kinds) and getattr(layer, "groups", 1) == 1 and layer is not untouched
    ]


def merge(network: nn.Module) -> None:
    """Add small matrices into the layers they stand beside, which then stand alone again."""
    adapted = needed("peft.tuners.tuners_utils").BaseTunerLayer
    layers = [
        (name, layer) for name, layer in network.named_modules() if isinstance(layer, adapted)
    ]
    for name, layer in layers:
        layer.merge()
        parent, _, own = name.rpartition(".")
        setattr(network.get_submodule(parent), own, layer.get_base_layer())


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

    Where the hub does not answer, only files that were downloaded before are looked for.

    Args:
        model: its name or folder.
        what: is loaded: "configuration", "weights", "tokenizer", "processor", "image processor",
            "video processor" or "feature extractor".

    Raises:
        RecipeError: in place of the library's own error, or of a tokenizer that knows no word.
    """
    folder = hub.local_folder(model)
    if folder is not None and not folder.is_dir():
        raise RecipeError(f"{_cannot(model, what)}: there is no folder {str(folder)!r}.")
    closed = hub.closed() if folder is None else ""
    place = hub.cached(model) if closed else folder
    if place is not None and hub.lacks_vocabulary(place, what):
        raise RecipeError(_explained(model, what, place, closed, "no tokenizer.json"))
    try:
        with hub.from_the_cache() if closed else nullcontext():
            yield
    except PolymodalError:
        raise
    except _faults() as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise RecipeError(_explained(model, what, place, closed, reason)) from error


def _faults() -> tuple[type[Exception], ...]:
    """What libraries raise over files that are not there, or hold something else."""
    loaded = sys.modules.get("safetensors")
    damaged = () if loaded is None else (loaded.SafetensorError,)
    return (OSError, ValueError, RuntimeError, KeyError, UnpicklingError, EOFError, *damaged)


def _cannot(model: str, what: str) -> str:
    return f"The {what} of the pretrained model {model!r} cannot be loaded"


def _explained(model: str, what: str, place: Path | None, closed: str, reason: str) -> str:
    """Why something cannot be loaded from a folder, a closed hub or an open one; what to do."""
    elsewhere = (
        "download the model where there is internet (`hf download NAME --local-dir FOLDER`) and "
        "give the folder's path as the model; it needs "
        f"{hub.files_of('weights' if what == 'configuration' else what)}."
    )
    if place is not None and not closed:
        lost = ", ".join(hub.lacking(place, what))
        if lost:
            return f"{_cannot(model, what)}: the folder lacks {lost}. Copy all files of the model."
        return (
            f"{_cannot(model, what)} ({reason}). All its files are there "
            f"({hub.files_of(what)}): one may be damaged, cut short, or only a pointer of Git LFS."
        )
    if closed:
        before = "was not downloaded before" if place is None else "not all of it is downloaded"
        remedy = "Set HF_ENDPOINT to a mirror that answers"
        return (
            f"{_cannot(model, what)} ({closed}): it is no folder here, and {before}. "
            f"{'Unset it' if hub.switched_off() else remedy}; without internet, {elsewhere}"
        )
    return f"{_cannot(model, what)} ({reason}). Check the name; without internet, {elsewhere}"


def fast_tokenizer(model: str) -> Any:
    """The tokenizer of a transformers model.

    Raises:
        RecipeError: it cannot be found, or is not one of the fast ones.
        MissingExtra: transformers is not installed.
    """
    with found(model, "tokenizer"):
        tokenizer = needed("transformers").AutoTokenizer.from_pretrained(model)
    if getattr(tokenizer, "backend_tokenizer", None) is None:
        raise RecipeError(
            f"The tokenizer of {model!r} is one that only Python code describes, which a run "
            "cannot keep. Choose a model with a tokenizer.json."
        )
    return tokenizer


def bare_rules(tokenizer: Any) -> str:
    """A tokenizer's rules as JSON, without those that put tokens before and after a text."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps(rules | {"post_processor": None}, ensure_ascii=False)


def transformers_config(model: str, saved: dict[str, Any] | None) -> Any:
    """The configuration of a transformers model: the saved one, or read from folder or hub."""
    transformers = needed("transformers")
    if saved is not None:
        return transformers.AutoConfig.for_model(**saved)
    with found(model, "configuration"):
        return transformers.AutoConfig.from_pretrained(model)


def read_weights(auto: Any, model: str, **options: Any) -> Any:
    """A network of transformers with its weights, without a bar for each few milliseconds."""
    needed("transformers.utils.logging").disable_progress_bar()
    return auto.from_pretrained(model, **options)


def transformers_network(model: str, config: Any, weights: bool) -> nn.Module:
    """The network of a configuration, in float32 and without an unused pooling layer."""
    transformers = needed("transformers")
    if weights:
        with found(model, "weights"):
            network = read_weights(transformers.AutoModel, model, config=config)
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
