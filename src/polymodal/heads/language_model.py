"""A pretrained causal language model of transformers, run on vectors in place of tokens.

Letters: B rows · S vectors that are read · V token ids of the network · D its width.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
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
    transformers_config,
    transformers_groups,
)
from polymodal.errors import RecipeError
from polymodal.heads.key_values import cache_of, tensors_of

Keep = Literal["adapter", "all"]
NumberFormat = Literal["float32", "bfloat16", "float16"]
_SAMPLE = 64


class AdaptedNetwork(nn.Module):
    """A pretrained network in a head: frozen, adapted or trained, and kept as it was asked.

    Args:
        network: of transformers, with its head.
        train: "frozen", "lora" or "full".
        rank: with "lora", rank of the small matrices.
        keep: "adapter" leaves out of a saved run what was not trained; "all" keeps all.
        digest: of the untrained weights of a saved run, to be compared with; None for a new one.
        model: where the network came from, for the message.
        checkpointing: whether layers are computed again in the backward pass, to save memory.

    Raises:
        RecipeError: the weights are not those that the saved run was trained with.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        train: Training,
        rank: int,
        keep: Keep,
        digest: str | None,
        model: str,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if keep not in ("adapter", "all"):
            raise RecipeError(f"keep must be 'adapter' or 'all', not {keep!r}.")
        self.digest = _digest(network) if keep == "adapter" and train != "full" else None
        if digest is not None and digest != self.digest:
            raise RecipeError(
                f"The weights of {model!r} are not those that this run was trained with; it holds "
                "only what was trained beside them. Give it the same weights again."
            )
        if checkpointing:
            network.activation_checkpointing_enable()  # type: ignore[operator]
        self.backbone = Backbone(
            network,
            train=train,
            layers=None,
            rank=rank,
            groups=transformers_groups(network),
            untouched=network.get_output_embeddings(),  # type: ignore[operator]
        )
        if self.digest is not None:
            self.register_state_dict_post_hook(_leave_out)
            self.register_load_state_dict_pre_hook(_put_back)

    @property
    def network(self) -> Any:
        """The network of transformers."""
        return self.backbone.network

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


class LanguageModel(nn.Module):
    """A causal language model that is given vectors, and gives logits of the next token.

    Args:
        model: name on the hub or local folder.
        vocabulary: token ids of its tokenizer.
        train: "frozen", "lora" or "full".
        rank: with "lora", rank of the small matrices.
        dtype: the format of its weights.
        checkpointing: whether layers are computed again in the backward pass, to save memory.
        keep: see :class:`AdaptedNetwork`.
        saved: ``settings`` of a saved one.

    Raises:
        RecipeError: the model cannot be found, or is none of this kind.
        MissingExtra: transformers or peft is needed and not installed.
    """

    def __init__(
        self,
        model: str,
        vocabulary: int,
        *,
        train: Training,
        rank: int,
        dtype: NumberFormat,
        checkpointing: bool,
        keep: Keep,
        saved: dict[str, Any] | None,
    ) -> None:
        super().__init__()
        config = transformers_config(model, None if saved is None else saved["network"])
        digest = None if saved is None else saved["digest"]
        network = loaded(
            needed("transformers").AutoModelForCausalLM,
            model,
            config,
            dtype,
            weights=saved is None or digest is not None,
            kind="a causal language model",
        )
        if vocabulary > network.get_input_embeddings().num_embeddings:
            raise RecipeError(
                f"The tokenizer has {vocabulary} token ids, the network of {model!r} has "
                f"{network.get_input_embeddings().num_embeddings}: they do not belong together."
            )
        self.adapted = AdaptedNetwork(
            network,
            train=train,
            rank=rank,
            keep=keep,
            digest=digest,
            model=model,
            checkpointing=checkpointing,
        )
        self.vocabulary = vocabulary
        self.settings = {"network": plain_config(config), "digest": self.adapted.digest}
        """Plain JSON to build it again."""
        embeddings = self.embeddings
        self.width = embeddings.embedding_dim
        self.spread = float(embeddings.weight[:1000].detach().float().std())
        """Standard deviation of the numbers of its vectors of tokens."""
        self._takes = inspect.signature(network.forward).parameters.keys()

    @property
    def embeddings(self) -> nn.Embedding:
        """Its vectors of tokens."""
        found: nn.Embedding = self.adapted.network.get_input_embeddings()
        return found

    @property
    def number_format(self) -> torch.dtype:
        """The format of its weights."""
        return self.embeddings.weight.dtype

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        *,
        last: int,
        cache: Sequence[Tensor] | None = None,
        hidden: bool = False,
    ) -> tuple[Tensor, Tensor | None, list[Tensor]]:
        """Read vectors.

        Args:
            x: ``(B, T, D)`` what is new.
            mask: ``(B, S + T)`` which vectors are real, of those before and the new ones.
            last: of how many of the last ones logits are wanted.
            cache: keys and values of each layer, of the S vectors before; empty for none.
            hidden: whether the last layer's output is wanted, too.

        Returns:
            Logits ``(B, last, V)``, the last layer's output ``(B, last, D)`` or None, and keys and
            values of all that was read, where there was a cache.
        """
        new = x.shape[1]
        places = (mask.long().cumsum(1) - 1).clamp_min(0)[:, -new:]
        more: dict[str, Any] = {"position_ids": places, "logits_to_keep": last}
        if cache is not None:
            more["past_key_values"] = cache_of(cache)
        out = self.adapted.network(
            inputs_embeds=x,
            attention_mask=mask.long(),
            use_cache=cache is not None,
            output_hidden_states=hidden,
            **{name: value for name, value in more.items() if name in self._takes},
        )
        seen = out.hidden_states[-1][:, -last:] if hidden else None
        kept = [] if cache is None else tensors_of(out.past_key_values)
        return out.logits[:, -last:], seen, kept


def loaded(
    auto: Any, model: str, config: Any, dtype: NumberFormat, *, weights: bool, kind: str
) -> Any:
    """A network with its head.

    Args:
        auto: the class of transformers that knows such networks.
        model: name on the hub or local folder.
        config: its configuration.
        dtype: format of its weights.
        weights: whether they are read; else they are random, to be loaded from a saved run.
        kind: what it must be, in words, with an article.

    Raises:
        RecipeError: it cannot be found, or is of another kind.
    """
    formats = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in formats:
        raise RecipeError(f"dtype must be one of {', '.join(formats)}, not {dtype!r}.")
    if type(config) not in auto._model_mapping:
        raise RecipeError(
            f"{model!r} is a model of type {config.model_type!r}, which is not {kind}."
        )
    if not weights:
        return auto.from_config(config, dtype=formats[dtype])
    with found(model, "weights"):
        return read_weights(auto, model, config=config, dtype=formats[dtype])


def bare_rules(tokenizer: Any) -> str:
    """A tokenizer's rules as JSON, without those that put tokens before and after a text."""
    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    return json.dumps(rules | {"post_processor": None}, ensure_ascii=False)
