"""Pretrained image networks of timm and transformers."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from polymodal.backbone import (
    Backbone,
    Training,
    found,
    needed,
    plain_config,
    transformers_config,
    transformers_groups,
    transformers_network,
)
from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.pixels import PixelNormalisation
from polymodal.errors import RecipeError, nearest


class PretrainedImage(Encoder):
    """A network that has already seen many pictures, from timm or transformers.

    Tokens are the network's patches or places. The pooled vector is what a timm model would
    hand to its classifier, and the mean of the tokens of a transformers model. ``width`` is the
    network's own.

    *When to choose it*: photos, above all few of them. "frozen" for up to some hundred
    pictures or a quick answer, "lora" or "full" for thousands and a GPU.

    Args:
        model: a timm name ("resnet18.a1_in1k", "hf-hub:timm/..."), the name of a transformers
            vision model on the hub, or the folder of either.
        train: "frozen", "full" (all weights) or "lora" (small matrices beside linear layers).
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        weights: False builds the network without its weights, to be loaded from a saved run.
        config: ``config`` of a saved encoder; with it nothing is read from disk or hub.

    Raises:
        RecipeError: the model cannot be found, or an option does not fit it.
        MissingExtra: timm, transformers or peft is needed and not installed.

    Example:
        >>> import torch
        >>> pictures = torch.zeros(2, 3, 160, 160, dtype=torch.uint8)
        >>> encoder = PretrainedImage("test_resnet", weights=False)
        >>> encoder(Field(pictures, present=torch.ones(2).bool())).pooled.shape
        torch.Size([2, 96])
    """

    def __init__(
        self,
        model: str,
        *,
        train: Training = "frozen",
        layers: int | None = None,
        rank: int = 8,
        weights: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        weights = weights and config is None
        saved = config and config["network"]
        self.timm = config["library"] == "timm" if config else _timm_name(model) is not None
        network: Any
        if self.timm:
            network, description = _timm_network(model, saved, weights)
            groups, self.width = _timm_groups(network), network.num_features
        else:
            settings = transformers_config(model, saved)
            settings = getattr(settings, "vision_config", settings)
            network = transformers_network(model, settings, weights)
            description = plain_config(settings)
            groups = transformers_groups(network)
            sizes = getattr(settings, "hidden_sizes", None)  # of a hierarchical network
            self.width = sizes[-1] if sizes else settings.hidden_size
        wants = config["preprocessing"] if config else self.preprocessing(model)
        self.config = {
            "library": "timm" if self.timm else "transformers",
            "network": description,
            "preprocessing": wants,
        }
        """Plain JSON to keep with the weights: rebuilds the encoder without hub or folder."""
        self.normalise = PixelNormalisation(wants["channels"], wants["mean"], wants["std"])
        self.backbone = Backbone(network, train=train, layers=layers, rank=rank, groups=groups)

    @property
    def frozen(self) -> bool:
        """Whether the backbone is."""
        return self.backbone.frozen

    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return self.config

    @staticmethod
    def preprocessing(model: str) -> dict[str, Any]:
        """How pictures must be made: ``size``, ``mean``, ``std``, ``resize``, ``channels``.

        Args:
            model: as for the encoder.

        Raises:
            RecipeError: the model cannot be found.
            MissingExtra: timm or transformers is needed and not installed.
        """
        name = _timm_name(model)
        if name is not None:
            timm = needed("timm")
            with found(model, "configuration"):
                source, _, rest = name.rpartition(":")
                if source == "hf-hub":
                    cfg = timm.models.load_model_config_from_hf(rest)[0]
                elif source == "local-dir":
                    cfg = json.loads((Path(rest) / "config.json").read_text())["pretrained_cfg"]
                else:
                    cfg = timm.get_pretrained_cfg(name).to_dict()
            cfg = timm.data.resolve_data_config(pretrained_cfg=dict(cfg), verbose=False)
            return {
                "size": cfg["input_size"][-1],
                "mean": list(cfg["mean"]),
                "std": list(cfg["std"]),
                "resize": "stretch" if cfg["crop_mode"] == "squash" else "crop",
                "channels": 3,
            }
        processing = needed("transformers.image_processing_base")
        with found(model, "image processor"):
            cfg, _ = processing.ImageProcessingMixin.get_image_processor_dict(model)
        return wanted_pictures(cfg)

    def forward(self, field: Field) -> Tokens:
        """Pictures ``(U, 3, H, W)`` uint8 → tokens ``(U, T, D)``."""
        run = _run_timm if self.timm else _run_transformers
        x, pooled = self.backbone(run, self.normalise(field.values))
        return Tokens(x, None, pooled)


def wanted_pictures(cfg: dict[str, Any]) -> dict[str, Any]:
    """How pictures must be made, by the description of a transformers image processor."""
    size = cfg.get("size", 224)
    crop = bool(cfg.get("do_center_crop")) or (isinstance(size, dict) and "shortest_edge" in size)
    if cfg.get("do_center_crop"):
        size = cfg.get("crop_size", size)
    plain = not cfg.get("do_normalize", True)
    return {
        "size": size if isinstance(size, int) else next(iter(size.values())),
        "mean": [0.0] * 3 if plain else list(cfg.get("image_mean", [0.5] * 3)),
        "std": [1.0] * 3 if plain else list(cfg.get("image_std", [0.5] * 3)),
        "resize": "crop" if crop else "stretch",
        "channels": 3,
    }


def _timm_name(model: str) -> str | None:
    """The name by which timm knows the model; None if it is one for transformers."""
    if model.startswith(("hf-hub:", "local-dir:")):
        return model
    if model.startswith("timm/"):
        return f"hf-hub:{model}"
    folder = Path(model)
    if folder.is_dir():
        with found(model, "configuration"):
            described = json.loads((folder / "config.json").read_text())
        return f"local-dir:{model}" if "architecture" in described else None
    if "/" in model:
        return None
    timm = needed("timm")
    if not timm.is_model(model):
        raise RecipeError(
            f"There is no pretrained image model {model!r}: neither a folder nor a timm model. "
            f"{nearest(model, difflib.get_close_matches(model, timm.list_models(), n=5))}"
        )
    return model


def _timm_network(
    model: str, saved: dict[str, Any] | None, weights: bool
) -> tuple[Any, dict[str, Any]]:
    timm = needed("timm")
    if saved is None:
        name = _timm_name(model)
        with found(model, "weights" if weights else "configuration"):
            network = timm.create_model(name, pretrained=weights, num_classes=0)
        saved = {
            "architecture": network.pretrained_cfg["architecture"],
            "pretrained_cfg": network.pretrained_cfg,
            "arguments": {**getattr(network, "_model_args", {}), "num_classes": 0},
        }
        return network, json.loads(json.dumps(saved))
    network = timm.create_model(
        saved["architecture"], pretrained_cfg=dict(saved["pretrained_cfg"]), **saved["arguments"]
    )
    return network, saved


def _timm_groups(network: Any) -> list[list[nn.Parameter]]:
    models = needed("timm.models")
    parameters = dict(network.named_parameters())
    named = models.group_parameters(network, network.group_matcher())
    return [[parameters[name] for name in named[i]] for i in sorted(named)]


def _run_timm(network: Any, pictures: Tensor) -> tuple[Tensor, Tensor]:
    features = network.forward_features(pictures)
    x = _as_tokens(features, last=getattr(network, "output_fmt", "NCHW") == "NHWC")
    pooled = network.forward_head(features, pre_logits=True)
    return x, pooled if pooled.shape[-1] == x.shape[-1] else x.mean(1)


def _run_transformers(network: nn.Module, pictures: Tensor) -> tuple[Tensor, Tensor]:
    x = _as_tokens(network(pixel_values=pictures).last_hidden_state, last=False)
    return x, x.mean(1)


def _as_tokens(features: Tensor, *, last: bool) -> Tensor:
    if features.ndim == 3:
        return features
    return features.flatten(1, 2) if last else features.flatten(2).transpose(1, 2)
