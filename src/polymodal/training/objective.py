"""From a batch to the loss terms, as one module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polymodal.batch import Batch
from polymodal.model import MultimodalModel


class Objective(nn.Module):
    """The model and its losses in one ``forward``.

    What trains in several processes must see every weight at work, those that only the losses
    use included; and what Accelerate wraps and patches is this, not the user's model.

    Args:
        model: the model to train.
    """

    def __init__(self, model: MultimodalModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The named loss terms of a batch, scalars whose sum is minimised."""
        predictions = self.model(batch)
        device = next(iter(predictions.values())).device.type
        if not torch.is_autocast_enabled(device):
            return self.model.losses(predictions, batch)
        # Three digits are enough for a prediction, but not for the sums and logarithms of a loss.
        with torch.autocast(device, enabled=False):
            whole = {
                name: p.float() if p.is_floating_point() else p for name, p in predictions.items()
            }
            return self.model.losses(whole, batch)
