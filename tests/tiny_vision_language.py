"""Tiny whole vision-language models as folders on disk, with random weights and real processors."""

from pathlib import Path

import torch
import transformers

from tiny_language_model import SIZES, USUAL, make_tokenizer

TEXT = SIZES | {"max_position_embeddings": 512}
MESSAGES = (
    "{% for message in messages %}{{ message.role }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}PICTURE{% else %}{{ part.text }}{% endif %}{% endfor %}\n"
    "{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)


def make_llava(folder: Path, *, chat: bool = False, end: bool = True, seed: int = 0) -> str:
    """LLaVA: pictures of one size, a CLIP and a Llama, no template unless asked for."""
    words = make_tokenizer(USUAL if end else {})
    words.add_tokens(["<image>"], special_tokens=True)
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
            image_size=28, patch_size=14,
        ),
        text_config=transformers.LlamaConfig(
            vocab_size=len(words), bos_token_id=None, eos_token_id=words.eos_token_id, **TEXT
        ),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )  # fmt: skip
    torch.manual_seed(seed)
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    transformers.LlavaProcessor(
        transformers.CLIPImageProcessor(
            size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}
        ),
        words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=MESSAGES.replace("PICTURE", "<image>") if chat else None,
    ).save_pretrained(folder)
    return str(folder)


def make_qwen(folder: Path) -> str:
    """Qwen2-VL: pictures of any size, positions along three axes, a template for messages."""
    marks = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")
    words = make_tokenizer({"eos_token": "<|end|>"})
    words.add_tokens(list(marks), special_tokens=True)
    start, picture, end, video = words.convert_tokens_to_ids(list(marks))
    config = transformers.Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 32, "num_heads": 2, "hidden_size": 32,
                       "mlp_ratio": 2},
        text_config={**TEXT, "vocab_size": len(words),
                     "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0,
                                         "mrope_section": [1, 1, 2]},
                     "bos_token_id": None, "eos_token_id": words.eos_token_id},
        image_token_id=picture, video_token_id=video, vision_start_token_id=start,
        vision_end_token_id=end,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    transformers.Qwen2VLProcessor(
        transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=112 * 112),
        words,
        transformers.Qwen2VLVideoProcessor(),
        chat_template=MESSAGES.replace("PICTURE", "<|vision_start|><|image_pad|><|vision_end|>"),
    ).save_pretrained(folder)
    return str(folder)


def make_smolvlm(folder: Path) -> str:
    """SmolVLM: each picture is cut into parts, which are read beside the whole."""
    words = make_tokenizer(USUAL)
    parts = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    marks = ["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *parts]
    words.add_tokens(marks, special_tokens=True)
    config = transformers.SmolVLMConfig(
        vision_config={"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "intermediate_size": 32, "image_size": 28, "patch_size": 7},
        text_config=transformers.LlamaConfig(
            vocab_size=len(words), bos_token_id=None, eos_token_id=words.eos_token_id, **TEXT
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.SmolVLMForConditionalGeneration(config).save_pretrained(folder)
    transformers.Idefics3Processor(
        transformers.Idefics3ImageProcessor(
            size={"longest_edge": 56}, max_image_size={"longest_edge": 28}
        ),
        words,
        image_seq_len=4,
        chat_template=MESSAGES.replace("PICTURE", "<image>"),
    ).save_pretrained(folder)
    return str(folder)


def make_whisper(folder: Path, *, languages: bool = False) -> str:
    """Whisper that hears two seconds, for one language or for two."""
    words = make_tokenizer({"eos_token": "<|endoftext|>"})
    marks = ["<|startoftranscript|>", "<|en|>", "<|zh|>", "<|transcribe|>", "<|translate|>",
             "<|notimestamps|>"]  # fmt: skip
    words.add_tokens(marks, special_tokens=True)
    start, english, chinese, transcribe, translate, plain = words.convert_tokens_to_ids(marks)
    config = transformers.WhisperConfig(
        vocab_size=len(words), d_model=16, encoder_layers=1, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_source_positions=100, max_target_positions=40, num_mel_bins=8,
        decoder_start_token_id=start, eos_token_id=words.eos_token_id, bos_token_id=None,
        pad_token_id=words.eos_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    network = transformers.WhisperForConditionalGeneration(config)
    writing = network.generation_config
    writing._from_model_config = False  # else it is made again from the other one
    writing.no_timestamps_token_id = plain
    writing.suppress_tokens = [5, 6, *words.convert_tokens_to_ids(marks)]
    writing.begin_suppress_tokens = [7, words.eos_token_id]
    writing.is_multilingual, writing.max_length = languages, 40
    if languages:
        writing.lang_to_id = {"<|en|>": english, "<|zh|>": chinese}
        writing.task_to_id = {"transcribe": transcribe, "translate": translate}
    network.save_pretrained(folder)
    words.save_pretrained(folder)
    transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=2).save_pretrained(folder)
    return str(folder)
