"""What speech networks want to be given, and the log-mels that Whisper hears."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor

from polymodal.backbone import found, needed
from polymodal.errors import RecipeError


def extractor_settings(model: str) -> dict[str, Any]:
    """The settings of a model's feature extractor as plain JSON.

    Raises:
        RecipeError: it cannot be found.
        MissingExtra: transformers is not installed.
    """
    extraction = needed("transformers.feature_extraction_utils")
    with found(model, "feature extractor"):
        settings, _ = extraction.FeatureExtractionMixin.get_feature_extractor_dict(model)
    plain: dict[str, Any] = json.loads(json.dumps(settings))
    return plain


class LogMels:
    """The log-mel spectrogram of Whisper (Radford 2023), which hears sounds of one length.

    Shorter sounds are followed by silence.

    Args:
        settings: of its feature extractor.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.extractor = needed("transformers").WhisperFeatureExtractor.from_dict(dict(settings))
        self.hop: int = self.extractor.hop_length

    def __call__(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Waveforms ``(U, T)`` with zeros after their ``lengths`` → ``(U, mels, frames)``.

        Raises:
            RecipeError: a sound is longer than Whisper can hear.
        """
        longest = int(lengths.max())
        if longest > self.extractor.n_samples:
            seconds = longest / self.extractor.sampling_rate
            raise RecipeError(
                f"A sound of {seconds:.1f} s came to Whisper, which hears at most "
                f"{self.extractor.chunk_length} s. Cut the audio column to that length."
            )
        with torch.autocast("cpu", enabled=False):  # the extractor multiplies matrices, too
            mels: Tensor = self.extractor(
                list(waves[:, :longest].detach().cpu().numpy()),
                sampling_rate=self.extractor.sampling_rate,
                return_tensors="pt",
            ).input_features
        return mels.to(waves.device)
