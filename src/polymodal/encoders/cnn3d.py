"""Convolutions over space and time."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.frame_differences import Motion, motion_channels, with_motion
from polymodal.encoders.masking import masked_mean, real_values, token_mask
from polymodal.encoders.pixels import PixelNormalisation

SMALLEST_SIDE = 7
MOST_STAGES = 4


class Cnn3d(Encoder):
    """Residual blocks whose convolutions are parted into space and time, R(2+1)D (Tran 2018).

    https://arxiv.org/abs/1711.11248. Each block convolves a frame (1×3×3), then time (3×1×1).
    Frames are halved down to 7×7 at most; from the second stage on, time is halved, too. A token is
    what is left of a stretch of time; the pooled vector is the mean over time of its pictures'
    mean. Padding has no influence; in training alone, batch normalisation counts it among its
    own.

    *When to choose it*: what is done matters, not only what is there (gestures, sports), and there
    are thousands of clips. A few hundred: :class:`FrameSequence` with ``motion``, or a pretrained
    network.

    Args:
        channels: colour channels of a frame.
        size: height and width of a frame in pixels.
        mean: mean of each channel on a scale of 0 to 1.
        std: standard deviation of each channel on a scale of 0 to 1.
        width: size of the tokens and of the pooled vector.
        base: channels of the first stage; each later one has twice as many as the one before.
        depth: residual blocks in each stage.
        motion: differences to the frame before, as a channel "added" to the frame, as the "only"
            one, or "none".
        dropout: chance of dropping a feature before the last layer in training.

    Example:
        >>> import torch
        >>> clips = torch.zeros(2, 8, 3, 32, 32, dtype=torch.uint8)
        >>> tokens = Cnn3d(channels=3, size=32, base=8)(Field(clips, torch.ones(2).bool()))
        >>> tokens.x.shape, tokens.pooled.shape
        (torch.Size([2, 2, 128]), torch.Size([2, 128]))
    """

    def __init__(
        self,
        channels: int,
        size: int,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        *,
        width: int = 128,
        base: int = 16,
        depth: int = 1,
        motion: Motion = "none",
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width, self.motion = width, motion
        inputs, means, stds = motion_channels(motion, channels, mean, std)
        self.normalise = PixelNormalisation(inputs, means, stds)
        self.blocks = nn.ModuleList()
        stage, side = 0, size
        while stage < MOST_STAGES and (stage == 0 or side > SMALLEST_SIDE):
            outputs, slower = base * 2**stage, 2 if stage else 1
            smaller = 2 if side > SMALLEST_SIDE else 1
            # As in the paper, nothing leads past the first layers.
            self.blocks.append(_Block(inputs, outputs, smaller, slower, past=stage > 0))
            self.blocks.extend(_Block(outputs, outputs, 1, 1) for _ in range(depth - 1))
            inputs, side, stage = outputs, -(-side // 2), stage + 1
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(inputs, width)

    def forward(self, field: Field) -> Tokens:
        """Frames ``(U, T, C, H, W)`` uint8, mask ``(U, T)`` → tokens ``(U, T', D)``."""
        seen, mask = with_motion(field, self.motion), token_mask(field)
        frames = self.normalise(real_values(seen).flatten(0, 1))
        x = _clips(frames, mask.shape[0])
        x = x if field.mask is None else _blanked(x, mask)
        for block in self.blocks:
            x, mask = block(x, mask, padded=field.mask is not None)
        x = self.project(self.dropout(x.mean((2, 3))))  # (U, T', D)
        return Tokens(x, mask, masked_mean(x, mask))


class _Block(nn.Module):
    """A convolution of frames and one of time, each with batch normalisation, past a shortcut.

    Both are flat convolutions over ``(U, T, H, W, C)`` in memory, seen as frames and as steps:
    nothing is copied between them.
    """

    def __init__(
        self, inputs: int, outputs: int, smaller: int, slower: int, *, past: bool = True
    ) -> None:
        super().__init__()
        self.slower = slower
        self.space = nn.Conv2d(inputs, outputs, 3, smaller, padding=1, bias=False)
        self.time = nn.Conv2d(outputs, outputs, (3, 1), (slower, 1), padding=(1, 0), bias=False)
        self.space_norm, self.time_norm = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module | None = None
        if past:
            self.shortcut = nn.Identity()
            if smaller * slower != 1 or inputs != outputs:
                self.shortcut = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, smaller, bias=False), nn.BatchNorm2d(outputs)
                )

    def forward(self, x: Tensor, mask: Tensor, *, padded: bool) -> tuple[Tensor, Tensor]:
        clips = x.shape[0]
        y = _clips(F.relu(self.space_norm(self.space(_frames(x)))), clips)
        if padded:
            y = _blanked(y, mask)
        steps = y.flatten(2, 3).permute(0, 3, 1, 2)  # (U, C, T, H W)
        steps = self.time_norm(self.time(steps)).permute(0, 2, 3, 1)
        mask = mask[:, :: self.slower]
        y = steps.unflatten(2, y.shape[2:4])
        if self.shortcut is not None:
            y = y + _clips(self.shortcut(_frames(x[:, :: self.slower])), clips)
        y = F.relu(y)
        return _blanked(y, mask) if padded else y, mask


def _frames(x: Tensor) -> Tensor:
    """Clips ``(U, T, H, W, C)`` as frames ``(U T, C, H, W)``."""
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _clips(frames: Tensor, clips: int) -> Tensor:
    """Frames ``(U T, C, H, W)`` as clips ``(U, T, H, W, C)``."""
    return frames.permute(0, 2, 3, 1).unflatten(0, (clips, -1))


def _blanked(x: Tensor, mask: Tensor) -> Tensor:
    """Zeros in the frames of padding, so that a clip ends as one without padding does."""
    return x * mask[:, :, None, None, None]
