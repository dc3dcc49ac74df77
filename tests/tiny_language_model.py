"""Causal language models of a few thousand weights, as folders that a hub name could stand for."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SENTENCES = [
    "a red circle, a blue square and two green triangles",
    "what colour is the shape? which shape is in the picture?",
    "question: how many? answer: nought, one, two, three",
]
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": SIZES,
    "qwen2": SIZES | {"tie_word_embeddings": True},
    "qwen3": SIZES | {"head_dim": 8},
    "mistral": SIZES | {"sliding_window": 4},
    "gemma": SIZES | {"head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "opt": SIZES | {"ffn_dim": 48, "word_embed_proj_dim": 32},
}
USUAL = {"bos_token": "<s>", "eos_token": "</s>"}
# Whose tokenizers have these tokens in any case.
ENDS = {name: {"eos_token": "<|endoftext|>"} for name in ("qwen2", "qwen3", "gpt2")}
TEMPLATE = (
    "{% for m in messages %}<user>{{ m['content'] }}</user>{% endfor %}"
    "{% if add_generation_prompt %}<model>{% endif %}"
)


def make_tokenizer(special: dict[str, str], *, chat: bool = False) -> Any:
    """A byte-level BPE, with these special tokens: ``{"eos_token": "</s>"}``; it adds the first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=list(special.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    if first := special.get("bos_token"):
        start = (first, tokenizer.token_to_id(first))
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A", special_tokens=[start]
        )
    kept = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)
    kept.chat_template = TEMPLATE if chat else None
    return kept


def make_language_model(
    folder: Path,
    family: str = "llama",
    *,
    special: dict[str, str] | None = None,
    chat: bool = False,
    **sizes: Any,
) -> str:
    """Write a random model with its tokenizer; returns its place."""
    known = (ENDS.get(family) or USUAL) if special is None else special
    tokenizer = make_tokenizer(known, chat=chat)
    ids = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    more = FAMILIES[family] | {"vocab_size": len(tokenizer), "pad_token_id": None} | ids | sizes
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **more)
    network = transformers.AutoModelForCausalLM.from_config(config)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
