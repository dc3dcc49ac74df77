"""A pretrained image network for every frame or picture."""

from __future__ import annotations

from typing import Any

from polymodal.backbone import Training
from polymodal.batch import Field, Tokens
from polymodal.encoders.aggregation import Aggregation, How
from polymodal.encoders.each_picture import EachPicture
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.pretrained_image import PretrainedImage


class PretrainedPictures(Encoder):
    """A network of timm or transformers for each picture, then a mean, attention or a GRU.

    It reads the frames of a video and the pictures of a list alike. A token is a picture. Frozen,
    and with a mean, it makes the same of a cell each time, so that is computed once.

    *When to choose it*: few videos or lists of photos whose pictures show what is asked for. For
    movement, :class:`PretrainedVideo` or :class:`FrameSequence`.

    Args:
        model: as for :class:`PretrainedImage`.
        ordered: whether the order of the pictures counts; that of frames always may.
        train: "frozen", "full" (all weights) or "lora" (small matrices beside linear layers).
        together: "mean", "attention", "transformer", or "gru" where the order counts.
        depth: layers of "gru" and "transformer".
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        weights: False builds the network without its weights, to be loaded from a saved run.
        config: ``config`` of a saved encoder; with it nothing is read from disk or hub.

    Raises:
        RecipeError: the model cannot be found, or an option does not fit it.
        MissingExtra: timm, transformers or peft is needed and not installed.

    Example:
        >>> import torch
        >>> clips = torch.zeros(2, 5, 3, 160, 160, dtype=torch.uint8)
        >>> encoder = PretrainedPictures("test_resnet", weights=False)
        >>> encoder(Field(clips, present=torch.ones(2).bool())).x.shape
        torch.Size([2, 5, 96])
    """

    def __init__(
        self,
        model: str,
        ordered: bool = True,
        *,
        train: Training = "frozen",
        together: How = "mean",
        depth: int = 1,
        layers: int | None = None,
        rank: int = 8,
        weights: bool = True,
        config: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        image = PretrainedImage(
            model, train=train, layers=layers, rank=rank, weights=weights, config=config
        )
        self.config, self.width = image.config, image.width
        """Plain JSON to keep with the weights: rebuilds the encoder without hub or folder."""
        self.each = EachPicture(image)
        self.together = Aggregation(self.width, together, ordered=ordered, depth=depth)

    @property
    def frozen(self) -> bool:
        """Whether the network is, and nothing after it is trained."""
        return self.each.encoder.frozen and not self.together.trains

    def settings(self) -> dict[str, Any]:
        """The network's configuration."""
        return self.config

    @staticmethod
    def preprocessing(model: str) -> dict[str, Any]:
        """How pictures must be made, as for :class:`PretrainedImage`."""
        return PretrainedImage.preprocessing(model)

    def forward(self, field: Field) -> Tokens:
        """Pictures ``(U, T, 3, H, W)`` uint8, mask ``(U, T)`` → tokens ``(U, T, D)``."""
        x, mask = self.each(field)
        return self.together(x, mask)
