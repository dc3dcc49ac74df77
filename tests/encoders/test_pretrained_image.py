import json
from pathlib import Path

import pytest
import timm
import torch
import transformers

from polymodal.batch import Field
from polymodal.encoders import PretrainedImage
from polymodal.errors import RecipeError

TINY = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "image_size": 16,
    "patch_size": 8,
}


def pictures(size: int) -> Field:
    return Field(torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8), torch.ones(2).bool())


@pytest.fixture
def vit(tmp_path: Path) -> str:
    torch.manual_seed(0)
    folder = tmp_path / "vit"
    transformers.ViTModel(transformers.ViTConfig(**TINY)).save_pretrained(folder)
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 16, "width": 16},
        "image_mean": [0.1, 0.2, 0.3],
        "image_std": [0.4, 0.5, 0.6],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return str(folder)


def test_a_folder_of_transformers(vit: str) -> None:
    field = pictures(16)
    tokens = PretrainedImage(vit)(field)
    reference = transformers.ViTModel.from_pretrained(vit).eval()
    mean = torch.tensor([0.1, 0.2, 0.3])[:, None, None]
    std = torch.tensor([0.4, 0.5, 0.6])[:, None, None]
    with torch.no_grad():
        expected = reference((field.values / 255 - mean) / std).last_hidden_state
    torch.testing.assert_close(tokens.x, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(tokens.pooled, expected.mean(1), atol=1e-5, rtol=1e-5)


def test_a_run_is_loaded_without_the_folder(vit: str) -> None:
    encoder, field = PretrainedImage(vit), pictures(16)
    config = json.loads(json.dumps(encoder.config))
    other = PretrainedImage("the folder is gone", weights=False, config=config)
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(field).pooled, other(field).pooled)


def test_a_folder_of_timm(tmp_path: Path) -> None:
    network = timm.create_model("test_vit", num_classes=0)
    cfg = {**network.pretrained_cfg, "mean": [0.1] * 3, "crop_mode": "squash"}
    described = {"architecture": "test_vit", "num_classes": 0, "pretrained_cfg": cfg}
    (tmp_path / "config.json").write_text(json.dumps(described))
    torch.save(network.state_dict(), tmp_path / "pytorch_model.bin")
    encoder, field = PretrainedImage(str(tmp_path)), pictures(160)
    for name, value in network.state_dict().items():
        assert torch.equal(encoder.backbone.network.state_dict()[name], value)
    assert PretrainedImage.preprocessing(str(tmp_path))["resize"] == "stretch"
    other = PretrainedImage("gone", config=json.loads(json.dumps(encoder.config)))
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(encoder(field).pooled, other(field).pooled)


def test_the_last_blocks_of_timm() -> None:
    encoder = PretrainedImage("test_resnet", weights=False, train="full", layers=1)
    trained = {n.split(".")[2] for n, p in encoder.named_parameters() if p.requires_grad}
    assert trained == {"layer4"}


def test_a_picture_tower_of_clip(tmp_path: Path) -> None:
    tower = {**TINY, "projection_dim": 8}
    text = {k: v for k, v in tower.items() if k not in ("image_size", "patch_size")}
    both = transformers.CLIPConfig(vision_config=tower, text_config={**text, "vocab_size": 20})
    model = transformers.CLIPModel(both)
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"size": {"shortest_edge": 20}, "do_center_crop": True, "crop_size": 16})
    )
    encoder = PretrainedImage(str(tmp_path))
    ours, theirs = encoder.backbone.network.state_dict(), model.vision_model.state_dict()
    assert len(ours) == len(theirs)
    for name, value in theirs.items():
        assert any(torch.equal(v, value) for n, v in ours.items() if n.endswith(name)), name


def test_preprocessing() -> None:
    assert PretrainedImage.preprocessing("test_resnet") == {
        "size": 160,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "resize": "crop",
        "channels": 3,
    }


def test_preprocessing_of_transformers(vit: str) -> None:
    assert PretrainedImage.preprocessing(vit) == {
        "size": 16,
        "mean": [0.1, 0.2, 0.3],
        "std": [0.4, 0.5, 0.6],
        "resize": "stretch",
        "channels": 3,
    }


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(RecipeError, match="Did you mean 'resnet18'"):
        PretrainedImage("resnet81")


def test_a_folder_without_its_files(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="configuration of the pretrained model"):
        PretrainedImage(str(tmp_path))
