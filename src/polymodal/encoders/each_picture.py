"""An image encoder at work on every picture of a list, and on every frame of a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from polymodal.batch import Field
from polymodal.encoders.cnn import Cnn
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import real_values, token_mask
from polymodal.encoders.resnet import ResNet
from polymodal.encoders.vision_transformer import VisionTransformer
from polymodal.errors import RecipeError, nearest

PictureNetwork: TypeAlias = Literal["cnn", "resnet", "vision_transformer"]
NETWORKS: dict[str, type[Cnn] | type[ResNet] | type[VisionTransformer]] = {
    "cnn": Cnn,
    "resnet": ResNet,
    "vision_transformer": VisionTransformer,
}


class EachPicture(nn.Module):
    """The pooled vector that an image encoder makes of each real picture.

    Padding never reaches the encoder, so it has no influence on statistics of a batch either.

    Args:
        encoder: reads pictures ``(n, C, H, W)``.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        if isinstance(encoder, Cnn):
            encoder.register_module("project", nn.Identity())  # makes tokens, which nobody reads
        self.encoder, self.width = encoder, encoder.width

    def forward(self, field: Field) -> tuple[Tensor, Tensor]:
        """Pictures ``(U, T, C, H, W)`` uint8, mask ``(U, T)`` → vectors ``(U, T, D)``, mask."""
        mask = token_mask(field)
        # Channels are last in memory, and stay so.
        pictures = real_values(field).permute(0, 1, 3, 4, 2)
        # An exported network has no numbers of rows that depend on what the cells hold.
        all_of_them = field.mask is None or torch.compiler.is_exporting()
        real = pictures.flatten(0, 1) if all_of_them else pictures[mask]
        real = real.permute(0, 3, 1, 2)
        present = mask.new_ones(len(real))
        pooled = self.encoder(Field(real, present)).pooled
        if all_of_them:
            return pooled.unflatten(0, mask.shape), mask
        x = pooled.new_zeros(*mask.shape, self.width)
        x[mask] = pooled
        return x, mask


def picture_network(
    name: PictureNetwork,
    channels: int,
    size: int,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    *,
    width: int,
    base: int,
    dropout: float,
) -> EachPicture:
    """An image encoder of a name, for every picture.

    A Transformer takes no ``base``, the channels of the first layer.

    Raises:
        RecipeError: there is none of this name.
    """
    if name not in NETWORKS:
        raise RecipeError(f"There is no network for pictures {name!r}. {nearest(name, NETWORKS)}")
    options: dict[str, Any] = {"width": width, "dropout": dropout}
    if name != "vision_transformer":
        options["base"] = base
    return EachPicture(NETWORKS[name](channels, size, mean, std, **options))
