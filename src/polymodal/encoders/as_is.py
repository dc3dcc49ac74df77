"""Cells that no encoder reads, since a head does."""

from __future__ import annotations

import torch

from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, real_values, token_mask


class AsIs(Encoder):
    """Leaves cells as they are, for a pretrained head that reads them itself.

    Token ids and samples are tokens of one number; of pictures each row of pixels of each channel
    is a token. The fusion is not given them. Nothing is trained.

    *When to choose it*: never by hand; a head that reads texts or pictures by itself
    (``causal_lm``, ``image_text_to_text``, …) has its columns read so.

    Args:
        size: pixels of a picture's side; 1 for token ids and samples.

    Example:
        >>> ids, mask = torch.tensor([[5, 2, 0]]), torch.tensor([[True, True, False]])
        >>> AsIs()(Field(ids, present=torch.tensor([True]), mask=mask)).x[0, :, 0]
        tensor([5., 2., 0.])
    """

    def __init__(self, size: int = 1) -> None:
        super().__init__()
        self.width = size

    def forward(self, field: Field) -> Tokens:
        """Ids or samples ``(U, T)``, pictures ``(U, C, H, W)``, several ``(U, T, C, H, W)``.

        Samples are from -1 to 1, all else is as it came: ``(U, T, 1)``, ``(U, C H, W)``, ``(U, T
        C H, W)``.
        """
        values = real_values(field) if field.values.ndim != 4 else field.values
        if values.dtype == torch.int16:
            values = values / 32768
        x, mask = values.float(), token_mask(field)
        if x.ndim == 2:
            x = x.unsqueeze(-1)
        else:
            rows = x.shape[-3] * x.shape[-2]
            x = x.flatten(1, -2)
            every = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
            mask = every if values.ndim == 4 else mask.repeat_interleave(rows, 1)
        return Tokens(x, mask, masked_mean(x, mask))
