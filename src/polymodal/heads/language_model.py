"""A pretrained causal language model of transformers, run on vectors in place of tokens.

Letters: B rows · S vectors that are read · V token ids of the network · D its width.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from polymodal.backbone import transformers_config
from polymodal.heads.adapted_network import Adaptation, AdaptedNetwork
from polymodal.heads.key_values import cache_of, tensors_of


class LanguageModel(nn.Module):
    """A causal language model that is given vectors, and gives logits of the next token.

    Args:
        model: name on the hub or local folder.
        vocabulary: token ids of its tokenizer.
        adaptation: how it is trained and kept.
        saved: ``settings`` of a saved one.

    Raises:
        RecipeError: the model cannot be found, or is none of this kind.
        MissingExtra: transformers or peft is needed and not installed.
    """

    def __init__(
        self,
        model: str,
        vocabulary: int,
        adaptation: Adaptation,
        *,
        saved: dict[str, Any] | None,
    ) -> None:
        super().__init__()
        self.adapted = AdaptedNetwork(
            "AutoModelForCausalLM",
            model,
            transformers_config(model, None if saved is None else saved["network"]),
            adaptation,
            saved=saved,
            kind="a causal language model",
        )
        self.adapted.check_vocabulary(vocabulary)
        self.settings = self.adapted.settings
        """Plain JSON to build it again."""
        embeddings = self.embeddings
        self.width = embeddings.embedding_dim
        self.spread = float(embeddings.weight[:1000].detach().float().std())
        """Standard deviation of the numbers of its vectors of tokens."""
        self._takes = inspect.signature(self.adapted.network.forward).parameters.keys()

    @property
    def embeddings(self) -> nn.Embedding:
        """Its vectors of tokens."""
        found: nn.Embedding = self.adapted.network.get_input_embeddings()
        return found

    @property
    def number_format(self) -> torch.dtype:
        """The format of its weights."""
        return self.adapted.number_format

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
