"""A whole pretrained Whisper of transformers: from waveforms to what it heard, and to logits.

Letters: B rows · S moments that were heard · P tokens before the first word · T tokens · V token
ids of the network · D its width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from polymodal.backbone import needed, transformers_config
from polymodal.errors import RecipeError, nearest
from polymodal.heads.adapted_network import Adaptation, AdaptedNetwork
from polymodal.heads.key_values import cache_of, tensors_of
from polymodal.log_mels import LogMels, extractor_settings

Task = Literal["transcribe", "translate"]
TOGETHER = 16
"""Sounds that are heard at a time where nothing is learned: each takes much memory."""


class Spoken(NamedTuple):
    """What the decoder says, and remembers.

    Args:
        logits: ``(B, T, V)``.
        own: keys and values of the tokens that were read, of all layers.
        heard: keys and values of what was heard, of all layers.
    """

    logits: Tensor
    own: list[Tensor]
    heard: list[Tensor]


class SpeechRecogniser(nn.Module):
    """Whisper (Radford 2023, https://arxiv.org/abs/2212.04356) and models of its kind.

    Args:
        model: name on the hub or local folder.
        adaptation: how it is trained and kept.
        language: that is spoken; None where the model knows one only, or is to hear it itself.
        task: "transcribe", or "translate" into English.
        saved: ``settings`` of a saved one.

    Raises:
        RecipeError: the model cannot be found, is none of this kind, or does not know the language.
        MissingExtra: transformers or peft is needed and not installed.
    """

    def __init__(
        self,
        model: str,
        adaptation: Adaptation,
        *,
        language: str | None,
        task: Task,
        saved: dict[str, Any] | None,
    ) -> None:
        super().__init__()
        config = transformers_config(model, None if saved is None else saved["network"])
        if config.model_type != "whisper":
            raise RecipeError(
                f"{model!r} is a model of type {config.model_type!r}. Whisper and its kind "
                "(distil-whisper, …) are supported; use others as an encoder: pretrained, with "
                "the head ctc or transformer."
            )
        # Random masking and skipping of layers are for pretraining; they break short clips.
        config.apply_spec_augment, config.encoder_layerdrop = False, 0.0
        config.decoder_layerdrop = 0.0
        self.adapted = AdaptedNetwork(
            "AutoModelForSpeechSeq2Seq",
            model,
            config,
            adaptation,
            saved=saved,
            kind="a speech recogniser",
        )
        network = self.adapted.network
        writing = network.generation_config.to_dict() if saved is None else saved["writing"]
        network.generation_config = type(network.generation_config).from_dict(writing)
        extractor = extractor_settings(model) if saved is None else saved["extractor"]
        self.settings = self.adapted.settings | {"extractor": extractor, "writing": writing}
        """Plain JSON to build it again."""
        self.mels = LogMels(extractor)
        self.width: int = config.d_model
        self.prefix, self.languages, self._after = _beginning(writing, config, language, task)
        self.end: int = config.eos_token_id
        self.silenced = list(writing.get("suppress_tokens") or [])
        """Token ids that are not written: signs for laughter, music and the like."""
        self.silenced_first = list(writing.get("begin_suppress_tokens") or [])
        """Token ids that no text begins with."""

    @property
    def number_format(self) -> torch.dtype:
        """The format of its weights."""
        return self.adapted.number_format

    def hear(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """What is heard of waveforms ``(B, samples)`` with zeros after their ``lengths``.

        Returns:
            ``(B, S, D)``.
        """
        encoder, together = self.adapted.network.get_encoder(), len(waves)
        if not torch.is_grad_enabled():
            together = TOGETHER
        parts = zip(waves.split(together), lengths.split(together), strict=True)
        heard = [
            encoder(self.mels(some, count).to(self.number_format)).last_hidden_state
            for some, count in parts
        ]
        return torch.cat(heard)

    def before(self, heard: Tensor) -> Tensor:
        """The tokens that stand before the first word ``(B, P)``: start, language, task."""
        prefix = torch.tensor(self.prefix, device=heard.device).expand(len(heard), -1)
        if not self.languages:
            return prefix
        with torch.no_grad():
            said = self.say(prefix, heard, own=None).logits[:, -1, self.languages]
        spoken = torch.tensor(self.languages, device=heard.device)[said.argmax(-1)]
        after = torch.tensor(self._after, device=heard.device).expand(len(heard), -1)
        return torch.cat([prefix, spoken[:, None], after], 1)

    def say(
        self,
        ids: Tensor,
        heard: Tensor,
        *,
        own: Sequence[Tensor] | None,
        known: Sequence[Tensor] = (),
    ) -> Spoken:
        """Logits of each next token.

        Args:
            ids: ``(B, T)`` tokens.
            heard: ``(B, S, D)``; where keys and values of it are known, S may be 1.
            own: keys and values of the tokens before; None for nothing to be remembered.
            known: keys and values of what was heard.
        """
        transformers = needed("transformers")
        cache = None
        if own is not None:
            cache = transformers.EncoderDecoderCache(cache_of(own), cache_of(known))
        out = self.adapted.network(
            encoder_outputs=transformers.modeling_outputs.BaseModelOutput(heard),
            decoder_input_ids=ids,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        if cache is None:
            return Spoken(out.logits, [], [])
        kept = out.past_key_values
        return Spoken(
            out.logits,
            tensors_of(kept.self_attention_cache),
            tensors_of(kept.cross_attention_cache),
        )


def _beginning(
    writing: Mapping[str, Any], config: Any, language: str | None, task: Task
) -> tuple[list[int], list[int], list[int]]:
    """Token ids before the language, those of languages to choose from, and those after it.

    Raises:
        RecipeError: the model does not know the language, or there is nothing to choose.
    """
    start = [config.decoder_start_token_id]
    end = [n for n in [writing.get("no_timestamps_token_id")] if n is not None]
    known = writing.get("lang_to_id") or {}
    if not known:
        if language not in (None, "en", "english") or task != "transcribe":
            raise RecipeError(
                f"language={language!r}, task={task!r}: this model transcribes one language only. "
                "Leave both out, or take a multilingual model (openai/whisper-small, …)."
            )
        return [*start, *end], [], []
    after = [writing["task_to_id"][task], *end]
    if language is None:
        return start, sorted(known.values()), after
    names = needed("transformers.models.whisper.tokenization_whisper").TO_LANGUAGE_CODE
    code = f"<|{names.get(language.lower(), language.lower())}|>"
    if code not in known:
        codes = [name.strip("<|>") for name in known]
        raise RecipeError(f"language={language!r} is not known. {nearest(language, codes)}")
    return [*start, known[code], *after], [], []
