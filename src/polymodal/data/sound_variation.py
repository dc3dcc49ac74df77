"""Random variations of recordings, on whole batches, each recording by its own chance.

Letters: U recordings · T frames or samples · F bands. Log-mel frames are ``(U, T, F)``, samples
``(U, T)``; ``lengths (U,)`` says how much of each is real.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch


SoundVariation = Literal["mask", "shift", "noise", "speed"]

MOST_SHIFTED, MOST_FASTER = 0.125, 0.1
LOUDEST, SNR_RANGE = 32767, 20.0


def masked(values: Tensor, fill: float, generator: torch.Generator) -> Tensor:
    """One band of frequencies and one stretch of time of each ``(U, T, F)`` set to ``fill``.

    SpecAugment (Park et al. 2019, https://arxiv.org/abs/1904.08779): up to a sixth of each.
    """
    values = values.clone()
    frames, bands = values.shape[1:]

    def draw(below: int) -> int:
        return int(torch.randint(0, below, (), generator=generator))

    for sound in values:
        high, wide = draw(max(bands // 6, 1) + 1), draw(max(frames // 6, 1) + 1)
        low, start = draw(bands - high + 1), draw(frames - wide + 1)
        sound[:, low : low + high] = fill
        sound[start : start + wide] = fill
    return values


def retimed(
    values: Tensor,
    lengths: Tensor,
    generator: torch.Generator,
    *,
    shift: bool,
    speed: bool,
    silence: float,
) -> Tensor:
    """Each recording earlier or later by up to an eighth of it, and up to 10 % faster or slower.

    What leaves at one end is lost, silence comes in at the other. Samples also change in pitch,
    as on a faster tape; the bands of log-mel frames stay where they are.

    Args:
        values: ``(U, T)`` or ``(U, T, F)``.
        lengths: ``(U,)``.
        generator: the only source of chance.
        shift: whether to move.
        speed: whether to change the pace.
        silence: what silence is in these values.
    """
    moved, pace = (2 * torch.rand(2, len(values), 1, generator=generator) - 1).unbind(0)
    start = (moved * MOST_SHIFTED * lengths[:, None]).round() if shift else 0.0
    pace = 1 + MOST_FASTER * pace if speed else torch.ones_like(pace)
    time = (torch.arange(values.shape[1]) - start) * pace
    heard = (time >= 0) & (time <= lengths[:, None] - 1)
    time = time.clamp(min=0).minimum((lengths[:, None] - 1).clamp(min=0).float())
    low = time.long()
    part = time - low
    high = (low + 1).minimum((lengths[:, None] - 1).clamp(min=0))
    if values.ndim == 3:
        part, heard = part[..., None], heard[..., None]
        low, high = (i[..., None].expand_as(values) for i in (low, high))
    left, right = (values.gather(1, i).float() for i in (low, high))
    return torch.where(heard, torch.lerp(left, right, part), silence).to(values.dtype)


def noisy_frames(
    values: Tensor, lengths: Tensor, bank: Tensor, generator: torch.Generator, *, snr: float
) -> Tensor:
    """Log-mel frames with white noise of a random loudness.

    The powers of sound and noise are added, as they are on average.

    Args:
        values: ``(U, T, F)``, natural logarithms of power.
        lengths: ``(U,)``.
        bank: the filters ``(F, bins)`` that made the bands.
        generator: the only source of chance.
        snr: the lowest ratio of sound to noise in decibels; each recording draws one from there
            to 20 higher.
    """
    power = values.float().exp()
    real = torch.arange(values.shape[1]) < lengths[:, None]
    loud = (power.sum(2) * real).sum(1) / lengths.clamp(min=1)
    wide = bank.sum(1)
    ratio = 10 ** (_drawn_snr(len(values), snr, generator) / 10)
    level = (loud / ratio)[:, None, None] * (wide / wide.sum())
    # A band that sums many bins of noise fluctuates less than one of few.
    bins = wide.square() / bank.square().sum(1).clamp_min(1e-12)
    spread = bins.clamp_min(1).rsqrt()
    hiss = torch.exp(torch.randn(values.shape, generator=generator) * spread - spread**2 / 2)
    return torch.log(power + level * hiss).to(values.dtype)


def noisy_samples(
    values: Tensor, lengths: Tensor, generator: torch.Generator, *, snr: float
) -> Tensor:
    """Samples ``(U, T)`` int16 with white noise, whose loudness is as in :func:`noisy_frames`."""
    wave = values.float()
    real = torch.arange(values.shape[1]) < lengths[:, None]
    loud = ((wave.square() * real).sum(1) / lengths.clamp(min=1)).sqrt()
    ratio = 10 ** (_drawn_snr(len(values), snr, generator) / 20)
    noise = torch.randn(values.shape, generator=generator) * (loud / ratio)[:, None]
    return (wave + noise).round().clamp(-LOUDEST - 1, LOUDEST).to(values.dtype)


def _drawn_snr(count: int, lowest: float, generator: torch.Generator) -> Tensor:
    return lowest + SNR_RANGE * torch.rand(count, generator=generator)
