"""A pretrained network of transformers in a head: loaded, adapted, and kept as it was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from polymodal.backbone import (
    Backbone,
    Training,
    found,
    needed,
    plain_config,
    read_weights,
    transformers_groups,
)
from polymodal.errors import RecipeError

Keep = Literal["adapter", "all"]
NumberFormat = Literal["float32", "bfloat16", "float16"]
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SAMPLE = 64


@dataclass(frozen=True)
class Adaptation:
    """How a pretrained network is trained and kept.

    Args:
        train: "frozen", "lora" or "full".
        rank: with "lora", rank of the small matrices.
        dtype: the format of its weights.
        keep: "adapter" leaves out of a saved run what was not trained; "all" keeps all.
        checkpointing: whether layers are computed again in the backward pass, to save memory.

    Raises:
        RecipeError: an unknown format, or nothing that can be kept.
    """

    train: Training
    rank: int
    dtype: NumberFormat
    keep: Keep
    checkpointing: bool = False

    def __post_init__(self) -> None:
        if self.keep not in ("adapter", "all"):
            raise RecipeError(f"keep must be 'adapter' or 'all', not {self.keep!r}.")
        if self.dtype not in FORMATS:
            raise RecipeError(f"dtype must be one of {', '.join(FORMATS)}, not {self.dtype!r}.")


class AdaptedNetwork(nn.Module):
    """A pretrained network with its own head: frozen, adapted or trained.

    Args:
        auto: the class of transformers that knows such networks ("AutoModelForCausalLM").
        model: name on the hub or local folder.
        config: its configuration.
        adaptation: how it is trained and kept.
        saved: ``settings`` of a saved one: its weights are those that the run holds, or must be the
            same that the run was trained with.
        kind: what it must be, in words, with an article.

    Raises:
        RecipeError: the model cannot be found, is of another kind, or has other weights.
        MissingExtra: transformers or peft is needed and not installed.
    """

    def __init__(
        self,
        auto: str,
        model: str,
        config: Any,
        adaptation: Adaptation,
        *,
        saved: Mapping[str, Any] | None,
        kind: str,
    ) -> None:
        super().__init__()
        digest = None if saved is None else saved["digest"]
        reads = saved is None or digest is not None
        try:
            network = _loaded(auto, model, config, adaptation.dtype, weights=reads, kind=kind)
        except RecipeError as error:
            if digest is None:
                raise
            raise RecipeError(
                f"{error} This run holds only what was trained beside that model: put it, or a "
                "link to it, where it was in training. With keep: all a run holds the model, too."
            ) from error
        kept = adaptation.keep == "adapter" and adaptation.train != "full"
        self.model, self.digest = model, _digest(network) if kept else None
        if digest is not None and digest != self.digest:
            raise RecipeError(
                f"The weights of {model!r} are not those that this run was trained with; it holds "
                "only what was trained beside them. Give it the same weights again."
            )
        self.settings: dict[str, Any] = {"network": plain_config(config), "digest": self.digest}
        """Plain JSON to build it again."""
        if adaptation.checkpointing:
            network.activation_checkpointing_enable()
        self.backbone = Backbone(
            network,
            train=adaptation.train,
            layers=None,
            rank=adaptation.rank,
            groups=transformers_groups(network),
            untouched=network.get_output_embeddings(),
        )
        if self.digest is not None:
            self.register_state_dict_post_hook(_leave_out)
            self.register_load_state_dict_pre_hook(_put_back)

    @property
    def network(self) -> Any:
        """The network of transformers."""
        return self.backbone.network

    @property
    def number_format(self) -> torch.dtype:
        """The format of its weights."""
        weight: Tensor = self.network.get_output_embeddings().weight
        return weight.dtype

    def check_vocabulary(self, tokens: int) -> None:
        """Refuse a tokenizer that has more token ids than the network.

        Raises:
            RecipeError: it has.
        """
        known = self.network.get_input_embeddings().num_embeddings
        if tokens > known:
            raise RecipeError(
                f"The tokenizer has {tokens} token ids, the network of {self.model!r} has {known}: "
                "they do not belong together."
            )

    def untrained(self) -> dict[str, Tensor]:
        """Its weights that stay as they came, by name; a tied weight has several."""
        every = self.named_parameters(remove_duplicate=False)
        return {name: weight for name, weight in every if not weight.requires_grad}


def _leave_out(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]
) -> None:
    assert isinstance(module, AdaptedNetwork)
    for name in _names(module, prefix, state):
        del state[name]


def _put_back(module: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    assert isinstance(module, AdaptedNetwork)
    untrained = module.untrained()
    for name in untrained:
        state.setdefault(prefix + name, untrained[name].detach())


def _names(module: AdaptedNetwork, prefix: str, state: Mapping[str, Any]) -> list[str]:
    """Names in a state of what was not trained; a tied weight has several."""
    places = {id(p) for p in module.untrained().values()}
    every = module.named_parameters(remove_duplicate=False)
    return [prefix + n for n, p in every if id(p) in places and prefix + n in state]


def _digest(network: nn.Module) -> str:
    """What distinguishes a network's weights from others: names, sizes, and some values of each."""
    digest = hashlib.blake2b(digest_size=16)
    for name, weight in network.named_parameters():
        flat = weight.detach().flatten()
        some = flat[:: max(1, len(flat) // _SAMPLE)].float().cpu()
        digest.update(repr((name, tuple(weight.shape))).encode() + some.numpy().tobytes())
    return digest.hexdigest()


def _loaded(
    auto: str, model: str, config: Any, dtype: NumberFormat, *, weights: bool, kind: str
) -> Any:
    """A network with its weights; or with random ones, to be loaded from a saved run."""
    known = getattr(needed("transformers"), auto)
    if type(config) not in known._model_mapping:
        raise RecipeError(
            f"{model!r} is a model of type {config.model_type!r}, which is not {kind}."
        )
    if not weights:
        return known.from_config(config, dtype=FORMATS[dtype])
    with found(model, "weights"):
        return read_weights(known, model, config=config, dtype=FORMATS[dtype])
