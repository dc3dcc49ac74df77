"""Pretrained video networks of transformers."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
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
from polymodal.encoders.masking import real_values, token_mask
from polymodal.encoders.pixels import PixelNormalisation
from polymodal.encoders.pretrained_image import wanted_pictures
from polymodal.errors import RecipeError


class _Family(NamedTuple):
    """How the networks of a kind are called.

    Args:
        frames: the name of their number of frames.
        pixels: the name of their input.
        summary: whether the first token is one of the whole clip.
        by_place: whether the tokens of one place follow each other, not those of one frame.
        part: the part of the network that reads; "" for all of it.
    """

    frames: str = "num_frames"
    pixels: str = "pixel_values"
    summary: bool = False
    by_place: bool = False
    part: str = ""


FAMILIES = {
    "videomae": _Family(),
    "timesformer": _Family(summary=True, by_place=True),
    "vivit": _Family(summary=True),
    "vjepa2": _Family("frames_per_clip", "pixel_values_videos", part="encoder"),
}


class PretrainedVideo(Encoder):
    """A network that has already seen many videos, from transformers.

    VideoMAE (Tong 2022), TimeSformer (Bertasius 2021), ViViT (Arnab 2021), V-JEPA 2 (Assran 2025).
    A clip with another number of frames than the network's is sampled evenly, or its frames are
    repeated. A token is a stretch of time; the pooled vector is the network's own summary, or
    the mean of the tokens. ``width`` is the network's own.

    *When to choose it*: a few hundred clips of what people do, and a GPU or patience: frozen, its
    vectors are computed once.

    Args:
        model: the name of a transformers video model on the hub ("MCG-NJU/videomae-base",
            "facebook/timesformer-base-finetuned-k400", "facebook/vjepa2-vitl-fpc64-256"), or its
            folder.
        train: "frozen", "full" (all weights) or "lora" (small matrices beside linear layers).
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        weights: False builds the network without its weights, to be loaded from a saved run.
        config: ``config`` of a saved encoder; with it nothing is read from disk or hub.

    Raises:
        RecipeError: the model cannot be found, is not of a known kind, or an option does not fit.
        MissingExtra: transformers or peft is needed and not installed.

    Example:
        >>> network = dict(model_type="videomae", image_size=16, patch_size=8, num_frames=4,
        ...                hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        ...                intermediate_size=8)
        >>> pictures = {"size": 16, "mean": [0.5] * 3, "std": [0.5] * 3, "resize": "crop",
        ...             "channels": 3}
        >>> encoder = PretrainedVideo("x", config={"network": network, "preprocessing": pictures})
        >>> clips = torch.zeros(2, 9, 3, 16, 16, dtype=torch.uint8)
        >>> encoder(Field(clips, present=torch.ones(2).bool())).x.shape
        torch.Size([2, 2, 8])
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
        settings = transformers_config(model, config and config["network"])
        self.family = _family(model, settings)
        network: Any = transformers_network(model, settings, weights and config is None)
        network = getattr(network, self.family.part) if self.family.part else network
        wants = config["preprocessing"] if config else self.preprocessing(model)
        self.config = {"network": plain_config(settings), "preprocessing": wants}
        """Plain JSON to keep with the weights: rebuilds the encoder without hub or folder."""
        self.frames = getattr(settings, self.family.frames)
        self.width = settings.hidden_size
        self.normalise = PixelNormalisation(wants["channels"], wants["mean"], wants["std"])
        groups = transformers_groups(network)
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
        """How videos must be made: ``frames``, and what :class:`PretrainedImage` says of pictures.

        Args:
            model: as for the encoder.

        Raises:
            RecipeError: the model cannot be found, or is not of a known kind.
            MissingExtra: transformers is needed and not installed.
        """
        settings = transformers_config(model, None)
        family = _family(model, settings)
        processing = needed("transformers.video_processing_utils")
        with found(model, "video processor"):
            described, _ = processing.BaseVideoProcessor.get_video_processor_dict(model)
        return wanted_pictures(described) | {"frames": getattr(settings, family.frames)}

    def forward(self, field: Field) -> Tokens:
        """Frames ``(U, T, 3, H, W)`` uint8, mask ``(U, T)`` → tokens ``(U, T', D)``."""
        clips = self._sampled(real_values(field), token_mask(field))
        pixels = self.normalise(clips.flatten(0, 1)).unflatten(0, clips.shape[:2])
        x = self.backbone(self._run, pixels)
        summary, x = (x[:, 0], x[:, 1:]) if self.family.summary else (None, x)
        if self.family.by_place:
            x = x.unflatten(1, (-1, self.frames)).mean(1)
        else:
            steps = self.frames // _stretch(self.config["network"])
            x = x.unflatten(1, (steps, -1)).mean(2)
        return Tokens(x, None, x.mean(1) if summary is None else summary)

    def _sampled(self, frames: Tensor, mask: Tensor) -> Tensor:
        """As many frames as the network wants, evenly from the real ones of each clip."""
        middles = (torch.arange(self.frames, device=mask.device) + 0.5) / self.frames
        places = (middles * mask.sum(1, keepdim=True)).long()  # (U, frames)
        return frames[torch.arange(len(frames), device=mask.device)[:, None], places]

    def _run(self, network: nn.Module, pixels: Tensor) -> Tensor:
        return network(**{self.family.pixels: pixels}).last_hidden_state


def _family(model: str, settings: Any) -> _Family:
    if settings.model_type not in FAMILIES:
        raise RecipeError(
            f"The pretrained model {model!r} is a {settings.model_type!r}, which is not a video "
            f"network that is known here: {', '.join(FAMILIES)}."
        )
    return FAMILIES[settings.model_type]


def _stretch(network: dict[str, Any]) -> int:
    """How many frames one step of tokens covers."""
    size = network["tubelet_size"]
    return size if isinstance(size, int) else size[0]
