"""Pretrained audio networks of transformers that read waveforms."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from polymodal.backbone import (
    Backbone,
    Training,
    plain_config,
    transformers_config,
    transformers_groups,
    transformers_network,
)
from polymodal.batch import Field, Tokens
from polymodal.encoders.encoder import Encoder
from polymodal.encoders.masking import masked_mean, real_values, token_mask
from polymodal.errors import RecipeError
from polymodal.log_mels import LogMels, extractor_settings


class PretrainedAudio(Encoder):
    """A network that has already heard much speech: wav2vec 2.0 and its kind, or Whisper.

    Models in the manner of wav2vec 2.0 (Baevski 2020; HuBERT, WavLM, data2vec, …) read the
    waveform; for the encoder of Whisper (Radford 2023) the log-mels are made here by its own
    feature extractor. The pooled vector is the mean over time. ``width`` is the network's own.

    *When to choose it*: speech (words, speaker, emotion), above all few recordings. For sounds
    other than speech a :class:`SpectrogramCnn` may be as good and is far quicker.

    Args:
        model: name on the hub ("facebook/wav2vec2-base", "openai/whisper-tiny") or a folder.
        train: "frozen", "full" (all weights) or "lora" (small matrices beside linear layers).
        layers: with "full", train only so many of the last layers; None trains all.
        rank: with "lora", rank of the small matrices.
        weights: False builds the network without its weights, to be loaded from a saved run.
        config: ``config`` of a saved encoder; with it nothing is read from disk or hub.

    Raises:
        RecipeError: the model cannot be found, is of another kind, or an option does not fit it.
        MissingExtra: transformers or peft is needed and not installed.

    Example:
        >>> import torch
        >>> network = dict(model_type="wav2vec2", hidden_size=16, num_hidden_layers=1,
        ...                num_attention_heads=2, intermediate_size=8, conv_dim=[8, 8],
        ...                conv_kernel=[10, 3], conv_stride=[5, 2])
        >>> extractor = {"sampling_rate": 16000, "do_normalize": True}
        >>> saved = {"network": network, "extractor": extractor}
        >>> sound = Field(torch.zeros(1, 400), present=torch.tensor([True]))
        >>> PretrainedAudio("tiny", config=saved)(sound).x.shape
        torch.Size([1, 39, 16])
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
        whisper = settings.model_type == "whisper"
        if not whisper and not hasattr(settings, "conv_kernel"):
            raise RecipeError(
                f"{model!r} is a model of type {settings.model_type!r}. Models in the manner of "
                "wav2vec2 (hubert, wavlm, ...) and whisper are supported."
            )
        # Random masking and skipping of layers are for pretraining; they break short clips.
        settings.apply_spec_augment, settings.layerdrop = False, 0.0
        if whisper:
            settings.encoder_layerdrop = 0.0
        network: Any = transformers_network(model, settings, weights and config is None)
        extractor = config["extractor"] if config else extractor_settings(model)
        self.config = {"network": plain_config(settings), "extractor": extractor}
        """Plain JSON to keep with the weights: rebuilds the encoder without hub or folder."""
        self.reader = _Whisper(extractor) if whisper else _Waves(settings, extractor)
        self.width = settings.hidden_size
        network = network.get_encoder() if whisper else network
        for name, parameter in network.named_parameters():
            if name.endswith("masked_spec_embed"):
                parameter.requires_grad_(False)
        self.backbone = Backbone(
            network, train=train, layers=layers, rank=rank, groups=transformers_groups(network)
        )

    @property
    def frozen(self) -> bool:
        """Whether the backbone is."""
        return self.backbone.frozen

    def settings(self) -> dict[str, Any]:
        """The configuration."""
        return self.config

    @staticmethod
    def preprocessing(model: str) -> dict[str, Any]:
        """How sounds must be made: ``form`` "waveform", ``rate`` in samples per second.

        Args:
            model: as for the encoder.

        Raises:
            RecipeError: the model cannot be found.
            MissingExtra: transformers is not installed.
        """
        return {"form": "waveform", "rate": extractor_settings(model)["sampling_rate"]}

    def forward(self, field: Field) -> Tokens:
        """Waveforms ``(U, T)``, mask ``(U, T)`` with padding last → tokens ``(U, T', D)``.

        Raises:
            RecipeError: a sound is longer than Whisper can hear.
        """
        waves = real_values(field)
        if not waves.is_floating_point():
            waves = waves.float() / 32768  # 16-bit samples
        lengths = token_mask(field).sum(1)
        x, frames = self.backbone(self.reader.run, waves.float(), lengths)
        mask = torch.arange(x.shape[1], device=x.device) < frames.unsqueeze(1)
        return Tokens(x, mask, masked_mean(x, mask))


class _Waves:
    """Models that read samples (U, T)."""

    def __init__(self, settings: Any, extractor: dict[str, Any]) -> None:
        self.normalise = extractor.get("do_normalize", True)
        # A group norm takes the mean over time: padding would change it, so such models get
        # sounds of one length at a time. The others are masked, as they were trained.
        self.by_length = settings.feat_extract_norm == "group"
        self.steps = list(zip(settings.conv_kernel, settings.conv_stride, strict=True))
        self.least = 1
        for kernel, stride in reversed(self.steps):
            self.least = (self.least - 1) * stride + kernel

    def run(self, network: nn.Module, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        real = torch.arange(waves.shape[1], device=waves.device) < lengths.unsqueeze(1)
        if self.normalise:
            count = lengths.unsqueeze(1)
            waves = (waves - waves.sum(1, keepdim=True) / count) * real
            waves = waves / (waves.square().sum(1, keepdim=True) / count + 1e-7).sqrt()
        waves = nn.functional.pad(waves, (0, max(0, self.least - waves.shape[1])))
        lengths = lengths.clamp(min=self.least)  # shorter sounds are followed by silence
        frames = lengths
        for kernel, stride in self.steps:
            frames = (frames - kernel) // stride + 1
        if not self.by_length:
            mask = torch.arange(waves.shape[1], device=waves.device) < lengths.unsqueeze(1)
            return network(waves, attention_mask=mask.long()).last_hidden_state, frames
        parts, rows = [], []
        for length in lengths.unique().tolist():
            same = (lengths == length).nonzero().squeeze(1)
            part = network(waves[same, :length]).last_hidden_state
            parts.append(nn.functional.pad(part, (0, 0, 0, int(frames.max()) - part.shape[1])))
            rows.append(same)
        return torch.cat(parts)[torch.cat(rows).argsort()], frames


class _Whisper:
    """The encoder of Whisper, which hears sounds of one length, padded with silence."""

    def __init__(self, extractor: dict[str, Any]) -> None:
        self.mels = LogMels(extractor)

    def run(self, network: nn.Module, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        mels = self.mels(waves, lengths)
        frames = -(-lengths // (2 * self.mels.hop))
        x = network(mels.to(next(network.parameters()).dtype)).last_hidden_state
        return x[:, : int(frames.max())], frames
