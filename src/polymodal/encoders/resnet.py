"""A residual convolutional network that fits itself to the size of the pictures."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.pixels import PixelNormalisation


class ResNet(Encoder):
    """Basic residual blocks (He 2016) behind a stem sized to the picture.

    The stem halves a picture until its side is at most 56 pixels: one of 28 or 32 pixels loses
    nothing there, one of 64 is reduced to 32 and one of 224, early, to 56. Each stage of blocks
    after the first halves it again, down to a grid of at most 8×8 tokens. The pooled vector is
    the mean of the tokens.

    *When to choose it*: photos learned from scratch, from some thousand pictures on. Very small
    pictures or little time: :class:`Cnn`. Few pictures: a pretrained network.

    Args:
        channels: colour channels of a picture.
        size: height and width of a picture in pixels.
        mean: mean of each channel on a scale of 0 to 1.
        std: standard deviation of each channel on a scale of 0 to 1.
        width: size of the tokens and of the pooled vector.
        base: channels of the first stage; each later stage has twice as many as the one before.
        depth: residual blocks in each stage.
        dropout: chance of dropping a feature before the last layer in training.

    Example:
        >>> import torch
        >>> pictures = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
        >>> tokens = ResNet(channels=3, size=32)(Field(pictures, present=torch.ones(2).bool()))
        >>> tokens.x.shape, tokens.pooled.shape
        (torch.Size([2, 64, 128]), torch.Size([2, 128]))
    """

    def __init__(
        self,
        channels: int,
        size: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        *,
        width: int = 128,
        base: int = 32,
        depth: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.normalise = PixelNormalisation(channels, mean, std)
        stem, inputs, side = nn.Sequential(), channels, size
        while not stem or side > 56:
            stride = 2 if side > 56 else 1
            stem += nn.Sequential(
                nn.Conv2d(inputs, base, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(base),
                nn.ReLU(inplace=True),
            )
            inputs, side = base, -(-side // stride)
        stages, stride = nn.Sequential(), 1
        while not stages or side > 8:
            outputs = base * 2 ** len(stages)
            side = -(-side // stride)
            blocks = [_Block(inputs, outputs, stride)]
            blocks += [_Block(outputs, outputs, 1) for _ in range(depth - 1)]
            stages.append(nn.Sequential(*blocks))
            inputs, stride = outputs, 2
        self.stem, self.stages = stem, stages
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(inputs, width)

    def forward(self, field: Field) -> Tokens:
        """Pictures ``(U, C, H, W)`` uint8 → tokens ``(U, T, D)`` of the grid, row by row."""
        grid = self.stages(self.stem(self.normalise(field.values)))
        cells = grid.permute(0, 2, 3, 1).flatten(1, 2)  # (U, T, channels)
        x = self.project(self.dropout(cells))
        return Tokens(x, None, x.mean(1))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)
