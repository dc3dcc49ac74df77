"""The frames of a spectrogram as tokens, and nothing more."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, real_values, token_mask
from polymodal.encoders.pixels import compute_dtype
from polymodal.transformer import sinusoidal_positions


class Frames(Encoder):
    """A linear map of a few frames side by side, plus sines and cosines of their place.

    As the patches of a picture (Gong 2021, AST, whose patches are squares), but a token holds
    all bands of a stretch of time. No token knows of another: that is left to the fusion. The
    pooled vector is the mean of the real tokens.

    *When to choose it*: with the fusion ``early``, whose default for sounds it is, and where
    ``joint_transformer`` is to learn everything itself. A fusion of pooled vectors sees no more
    than the mean spectrum: take :class:`SpectrogramCnn`.

    Args:
        mels: frequency bands of a frame.
        mean: mean of the log-mel values.
        std: standard deviation of the log-mel values.
        width: size of the tokens and of the pooled vector.
        stack: frames that one token holds; frames come every 10 ms.

    Raises:
        ValueError: std is not positive, or no frame is stacked.

    Example:
        >>> import torch
        >>> sound = Field(torch.zeros(2, 42, 64), present=torch.ones(2).bool())
        >>> Frames(mels=64)(sound).x.shape
        torch.Size([2, 11, 128])
    """

    def __init__(
        self, mels: int, mean: float = 0.0, std: float = 1.0, *, width: int = 128, stack: int = 4
    ) -> None:
        super().__init__()
        if std <= 0:
            raise ValueError(f"The std of a spectrogram must be positive, not {std}.")
        if stack < 1:
            raise ValueError(f"A token holds at least one frame, not {stack}.")
        self.width, self.stack, self.mean, self.std = width, stack, mean, std
        self.project = nn.Linear(stack * mels, width)

    def forward(self, field: Field) -> Tokens:
        """Log-mels ``(U, T, mels)``, mask ``(U, T)`` → tokens ``(U, ⌈T / stack⌉, D)``."""
        mask = token_mask(field)
        x = (real_values(field).float() - self.mean) / self.std
        x = (x * mask.unsqueeze(-1)).to(compute_dtype(self.project.weight))
        tokens = (x.shape[1] + self.stack - 1) // self.stack
        x = F.pad(x, (0, 0, 0, self.stack - 1))[:, : tokens * self.stack]
        x = self.project(x.reshape(x.shape[0], tokens, -1))  # (U, T / stack, D)
        x = x + sinusoidal_positions(x.shape[1], self.width, x.device).to(x.dtype)
        mask = mask[:, :: self.stack]  # padding comes last: the first frame tells
        return Tokens(x, mask, masked_mean(x, mask))
