"""What LoRA spares: memory, time and disk of fine-tuning a language model, against all weights.

    python benchmarks/language_model.py [--megabytes 1000]

A LLaMA-like model is built from a configuration and saved to disk (no hub is needed: what counts
is its size). Each way of training is a process of its own that calls ``pm.fit`` on the same table
of sentences; the peak is that of the whole process, Python and PyTorch included.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import child, peak_megabytes

WORDS = "red blue green circle square picture shows stands beside under small large two three"
WIDTH, VOCABULARY = 512, 4000


def make_model(folder: Path, megabytes: int) -> int:
    """Write the model and its tokenizer; returns how many weights it has."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<s>", "</s>"], show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )  # fmt: skip
    tokenizer.train_from_iterator([WORDS], trainer)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"
    ).save_pretrained(folder)
    layer = 4 * WIDTH**2 + 3 * WIDTH * 4 * WIDTH
    layers = round((megabytes * 1e6 / 4 - 2 * VOCABULARY * WIDTH) / layer)
    network = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=4 * WIDTH,
            num_hidden_layers=layers, num_attention_heads=8,
        )
    )  # fmt: skip
    network.save_pretrained(folder)
    return sum(p.numel() for p in network.parameters())


def trained(model: str, out: Path, train: str, checkpointing: bool) -> dict[str, Any]:
    """Fine-tune in this process; what it took."""
    import polymodal as pm

    words = WORDS.split()
    rows = [
        {
            "question": f"what does picture number {i} show beside the {words[i % 7]} one?",
            "answer": f"it shows {words[i % 5]} and {words[-1 - i % 4]} things in row {i % 9}",
        }
        for i in range(40)
    ]
    head = {"name": "causal_lm", "model": model, "train": train, "checkpointing": checkpointing}
    recipe = {
        "columns": {"answer": {"modality": "text", "head": head}, "question": {"modality": "text"}},
        "train": {"epochs": 1, "batch_size": 4, "precision": "fp32", "threads": 1, "patience": 0},
        "evaluation": {"single_modalities": "off", "subsets": False, "resamples": 20},
        "data": {"keep_packs": False},
    }
    started = time.process_time()
    pm.fit(rows, "answer", recipe=recipe, out=out)
    seconds = time.process_time() - started
    checkpoint = next((out / "checkpoints").glob("last*"))
    return {
        "peak": peak_megabytes(),
        "seconds": seconds,
        "checkpoint": checkpoint.stat().st_size / 1e6,
        "run": (out / "weights.safetensors").stat().st_size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1000, help="of the model's weights")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        model, out, train, again = asked.one
        print(json.dumps(trained(model, Path(out), train, again == "again")))
        return
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        weights = make_model(model, asked.megabytes)
        print(f"a model of {weights / 1e6:.0f} million weights, {weights * 4 / 1e6:.0f} MB")
        found = {}
        for train, again in [("full", ""), ("lora", ""), ("lora", "again"), ("frozen", "")]:
            name = train + (", layers computed again" if again else "")
            out = Path(place) / f"{train}{again}"
            found[name] = child([__file__, "--one", str(model), str(out), train, again or "-"])
            if "error" in found[name]:
                sys.exit(f"{name}: {found[name]['error']}")
            one, whole = found[name], found["full"]
            print(
                f"{name}: peak {one['peak']:,.0f} MB ({one['peak'] / whole['peak']:.2f} x full), "
                f"{one['seconds']:.0f} CPU-s, checkpoint {one['checkpoint']:,.1f} MB, "
                f"run {one['run']:,.1f} MB"
            )
        print("wanted: lora at most 0.60 x full")


if __name__ == "__main__":
    main()
