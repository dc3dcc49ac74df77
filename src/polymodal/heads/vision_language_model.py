"""A whole pretrained vision-language model of transformers, from its processor's inputs to logits.

Letters: B rows · S tokens of a prompt · T tokens that follow · A axes of positions, 1 for most
networks · V token ids of the network · D its width.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from polymodal.backbone import transformers_config
from polymodal.errors import RecipeError
from polymodal.heads.adapted_network import Adaptation, AdaptedNetwork
from polymodal.heads.key_values import cache_of, tensors_of

_PER_TOKEN = ("token_type_ids", "mm_token_type_ids")
_SUFFIX_TYPE = {"paligemma": 1}
"""Token type of what follows the prompt, where a network must be told: it reads it in order."""


class Told(NamedTuple):
    """What a network says.

    Args:
        logits: ``(B, last, V)``.
        hidden: the last layer's output ``(B, last, D)``, where it was asked for.
        cache: keys and values of all layers, where they were asked for.
    """

    logits: Tensor
    hidden: Tensor | None
    cache: list[Tensor]


class VisionLanguageModel(nn.Module):
    """A network that reads pictures and words together, as ``AutoModelForImageTextToText`` knows.

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
        config = transformers_config(model, None if saved is None else saved["network"])
        if getattr(config, "is_encoder_decoder", False):
            raise RecipeError(
                f"{model!r} (of type {config.model_type!r}) has a decoder apart from what reads "
                "the prompt. Models that go on from a prompt are supported: Qwen-VL, LLaVA, "
                "SmolVLM, Idefics, InternVL, Gemma 3 and their kind."
            )
        self.adapted = AdaptedNetwork(
            "AutoModelForImageTextToText",
            model,
            config,
            adaptation,
            saved=saved,
            kind="a vision-language model",
        )
        self.adapted.check_vocabulary(vocabulary)
        network = self.adapted.network
        self.settings = self.adapted.settings
        """Plain JSON to build it again."""
        self.width: int = network.get_input_embeddings().embedding_dim
        self._takes = inspect.signature(network.forward).parameters.keys()
        self._suffix = _SUFFIX_TYPE.get(config.model_type, 0)
        # A token that stands for a picture must not come from a text that is to be written.
        self._pictures = [
            place
            for name in ("image_token_id", "image_token_index", "video_token_id")
            if isinstance(place := getattr(config, name, None), int)
        ]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        weight: Tensor = self.adapted.network.get_input_embeddings().weight
        return weight.device

    @property
    def number_format(self) -> torch.dtype:
        """The format of its weights."""
        return self.adapted.number_format

    @property
    def ends(self) -> list[int]:
        """Token ids that end a text, as its settings for writing say."""
        ends = self.adapted.network.generation_config.eos_token_id
        return [] if ends is None else [ends] if isinstance(ends, int) else list(ends)

    def positions(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Where each token of prompts stands ``(A, B, S)``; some networks count along several axes.

        Args:
            inputs: as the processor made them.
        """
        # Not a public method, but the one by which `generate` gets them for each network.
        found: Tensor = self.adapted.network._prepare_position_ids_for_generation(
            inputs["input_ids"], dict(inputs)
        )
        return found if found.ndim == 3 else found[None]

    def taught(
        self, inputs: Mapping[str, Tensor], ids: Tensor, there: Tensor, *, hidden: bool
    ) -> Told:
        """Logits of each next token ``(B, T + 1, V)`` after prompts, and after true tokens.

        Args:
            inputs: prompts, padded on the left.
            ids: ``(B, T)`` the tokens that follow.
            there: ``(B, T)`` which are real.
            hidden: whether the last layer's output is wanted, too.
        """
        positions, following = self.positions(inputs), ids.shape[1]
        for picture in self._pictures:
            ids = torch.where(ids == picture, 0, ids)
        steps = torch.arange(1, following + 1, device=ids.device)
        after = last_position(positions).T[..., None] + steps
        whole = dict(inputs)
        whole["input_ids"] = torch.cat([inputs["input_ids"], ids], 1)
        whole["attention_mask"] = torch.cat([inputs["attention_mask"], there.long()], 1)
        for name in _PER_TOKEN:
            if name in whole:
                types = torch.full_like(ids, self._suffix)
                whole[name] = torch.cat([whole[name], types], 1)
        return self._run(whole, torch.cat([positions, after], 2), last=following + 1, hidden=hidden)

    def begin(self, inputs: Mapping[str, Tensor], *, hidden: bool) -> Told:
        """Logits of the token that follows each prompt ``(B, 1, V)``, with keys and values."""
        return self._run(inputs, self.positions(inputs), last=1, hidden=hidden, cache=[])

    def step(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor,
        cache: Sequence[Tensor],
        *,
        hidden: bool,
    ) -> Told:
        """Logits after one more token ``(B, 1, V)``.

        Args:
            ids: ``(B,)`` the token.
            mask: ``(B, S + T)`` which tokens are real, this one being the last.
            positions: ``(B, A)`` where it stands.
            cache: keys and values of those before.
            hidden: whether the last layer's output is wanted, too.
        """
        inputs = {"input_ids": ids[:, None], "attention_mask": mask.long()}
        return self._run(inputs, positions.T[..., None], last=1, hidden=hidden, cache=cache)

    def _run(
        self,
        inputs: Mapping[str, Tensor],
        positions: Tensor,
        *,
        last: int,
        hidden: bool,
        cache: Sequence[Tensor] | None = None,
    ) -> Told:
        more: dict[str, Any] = {"logits_to_keep": last}
        if cache is not None:
            more["past_key_values"] = cache_of(cache)
        out = self.adapted.network(
            **inputs,
            position_ids=positions[0] if len(positions) == 1 else positions,
            use_cache=cache is not None,
            output_hidden_states=hidden,
            **{name: value for name, value in more.items() if name in self._takes},
        )
        return Told(
            out.logits[:, -last:],
            out.hidden_states[-1][:, -last:] if hidden else None,
            [] if cache is None else tensors_of(out.past_key_values),
        )


def last_position(positions: Tensor) -> Tensor:
    """The position that tokens after a prompt go on from, ``(B, A)``.

    Where a network counts along time, height and width, a word that follows a picture stands
    beyond its largest number on all three; a fourth axis, the first, counts tokens.

    Args:
        positions: ``(A, B, S)``.
    """
    furthest = positions.amax(2)  # (A, B)
    if len(positions) == 1:
        return furthest.T
    space = furthest[-3:].amax(0, keepdim=True).expand(3, -1)
    return torch.cat([furthest[:-3], space]).T
