"""A whole pretrained speech recogniser that hears one column as it is.

Letters: B rows · S moments that were heard · T symbols of a text · D width · V token ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from polymodal.backbone import Training, bare_rules, fast_tokenizer
from polymodal.batch import Fused
from polymodal.errors import RecipeError
from polymodal.heads.adapted_network import Adaptation, Keep, NumberFormat
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.decoding import State
from polymodal.heads.generation import Decoding, checked_sizes
from polymodal.heads.key_values import named
from polymodal.heads.next_symbol import NextSymbol
from polymodal.heads.processor_files import speech_files
from polymodal.heads.prompted import Prompted
from polymodal.heads.speech_recogniser import SpeechRecogniser, Task
from polymodal.log_mels import extractor_settings


class SpeechToText(Autoregressive, Prompted):
    """Writes what is said, with a whole pretrained Whisper.

    Frozen it needs no training at all; with "lora", small matrices beside its linear layers learn
    how speakers, words and spelling of this table are (Hu et al. 2022).

    When to choose it: speech in one of the languages that such a model knows. To learn a language
    or a handful of words from scratch choose ``ctc``; where pictures or other columns help to
    understand what is said, an encoder ``pretrained`` with a ``transformer``.

    Args:
        width: of the fused vector, which is not read.
        vocabulary: token ids of the model's tokenizer.
        length: most tokens of a text.
        inputs: column -> its modality, of those that are read as they are.
        model: name on the hub ("openai/whisper-tiny") or a local folder.
        train: "lora" (small matrices beside linear layers), "frozen" (nothing) or "full" (all
            weights).
        language: that is spoken ("en", "zh", …), for models that know several; None lets the model
            hear it in each row.
        task: "transcribe", or "translate" into English.
        rank: with "lora", rank of the small matrices.
        dtype: format of the model's weights; "bfloat16" takes half the memory.
        keep: "adapter" saves what was trained, and takes the model from its place again; "all"
            saves the model, too.
        beams: texts followed side by side; 1 takes the likeliest token at each step.
        length_penalty: exponent of a text's length when beams are compared; 0 favours short ones.
        temperature: 0 takes the likeliest token; above 0, tokens are drawn at random.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: tokens are drawn from the likeliest ones that hold this share of the probability.
        config: ``config`` of a saved head.

    Raises:
        RecipeError: the model cannot be found or is of another kind, an option does not fit, or
            there is not one sound to hear.
        MissingExtra: transformers or peft is needed and not installed.

    Example:
        >>> network = dict(model_type="whisper", vocab_size=20, d_model=8, encoder_layers=1,
        ...                decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        ...                encoder_ffn_dim=8, decoder_ffn_dim=8, max_source_positions=50,
        ...                num_mel_bins=8, decoder_start_token_id=19, eos_token_id=18,
        ...                bos_token_id=18, pad_token_id=18)
        >>> saved = {"network": network, "extractor": {"feature_size": 8, "chunk_length": 1},
        ...          "digest": None, "writing": {}, "files": {}}
        >>> head = SpeechToText(1, 18, 5, {"sound": "audio"}, "tiny", config=saved).eval()
        >>> from polymodal.batch import Tokens
        >>> sound = Tokens(torch.zeros(2, 4000, 1), torch.ones(2, 4000) > 0, torch.zeros(2, 1))
        >>> row = torch.zeros(2, 1)
        >>> fused = Fused(row, row[:, None], torch.ones(2, 1) > 0, branches={"sound": sound})
        >>> heard = head(fused)
        >>> heard.shape, head.answer(heard).shape
        (torch.Size([2, 50, 9]), torch.Size([2, 5]))
    """

    readable = frozenset({"audio"})
    reads_row = False
    rows_at_once = 16

    def __init__(
        self,
        width: int,
        vocabulary: int,
        length: int,
        inputs: Mapping[str, str],
        model: str,
        *,
        train: Training = "lora",
        language: str | None = None,
        task: Task = "transcribe",
        rank: int = 8,
        dtype: NumberFormat = "float32",
        keep: Keep = "adapter",
        beams: int = 1,
        length_penalty: float = 1.0,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        config: dict[str, Any] | None = None,
    ) -> None:
        decoding = Decoding(beams, length_penalty, temperature, top_k, top_p)
        super().__init__(length, decoding=decoding, label_smoothing=0.0)
        checked_sizes(width, vocabulary, length)
        self.reads = tuple(name for name, modality in inputs.items() if modality == "audio")
        if len(self.reads) != 1:
            raise RecipeError(
                f"speech_to_text hears one audio column, not {len(self.reads)} "
                f"({', '.join(self.reads) or 'there is none'}). Name it with inputs: [column]."
            )
        self.recogniser = SpeechRecogniser(
            model,
            Adaptation(train, rank, dtype, keep),
            language=language,
            task=task,
            saved=config,
        )
        files = config["files"] if config else speech_files(model)
        self.config = self.recogniser.settings | {"files": files}
        """Plain JSON to keep with the weights: rebuilds the head."""
        self.next_symbol = NextSymbol(vocabulary, [self.recogniser.end], self.recogniser.width)

    @classmethod
    def as_is(cls, prompt: str | None, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """The sounds."""
        return tuple(name for name, modality in inputs.items() if modality == "audio")

    @staticmethod
    def preprocessing(model: str, modality: str) -> dict[str, Any]:
        """Waveforms at the model's rate, as long as it can hear; its ``tokenizer`` for texts."""
        if modality == "audio":
            extractor = extractor_settings(model)
            return {
                "form": "waveform",
                "rate": extractor["sampling_rate"],
                "max_seconds": extractor.get("chunk_length", 30),
            }
        rules = json.loads(bare_rules(fast_tokenizer(model)))
        # As it writes by itself, each text begins like a word within a sentence.
        if (rules.get("pre_tokenizer") or {}).get("type") == "ByteLevel":
            rules["pre_tokenizer"]["add_prefix_space"] = True
        return {"tokenizer": json.dumps(rules, ensure_ascii=False)}

    @property
    def number_format(self) -> torch.dtype:
        """That of the recogniser."""
        return self.recogniser.number_format

    def read(self, fused: Fused) -> Tensor:
        """What is heard: ``(B, S, D + 1)``, or ``(B, M, S, D + 1)``."""
        assert fused.branches is not None
        x, mask, _ = fused.branches[self.reads[0]]
        assert mask is not None
        # Chosen, not multiplied: NaN times zero is NaN. Where there is no sound, there is silence.
        waves = torch.where(mask, x[..., 0], 0.0)
        heard = self.recogniser.hear(waves, mask.sum(1))
        heard = torch.cat([heard.float(), torch.ones_like(heard[..., :1]).float()], -1)
        if fused.vector.ndim == 2:
            return heard
        return heard[:, None].expand(-1, fused.vector.shape[1], -1, -1)

    def taught(self, x: Tensor, mask: Tensor, symbols: Tensor, counts: Tensor) -> Tensor:
        """Logits of each next symbol that counts, of all symbols read at once."""
        before = self.recogniser.before(x)
        ids = torch.cat([before, (symbols[:, 1:] - 1).clamp_min(0)], 1)
        logits = self.recogniser.say(ids, x, own=None).logits[:, before.shape[1] - 1 :]
        said: Tensor = self.next_symbol(logits[counts])
        return said

    def begin(self, x: Tensor, mask: Tensor) -> State:
        """Keys and values of what is heard and of what stands before the first word."""
        said = self.recogniser.say(self.recogniser.before(x), x, own=[])
        first = self._written(said.logits[:, -1], first=True)
        # Of what is heard the keys and values are enough from here on.
        fixed = {"first": first, "any": x[:, :1], **named(said.heard)}
        return State(fixed, named(said.own))

    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next symbol, and the next state."""
        following = replace(state, steps=state.steps + 1)
        if not state.steps:
            return state.fixed["first"], following
        known = [part for name, part in state.fixed.items() if name not in ("first", "any")]
        said = self.recogniser.say(
            (symbols - 1).clamp_min(0)[:, None],
            state.fixed["any"],
            own=list(state.moving.values()),
            known=known,
        )
        return self._written(said.logits[:, -1]), replace(following, moving=named(said.own))

    def _written(self, logits: Tensor, *, first: bool = False) -> Tensor:
        """Logits of symbols, without those that the model is not to write."""
        silenced = self.recogniser.silenced + (self.recogniser.silenced_first if first else [])
        barred = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        barred[silenced] = True
        said: Tensor = self.next_symbol(logits.masked_fill(barred, -torch.inf))
        return said
