import json
from pathlib import Path

import pytest
import torch
import transformers

from polymodal.batch import Field
from polymodal.encoders import PretrainedAudio
from polymodal.errors import RecipeError

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "conv_dim": [8, 8],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
WHISPER = {
    "vocab_size": 20,
    "d_model": 16,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "num_mel_bins": 8,
    "max_source_positions": 50,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


@pytest.fixture
def wav2vec2(tmp_path: Path) -> str:
    torch.manual_seed(0)
    model = transformers.Wav2Vec2Model(transformers.Wav2Vec2Config(**TINY))
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000).save_pretrained(tmp_path)
    return str(tmp_path)


@pytest.fixture
def whisper(tmp_path: Path) -> str:
    torch.manual_seed(0)
    transformers.WhisperModel(transformers.WhisperConfig(**WHISPER)).save_pretrained(tmp_path)
    extractor = transformers.WhisperFeatureExtractor(feature_size=8, chunk_length=1)
    extractor.save_pretrained(tmp_path)
    return str(tmp_path)


def test_it_equals_the_model_and_its_extractor(wav2vec2: str) -> None:
    wave = torch.randn(400)
    extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(wav2vec2)
    reference = transformers.Wav2Vec2Model.from_pretrained(wav2vec2).eval()
    with torch.no_grad():
        values = extractor(wave.numpy(), sampling_rate=8000, return_tensors="pt").input_values
        expected = reference(values).last_hidden_state
    tokens = PretrainedAudio(wav2vec2)(Field(wave[None], torch.tensor([True])))
    torch.testing.assert_close(tokens.x, expected, atol=1e-5, rtol=1e-4)


def test_whisper_equals_the_model_and_its_extractor(whisper: str) -> None:
    wave = 0.1 * torch.randn(16000)
    extractor = transformers.WhisperFeatureExtractor.from_pretrained(whisper)
    reference = transformers.WhisperModel.from_pretrained(whisper).eval()
    with torch.no_grad():
        mels = extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_features
        expected = reference.encoder(mels).last_hidden_state
    tokens = PretrainedAudio(whisper)(Field(wave[None], torch.tensor([True])))
    torch.testing.assert_close(tokens.x, expected, atol=1e-5, rtol=1e-4)


def test_a_token_of_whisper_stands_for_20_ms(whisper: str) -> None:
    mask = torch.arange(1000) < torch.tensor([[1000], [320]])
    tokens = PretrainedAudio(whisper)(Field(torch.zeros(2, 1000), torch.ones(2).bool(), mask))
    assert tokens.mask is not None and tokens.mask.sum(1).tolist() == [4, 1]


def test_a_run_is_loaded_without_the_folder(whisper: str) -> None:
    encoder, field = PretrainedAudio(whisper), Field(torch.randn(1, 500), torch.tensor([True]))
    config = json.loads(json.dumps(encoder.config))
    other = PretrainedAudio("gone", weights=False, config=config)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(field).pooled, other(field).pooled)


def test_16_bit_samples_are_the_same_sound(wav2vec2: str) -> None:
    pcm = torch.randint(-9000, 9000, (1, 400), dtype=torch.int16)
    encoder, here = PretrainedAudio(wav2vec2), torch.tensor([True])
    torch.testing.assert_close(
        encoder(Field(pcm, here)).pooled, encoder(Field(pcm / 32768, here)).pooled
    )


def test_a_sound_too_long_for_whisper(whisper: str) -> None:
    sound = Field(torch.zeros(1, 24000), torch.tensor([True]))
    with pytest.raises(RecipeError, match=r"1\.5 s came to Whisper, which hears at most 1 s"):
        PretrainedAudio(whisper)(sound)


def test_another_kind_of_model(tmp_path: Path) -> None:
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(RecipeError, match="model of type 'bert'"):
        PretrainedAudio(str(tmp_path))


def test_preprocessing(wav2vec2: str) -> None:
    assert PretrainedAudio.preprocessing(wav2vec2) == {"form": "waveform", "rate": 8000}


def test_a_model_that_cannot_be_found(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="feature extractor of the pretrained model"):
        PretrainedAudio.preprocessing(str(tmp_path / "none"))
