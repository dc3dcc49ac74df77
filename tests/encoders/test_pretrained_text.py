import json
from pathlib import Path

import pytest
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from polymodal.batch import Field
from polymodal.encoders import PretrainedText
from polymodal.errors import RecipeError

TINY = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 12,
}
IDS = torch.tensor([[5, 6, 7, 0], [8, 9, 0, 0]])
MASK = IDS > 0
TEXTS = Field(IDS, torch.ones(2).bool(), MASK)


@pytest.fixture
def bert(tmp_path: Path) -> str:
    torch.manual_seed(0)
    transformers.BertModel(transformers.BertConfig(**TINY)).save_pretrained(tmp_path / "bert")
    return str(tmp_path / "bert")


def test_it_equals_the_model_of_the_folder(bert: str) -> None:
    reference = transformers.BertModel.from_pretrained(bert).eval()
    with torch.no_grad():
        expected = reference(IDS, attention_mask=MASK.long()).last_hidden_state
    tokens, first = PretrainedText(bert)(TEXTS), PretrainedText(bert, pooling="cls")(TEXTS)
    torch.testing.assert_close(tokens.x[MASK], expected[MASK])
    torch.testing.assert_close(tokens.pooled[1], expected[1, :2].mean(0))
    torch.testing.assert_close(first.pooled, expected[:, 0])


def test_a_run_is_loaded_without_the_folder(bert: str) -> None:
    encoder = PretrainedText(bert, train="lora", rank=2).eval()
    config = json.loads(json.dumps(encoder.config))
    other = PretrainedText("gone", train="lora", rank=2, weights=False, config=config).eval()
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(TEXTS).pooled, other(TEXTS).pooled)


def test_positions_that_are_counted_from_padding_ids() -> None:
    """RoBERTa tells real tokens by an id that our padding does not have."""
    network = {**TINY, "model_type": "roberta", "pad_token_id": 1}
    encoder = PretrainedText("roberta", config={"network": network}).eval()
    shorter = Field(IDS[1:, :2], torch.ones(1).bool(), MASK[1:, :2])
    torch.testing.assert_close(encoder(TEXTS).pooled[1:], encoder(shorter).pooled)
    assert encoder.limit == 10


def test_the_encoder_of_encoder_and_decoder() -> None:
    network = {
        "model_type": "t5",
        "vocab_size": 20,
        "d_model": 16,
        "d_kv": 8,
        "d_ff": 16,
        "num_layers": 2,
        "num_heads": 2,
    }
    encoder = PretrainedText("t5", config={"network": network})
    assert encoder(TEXTS).pooled.shape == (2, 16)
    assert not any("decoder" in name for name in encoder.state_dict())


def test_a_text_that_is_too_long(bert: str) -> None:
    long = Field(torch.ones(1, 13, dtype=torch.long), torch.ones(1).bool())
    with pytest.raises(RecipeError, match=r"13 tokens .* at most 12"):
        PretrainedText(bert)(long)


def test_the_last_layers(bert: str) -> None:
    encoder = PretrainedText(bert, train="full", layers=1)
    trained = {n.split(".")[4] for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained == {"1"}


def test_a_model_that_cannot_be_found(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'.*none' cannot be loaded: there is no folder"):
        PretrainedText(str(tmp_path / "none"))


@pytest.mark.parametrize("limit", [None, 8])
def test_preprocessing(bert: str, limit: int | None) -> None:
    with pytest.raises(RecipeError, match=r"tokenizer .* cannot be loaded"):
        PretrainedText.preprocessing(bert + "none")
    words = Tokenizer(WordLevel({"[PAD]": 0, "[UNK]": 1, "red": 2}, unk_token="[UNK]"))
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=limit)
    fast.save_pretrained(bert)
    wanted = PretrainedText.preprocessing(bert)
    # The network has 12 positions; a tokenizer may allow fewer.
    assert wanted["max_tokens"] == (limit or 12)
    assert Tokenizer.from_str(wanted["tokenizer"]).encode("red").ids == [2]
    assert set(wanted) == {"tokenizer", "max_tokens"}
