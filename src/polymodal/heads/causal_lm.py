"""A pretrained language model that writes about what is fused, and about texts as they are.

Letters: B rows · M branches · S vectors of a prompt · T symbols of a text · D width of the language
model · V token ids.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from polymodal.backbone import Training, bare_rules, fast_tokenizer
from polymodal.batch import Fused
from polymodal.heads.adapted_network import Adaptation, Keep, NumberFormat
from polymodal.heads.autoregressive import Autoregressive
from polymodal.heads.decoding import State
from polymodal.heads.generation import Decoding, checked_sizes
from polymodal.heads.key_values import named
from polymodal.heads.language_model import LanguageModel
from polymodal.heads.next_symbol import NextSymbol
from polymodal.heads.prompt import ROW, columns_of
from polymodal.heads.prompt_vectors import PromptVectors, tokenized, usual_prompt
from polymodal.heads.prompted import Prompted


class CausalLm(Autoregressive, Prompted):
    """Writes with a pretrained language model, before whose words the row's vectors are put.

    What the fusion made of the row, and what single encoders made of their columns, is projected
    into the space of the model's tokens and stands in its prompt like words (LLaVA, Liu et al.
    2023, https://arxiv.org/abs/2304.08485; Frozen, Tsimpoukelli et al. 2021). Texts stand there
    as they are. With "lora", small matrices beside its linear layers are trained (Hu et al. 2022).

    When to choose it: a model that writes the language well is at hand, by its name on the hub or
    in a folder, and what is to be written is more than a word or two. A row costs as much as the
    model is large: for closed questions and short answers a :class:`TransformerDecoder` is as good
    and a thousand times cheaper. To adapt a whole vision-language model choose
    ``image_text_to_text``.

    Args:
        width: size of the fused vector and tokens.
        vocabulary: token ids of the model's tokenizer.
        length: most tokens of a text.
        branches: branch -> width of its encoder; those that may stand in the prompt.
        texts: those of them whose tokens are token ids of this model, to be read as they are.
        model: name on the hub ("Qwen/Qwen2.5-0.5B-Instruct") or a local folder.
        train: "lora" (small matrices beside linear layers), "frozen" (only the projections) or
            "full" (all weights).
        prompt: what the model is to go on from: words, with {column} where a column stands and
            {row} where the fused row stands; None for the row, then the texts with their names.
        chat: whether the prompt is a message of a user, as chat models know it; None where the
            model has a template for it.
        rank: with "lora", rank of the small matrices.
        dtype: format of the model's weights; "bfloat16" takes half the memory.
        checkpointing: whether layers are computed again in the backward pass, to save memory.
        keep: "adapter" saves what was trained, and takes the model from its place again; "all"
            saves the model, too.
        beams: texts followed side by side; 1 takes the likeliest token at each step.
        length_penalty: exponent of a text's length when beams are compared; 0 favours short ones.
        temperature: 0 takes the likeliest token; above 0, tokens are drawn at random.
        top_k: tokens that may be drawn, the likeliest ones; 0 for all.
        top_p: tokens are drawn from the likeliest ones that hold this share of the probability.
        config: ``config`` of a saved head.

    Raises:
        RecipeError: the model cannot be found or is of another kind, or an option does not fit.
        MissingExtra: transformers or peft is needed and not installed.

    Example:
        >>> network = dict(model_type="llama", vocab_size=20, hidden_size=8, num_hidden_layers=1,
        ...                num_attention_heads=2, intermediate_size=8)
        >>> saved = {"network": network, "digest": None, "prompt": [["row", True]], "words": {},
        ...          "start": [1], "end": 2}
        >>> head = CausalLm(4, 20, 5, branches={}, texts=(), model="tiny", config=saved).eval()
        >>> vector = torch.randn(2, 4)
        >>> read = head(Fused(vector, vector[:, None], torch.ones(2, 1, dtype=torch.bool)))
        >>> read.shape, head.answer(read).shape
        (torch.Size([2, 3, 9]), torch.Size([2, 5]))
    """

    rows_at_once = 32
    readable = frozenset(
        {"text", "passages", "image", "gallery", "audio", "video", "series", "points", "vector"}
    )

    def __init__(
        self,
        width: int,
        vocabulary: int,
        length: int,
        branches: Mapping[str, int],
        texts: Collection[str],
        model: str,
        *,
        train: Training = "lora",
        prompt: str | None = None,
        chat: bool | None = None,
        rank: int = 8,
        dtype: NumberFormat = "float32",
        checkpointing: bool = False,
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
        saved = None
        if config is None:
            text = usual_prompt(branches, texts) if prompt is None else prompt
            config = tokenized(model, text, chat)
        else:
            saved = {name: config[name] for name in ("network", "digest")}
        self.language_model = LanguageModel(
            model,
            vocabulary,
            Adaptation(train, rank, dtype, keep, checkpointing),
            saved=saved,
        )
        self.config = config | self.language_model.settings
        """Plain JSON to keep with the weights: rebuilds the head."""
        wide = self.language_model.width
        self.prompt = PromptVectors(
            self.config,
            branches=branches,
            texts=texts,
            row=width,
            width=wide,
            spread=self.language_model.spread,
        )
        self.reads = self.prompt.reads
        ends = [] if self.config["end"] is None else [self.config["end"]]
        self.next_symbol = NextSymbol(vocabulary, ends, wide)

    @classmethod
    def as_is(cls, prompt: str | None, inputs: Mapping[str, str]) -> tuple[str, ...]:
        """The texts that the prompt names; all of them without a prompt."""
        texts = [name for name, modality in inputs.items() if modality == "text"]
        named = texts if prompt is None else columns_of(prompt)
        return tuple(name for name in texts if name in named)

    @classmethod
    def heeds(cls, prompt: str | None, inputs: Mapping[str, str]) -> Collection[str]:
        """The columns that the prompt names; all of them with the fused row."""
        named = [ROW] if prompt is None else columns_of(prompt)
        return inputs if ROW in named and ROW not in inputs else named

    @staticmethod
    def preprocessing(model: str, modality: str) -> dict[str, Any]:
        """The model's ``tokenizer`` as JSON, for texts that are read or written."""
        return {"tokenizer": bare_rules(fast_tokenizer(model))}

    @property
    def number_format(self) -> torch.dtype:
        """That of the language model."""
        return self.language_model.number_format

    def read(self, fused: Fused) -> Tensor:
        """The prompt as vectors, its last one last: ``(B, S, D + 1)``, or ``(B, M, S, D + 1)``."""
        if fused.vector.ndim == 3:
            several = fused.vector.shape[1]
            return self.read(_each(fused)).unflatten(0, (-1, several))
        x, mask = self.prompt(fused, self.language_model.embeddings)
        return torch.cat([x, mask[..., None]], -1).to(self._format or torch.float32)

    def taught(self, x: Tensor, mask: Tensor, symbols: Tensor, counts: Tensor) -> Tensor:
        """Logits of each next symbol that counts, of prompt and text read at once."""
        words = self.language_model.embeddings((symbols[:, 1:] - 1).clamp_min(0))
        every = torch.cat([mask, counts[:, 1:]], 1)
        logits, hidden, _ = self.language_model(
            torch.cat([x, words], 1), every, last=symbols.shape[1], hidden=self.next_symbol.learned
        )
        return self.next_symbol(logits[counts], None if hidden is None else hidden[counts])

    def begin(self, x: Tensor, mask: Tensor) -> State:
        """Keys and values of the prompt but for its last vector."""
        cache: list[Tensor] = []
        if x.shape[1] > 1:
            _, _, cache = self.language_model(x[:, :-1], mask[:, :-1], last=1, cache=[])
        return State({"mask": mask, "last": x[:, -1]}, named(cache))

    def step(self, symbols: Tensor, state: State) -> tuple[Tensor, State]:
        """The logits of the next symbol, and the next state."""
        mask, x = state.fixed["mask"], state.fixed["last"]
        if state.steps:
            x = self.language_model.embeddings((symbols - 1).clamp_min(0))
            mask = torch.cat([mask, mask.new_ones(len(mask), state.steps)], 1)
        logits, hidden, cache = self.language_model(
            x[:, None],
            mask,
            last=1,
            cache=list(state.moving.values()),
            hidden=self.next_symbol.learned,
        )
        found = self.next_symbol(logits[:, -1], None if hidden is None else hidden[:, -1])
        return found, replace(state, moving=named(cache), steps=state.steps + 1)


def _each(fused: Fused) -> Fused:
    """Rows of M vectors as M rows of one vector."""
    rows, several, _ = fused.vector.shape
    index = torch.arange(rows, device=fused.vector.device).repeat_interleave(several)
    branches = {name: tokens.take(index) for name, tokens in (fused.branches or {}).items()}
    vector = fused.vector.flatten(0, 1)
    tokens, every = vector[:, None], torch.ones_like(index)[:, None] > 0
    return Fused(vector, tokens, every, experts=tokens, branches=branches)
