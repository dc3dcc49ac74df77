"""What every encoder promises, checked for every encoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from polymodal import encoders as rooms
from polymodal.batch import Field, Tokens
from polymodal.data.modalities import MODALITIES
from polymodal.encoders import ENCODERS, TABLE_ENCODERS

BERT = {
    "model_type": "bert",
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 32,
}
WAVES = {
    "model_type": "wav2vec2",
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
    "model_type": "whisper",
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
WAVE_READER = {"sampling_rate": 16000, "do_normalize": True}
MEL_READER = {
    "feature_extractor_type": "WhisperFeatureExtractor",
    "feature_size": 8,
    "sampling_rate": 16000,
    "hop_length": 160,
    "chunk_length": 1,
    "n_fft": 400,
}
VIT = {
    "library": "transformers",
    "network": {
        "model_type": "vit",
        "image_size": 16,
        "patch_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    },
    "preprocessing": {
        "size": 16,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "resize": "stretch",
        "channels": 3,
    },
}


VIDEO_BACKBONES = {
    "videomae": {"num_frames": 4, "tubelet_size": 2},
    "timesformer": {"num_frames": 4},
    "vivit": {"num_frames": 4, "tubelet_size": [2, 8, 8]},
    "vjepa2": {"frames_per_clip": 4, "crop_size": 16, "mlp_ratio": 1, "pred_hidden_size": 24,
               "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1},
}  # fmt: skip


def video_backbone(kind: str) -> dict[str, Any]:
    """The configuration of a tiny network of a kind."""
    # V-JEPA 2 parts the size of a head among time, height and width, in pairs.
    size = 24 if kind == "vjepa2" else 16
    sizes = {"hidden_size": size, "num_attention_heads": 2, "intermediate_size": 16}
    network = {"model_type": kind, "image_size": 16, "patch_size": 8, "num_hidden_layers": 2}
    return {
        "network": {**network, **sizes, **VIDEO_BACKBONES[kind]},
        "preprocessing": VIT["preprocessing"],
    }


def images(size: int) -> Callable[[], Field]:
    def make() -> Field:
        pixels = torch.randint(0, 256, (4, 3, size, size), dtype=torch.uint8)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return Field(pixels, torch.ones(4, dtype=torch.bool))

    return make


def ragged(lengths: list[int], values: Callable[[int], Tensor]) -> Callable[[], Field]:
    def make() -> Field:
        longest = max(lengths)
        mask = torch.arange(longest) < torch.tensor(lengths)[:, None]
        cells = torch.stack([values(longest) for _ in lengths])
        return Field(cells, torch.ones(len(lengths), dtype=torch.bool), mask)

    return make


texts = ragged([5, 1, 3, 0], lambda n: torch.randint(0, 20, (n,)))
sounds = ragged([29, 1, 8, 17], lambda n: torch.randn(n, 16).half())
clouds = ragged([9, 1, 5, 0], lambda n: torch.randn(n, 4))
waves = ragged([900, 3, 400, 400], lambda n: 0.1 * torch.randn(n))
pcm = ragged([900, 1, 400, 640], lambda n: torch.randint(-9000, 9000, (n,), dtype=torch.int16))
clips = ragged([5, 1, 3, 4], lambda n: torch.randint(0, 256, (n, 3, 16, 16), dtype=torch.uint8))
passages = ragged([3, 1, 2, 0], lambda n: torch.randint(0, 20, (n, 6)))
PRESENT = torch.tensor([True, True, False, True])


def gapped(steps: int) -> Tensor:
    """Three channels with a gap in each of two."""
    values = 2 + 3 * torch.randn(steps, 3)
    values[steps // 3 : steps // 2, 0] = torch.nan
    values[0, 2] = torch.nan
    return values


series = ragged([29, 1, 8, 17], gapped)
SERIES = {"channels": 3, "mean": [2.0, 2.0, 0.0], "std": [3.0, 3.0, 1.0], "width": 16}


def row(build: type) -> nn.Module:
    return build(
        {"n": rooms.NumberEncoder(), "k.x": rooms.CategoryEncoder(5), "t": rooms.TagsEncoder(3)},
        width=16,
    )


def columns() -> dict[str, Field]:
    numbers = torch.tensor([0.5, -3.0, torch.nan, 1e9])
    return {
        "n": Field(numbers, PRESENT),
        "k.x": Field(torch.tensor([4, 0, 0, 2]), PRESENT.flip(0)),
        "t": Field(torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1]]), PRESENT),
    }


@dataclass(frozen=True)
class Case:
    kind: type
    build: Callable[[], Any]
    field: Callable[[], Any]
    width: int = 16


def pretrained(kind: type, config: dict[str, Any], field: Any, width: int = 16, **options: Any):
    return Case(kind, lambda: kind("saved", config=config, **options), field, width)


TIMM = "test_resnet"
STABLE = {**WAVES, "feat_extract_norm": "layer", "do_stable_layer_norm": True}
CASES = {
    "cnn": Case(rooms.Cnn, lambda: rooms.Cnn(3, 20, width=16, base=4), images(20)),
    "resnet": Case(rooms.ResNet, lambda: rooms.ResNet(3, 20, width=16, base=4), images(20)),
    "vision_transformer": Case(
        rooms.VisionTransformer,
        lambda: rooms.VisionTransformer(3, 20, width=16, depth=2),
        images(20),
    ),
    "bag_of_tokens": Case(rooms.BagOfTokens, lambda: rooms.BagOfTokens(20, width=16), texts),
    "as_is_text": Case(rooms.AsIs, rooms.AsIs, texts, 1),
    "as_is_image": Case(rooms.AsIs, lambda: rooms.AsIs(20), images(20), 20),
    "as_is_gallery": Case(rooms.AsIs, lambda: rooms.AsIs(16), clips, 16),
    "patches": Case(rooms.Patches, lambda: rooms.Patches(3, 20, width=16), images(20)),
    "token_embedding": Case(
        rooms.TokenEmbedding, lambda: rooms.TokenEmbedding(20, width=16), texts
    ),
    "text_gru": Case(rooms.TextRnn, lambda: rooms.TextRnn(20, width=16, depth=2), texts),
    "text_lstm": Case(rooms.TextRnn, lambda: rooms.TextRnn(20, width=16, cell="lstm"), texts),
    "text_one_way": Case(
        rooms.TextRnn, lambda: rooms.TextRnn(20, width=16, bidirectional=False), texts
    ),
    "text_transformer": Case(
        rooms.TextTransformer, lambda: rooms.TextTransformer(20, width=16), texts
    ),
    "spectrogram_cnn": Case(
        rooms.SpectrogramCnn, lambda: rooms.SpectrogramCnn(16, -1, 2, width=16, base=4), sounds
    ),
    "spectrogram_rnn": Case(
        rooms.SpectrogramRnn, lambda: rooms.SpectrogramRnn(16, -1, 2, width=16, base=4), sounds
    ),
    "spectrogram_transformer": Case(
        rooms.SpectrogramTransformer,
        lambda: rooms.SpectrogramTransformer(16, -1, 2, width=16, base=4),
        sounds,
    ),
    "frames": Case(rooms.Frames, lambda: rooms.Frames(16, -1, 2, width=16), sounds),
    "series_cnn": Case(rooms.SeriesCnn, lambda: rooms.SeriesCnn(**SERIES, base=8), series),
    "series_gru": Case(rooms.SeriesRnn, lambda: rooms.SeriesRnn(**SERIES, depth=2), series),
    "series_lstm": Case(
        rooms.SeriesRnn,
        lambda: rooms.SeriesRnn(**SERIES, cell="lstm", bidirectional=False),
        series,
    ),
    "stretches": Case(rooms.Stretches, lambda: rooms.Stretches(**SERIES, patch=5), series),
    "patch_transformer": Case(
        rooms.PatchTransformer, lambda: rooms.PatchTransformer(**SERIES, depth=2), series
    ),
    "vector": Case(
        rooms.VectorMlp,
        lambda: rooms.VectorMlp(5, [1.0] * 5, [2.0] * 5, width=16),
        lambda: Field(torch.randn(4, 5), torch.ones(4, dtype=torch.bool)),
    ),
    "timestamp": Case(
        rooms.TimestampEncoder,
        lambda: rooms.TimestampEncoder(19000.0, 400.0, width=16),
        lambda: Field(
            torch.tensor([[19782, 43200], [0, 1], [5, 5], [-719162, 86399]], dtype=torch.int32),
            PRESENT,
        ),
    ),
    "geo": Case(
        rooms.GeoEncoder,
        lambda: rooms.GeoEncoder([0.6, 0.1, 0.7], [0.1, 0.2, 0.3], width=16),
        lambda: Field(torch.tensor([[48, 11.5], [-90, 0], [torch.nan, 1], [0, -180]]), PRESENT),
    ),
    "pointnet": Case(rooms.PointNet, lambda: rooms.PointNet(4, width=16, base=8, tokens=4), clouds),
    "set_transformer": Case(
        rooms.SetTransformer,
        lambda: rooms.SetTransformer(4, spread=2.0, width=16, base=8, heads=2, inducing=3),
        clouds,
    ),
    "birds_eye_view": Case(
        rooms.BirdsEyeView, lambda: rooms.BirdsEyeView(4, width=16, size=12, base=4), clouds
    ),
    "frame_sequence": Case(
        rooms.FrameSequence, lambda: rooms.FrameSequence(3, 16, width=16, base=4), clips
    ),
    "frame_sequence_motion": Case(
        rooms.FrameSequence,
        lambda: rooms.FrameSequence(
            3, 16, width=16, frame="resnet", base=4, motion="only", temporal="attention"
        ),
        clips,
    ),
    "frame_sequence_patches": Case(
        rooms.FrameSequence,
        lambda: rooms.FrameSequence(
            3, 16, width=16, frame="vision_transformer", motion="none", temporal="transformer"
        ),
        clips,
    ),
    "cnn3d": Case(rooms.Cnn3d, lambda: rooms.Cnn3d(3, 16, width=16, base=4), clips),
    "cnn3d_motion": Case(
        rooms.Cnn3d,
        lambda: rooms.Cnn3d(3, 40, width=16, base=4, depth=2, motion="only"),
        ragged([5, 1, 3, 4], lambda n: torch.randint(0, 256, (n, 3, 40, 40), dtype=torch.uint8)),
    ),
    "space_time_transformer": Case(
        rooms.SpaceTimeTransformer,
        lambda: rooms.SpaceTimeTransformer(3, 16, width=16, depth=2),
        clips,
    ),
    "picture_set": Case(rooms.PictureSet, lambda: rooms.PictureSet(3, 16, width=16, base=4), clips),
    "picture_set_ordered": Case(
        rooms.PictureSet,
        lambda: rooms.PictureSet(3, 16, None, None, True, width=16, base=4, together="transformer"),
        clips,
    ),
    "text_set": Case(rooms.TextSet, lambda: rooms.TextSet(20, width=16), passages),
    "text_set_ordered": Case(
        rooms.TextSet,
        lambda: rooms.TextSet(20, True, width=16, text="transformer", together="gru"),
        passages,
    ),
    **{
        kind: pretrained(
            rooms.PretrainedVideo,
            video_backbone(kind),
            clips,
            24 if kind == "vjepa2" else 16,
            train="full",
        )
        for kind in VIDEO_BACKBONES
    },
    "videomae_frozen": pretrained(rooms.PretrainedVideo, video_backbone("videomae"), clips),
    "vit_frames": pretrained(rooms.PretrainedPictures, VIT, clips, train="full", together="gru"),
    "vit_frames_frozen": pretrained(rooms.PretrainedPictures, VIT, clips),
    "number": Case(
        rooms.NumberEncoder,
        lambda: rooms.NumberEncoder(1.0, 2.0, width=16),
        lambda: columns()["n"],
    ),
    "log_number": Case(
        rooms.NumberEncoder,
        lambda: rooms.NumberEncoder(1.0, 2.0, True, width=16),
        lambda: columns()["n"],
    ),
    "category": Case(
        rooms.CategoryEncoder,
        lambda: rooms.CategoryEncoder(5, width=16),
        lambda: columns()["k.x"],
    ),
    "tags": Case(rooms.TagsEncoder, lambda: rooms.TagsEncoder(3, width=16), lambda: columns()["t"]),
    "tabular_transformer": Case(
        rooms.TabularTransformer, lambda: row(rooms.TabularTransformer), columns
    ),
    "column_tokens": Case(rooms.ColumnTokens, lambda: row(rooms.ColumnTokens), columns),
    "mlp": Case(rooms.TabularMlp, lambda: row(rooms.TabularMlp), columns),
    "timm": Case(
        rooms.PretrainedImage,
        lambda: rooms.PretrainedImage(TIMM, weights=False, train="full"),
        images(64),
        96,
    ),
    "timm_frozen": Case(
        rooms.PretrainedImage,
        lambda: rooms.PretrainedImage(TIMM, weights=False),
        images(64),
        96,
    ),
    "vit": pretrained(rooms.PretrainedImage, VIT, images(16), train="full"),
    "vit_lora": pretrained(rooms.PretrainedImage, VIT, images(16), train="lora", rank=2),
    "bert": pretrained(rooms.PretrainedText, {"network": BERT}, texts, train="full"),
    "bert_cls": pretrained(
        rooms.PretrainedText, {"network": BERT}, texts, train="full", pooling="cls", layers=1
    ),
    "bert_frozen": pretrained(rooms.PretrainedText, {"network": BERT}, texts),
    "wav2vec2": pretrained(
        rooms.PretrainedAudio, {"network": WAVES, "extractor": WAVE_READER}, waves, train="full"
    ),
    "wav2vec2_masked": pretrained(
        rooms.PretrainedAudio, {"network": STABLE, "extractor": WAVE_READER}, waves, train="full"
    ),
    "hubert_pcm": pretrained(
        rooms.PretrainedAudio,
        {"network": {**WAVES, "model_type": "hubert"}, "extractor": WAVE_READER},
        pcm,
        train="full",
    ),
    "whisper": pretrained(
        rooms.PretrainedAudio, {"network": WHISPER, "extractor": MEL_READER}, waves, train="full"
    ),
}
RAGGED = [name for name, case in CASES.items() if getattr(case.field(), "mask", None) is not None]


def everywhere(field: Any, change: Callable[[Field], Field]) -> Any:
    """Change a field, or each field of a table encoder."""
    if isinstance(field, dict):
        return {name: change(f) for name, f in field.items()}
    return change(field)


def rows_of(field: Field, rows: Tensor) -> Field:
    mask = None if field.mask is None else field.mask[rows]
    return Field(field.values[rows], field.present[rows], mask)


def same(a: Tokens, b: Tokens) -> None:
    """The same real tokens (``b`` may have more padding) and the same pooled vectors."""
    torch.testing.assert_close(a.pooled, b.pooled, atol=1e-5, rtol=1e-5)
    if a.mask is None:
        torch.testing.assert_close(a.x, b.x, atol=1e-5, rtol=1e-5)
        return
    short = min(a.x.shape[1], b.x.shape[1])
    for tokens in (a, b):
        assert not tokens.mask[:, short:].any()
    assert torch.equal(a.mask[:, :short], b.mask[:, :short])
    real = a.mask[:, :short]
    torch.testing.assert_close(a.x[:, :short][real], b.x[:, :short][real], atol=1e-5, rtol=1e-5)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    torch.manual_seed(0)
    return CASES[request.param]


def test_every_encoder_has_a_case() -> None:
    known = {kind for classes in ENCODERS.values() for kind in classes.values()}
    assert known | set(TABLE_ENCODERS.values()) == {case.kind for case in CASES.values()}


def test_shapes(case: Case) -> None:
    encoder, field = case.build(), case.field()
    tokens = encoder(field)
    assert encoder.width == case.width
    assert tokens.x.shape == (4, tokens.x.shape[1], case.width)
    assert tokens.pooled.shape == (4, case.width)
    assert tokens.x.isfinite().all() and tokens.pooled.isfinite().all()
    if tokens.mask is not None:
        assert tokens.mask.shape == tokens.x.shape[:2] and tokens.mask.dtype == torch.bool


def test_gradient_reaches_every_parameter(case: Case) -> None:
    encoder = case.build().train()
    tokens = encoder(case.field())
    loss = (tokens.pooled * torch.randn_like(tokens.pooled)).sum()
    loss = loss + (tokens.x * torch.randn_like(tokens.x)).sum()
    wanted = {n: p for n, p in encoder.named_parameters() if p.requires_grad}
    if not wanted:
        assert not loss.requires_grad
        return
    loss.backward()
    # Some gradients are there but zero: of a LoRA pair the second matrix starts at zero and
    # holds back the first, as timm's last norm of a block does; a key's bias never matters.
    unreached = [n for n, p in wanted.items() if p.grad is None or not p.grad.isfinite().all()]
    assert not unreached
    if case.kind is not rooms.PretrainedImage:
        zero = [n for n, p in wanted.items() if not p.grad.any()]
        assert not [n for n in zero if not n.endswith(("key.bias", "k_proj.bias"))]


def test_one_cell_can_be_trained_on(case: Case) -> None:
    one = everywhere(case.field(), lambda f: rows_of(f, torch.tensor([1])))
    assert case.build().train()(one).pooled.isfinite().all()


def test_the_batch_does_not_matter(case: Case) -> None:
    encoder, field = case.build().eval(), case.field()
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        together = encoder(field)
        same(together.take(order), encoder(everywhere(field, lambda f: rows_of(f, order))))
        for i in range(4):
            rows = torch.tensor([i])
            alone = encoder(everywhere(field, lambda f, rows=rows: rows_of(f, rows)))
            same(together.take(rows), alone)


def more_padding(field: Field) -> Field:
    """Other content in the padding, and seven steps more of it."""
    assert field.mask is not None
    shape = (len(field.values), 7, *field.values.shape[2:])
    extra = torch.full(shape, 9, dtype=field.values.dtype)
    mask = torch.cat([field.mask, torch.zeros(shape[:2], dtype=torch.bool)], 1)
    values = torch.cat([field.values, extra], 1)
    junk = torch.nan if values.is_floating_point() else 9
    values = torch.where(mask.reshape(*mask.shape, *[1] * (values.ndim - 2)), values, junk)
    return Field(values, field.present, mask)


@pytest.mark.parametrize("name", RAGGED)
def test_padding_does_not_matter(name: str) -> None:
    torch.manual_seed(0)
    encoder, field = CASES[name].build().eval(), CASES[name].field()
    with torch.no_grad():
        same(encoder(field), encoder(more_padding(field)))


@pytest.mark.parametrize("name", RAGGED)
def test_without_a_mask_all_is_real(name: str) -> None:
    torch.manual_seed(0)
    encoder, field = CASES[name].build().eval(), rows_of(CASES[name].field(), torch.tensor([0]))
    assert field.mask is not None and field.mask.all()
    with torch.no_grad():
        same(encoder(field), encoder(replace(field, mask=None)))


def test_absent_content_does_not_matter(case: Case) -> None:
    if case.kind not in {
        *(k for m, kind in MODALITIES.items() if kind.tabular for k in ENCODERS[m].values()),
        *TABLE_ENCODERS.values(),
    }:
        pytest.skip("absent cells of media never reach the encoder")

    def garbage(field: Field) -> Field:
        junk = torch.nan if field.values.is_floating_point() else 10**6
        present = field.present.reshape(-1, *[1] * (field.values.ndim - 1))
        return replace(field, values=torch.where(present, field.values, junk))

    encoder, field = case.build().eval(), case.field()
    same(encoder(field), encoder(everywhere(field, garbage)))
    gone = encoder(everywhere(everywhere(field, Field.absent), garbage))
    assert gone.x.isfinite().all() and gone.pooled.isfinite().all()
    gone.pooled.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_saved_and_loaded_is_bit_equal(case: Case, tmp_path: Any) -> None:
    encoder, field = case.build(), case.field()
    encoder.train()(field)  # so that statistics of normalisation layers are not their defaults
    encoder.eval()
    save_file(encoder.state_dict(), tmp_path / "weights.safetensors")
    torch.manual_seed(1)
    other = case.build().eval()
    other.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    with torch.no_grad():
        assert torch.equal(encoder(field).pooled, other(field).pooled)


def test_bfloat16(case: Case) -> None:
    encoder, field = case.build().train(), case.field()
    with torch.autocast("cpu", torch.bfloat16):
        tokens = encoder(field)
    loss = tokens.x.float().sum() + tokens.pooled.float().sum()
    assert loss.isfinite()
    if loss.requires_grad:
        loss.backward()


def test_deterministic(case: Case) -> None:
    field = case.field()
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(case.build().train()(field).pooled)
    assert torch.equal(*results)
