"""Rows mixed with one another, so that a network learns what lies between two classes.

mixup: Zhang et al. 2018, https://arxiv.org/abs/1710.09412. CutMix: Yun et al. 2019,
https://arxiv.org/abs/1905.04899. Letters: B rows · C channels · H, W height and width.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from polymodal.batch import Batch, Field, Mixture
from polymodal.train_options import Mix, TrainOptions

USUAL_ALPHA = {"mixup": 0.2, "cutmix": 1.0}
_STREAM = 1  # keeps these draws apart from those that augment the same batch


class Box(NamedTuple):
    """A part of a picture, as shares of its height and width.

    Args:
        top: where it begins.
        left: likewise.
        side: how high and how wide it is.
    """

    top: float
    left: float
    side: float


class Mixing:
    """Mixes the rows of training batches in pairs, by the options ``mix`` and ``mix_alpha``.

    The pictures of a row are blended with those of its partner (mixup), or get a box of them
    (CutMix). All else in the row stays together and is the row's own or its partner's, by the
    same odds, and so are pictures where one of the two rows has none. Without pictures, a batch
    stays as it is.

    The draws depend on seed, epoch and place of a batch only: a resumed training makes the same.

    Args:
        options: resolved.
        seed: of all draws.
    """

    def __init__(self, options: TrainOptions, *, seed: int) -> None:
        self.kind: Mix = options.mix
        self.alpha = options.mix_alpha
        self.seed = seed

    def __call__(self, batch: Batch, *, epoch: int, place: int) -> Batch:
        """The batch of an epoch's place with its rows mixed, and what they are to answer."""
        pictures = [name for name, field in batch.inputs.items() if _is_picture(field)]
        if self.kind == "off" or not pictures or len(batch) < 2:
            return batch
        rng = np.random.default_rng((self.seed, epoch, place, _STREAM))
        kind = self.kind if self.kind != "both" else ("mixup", "cutmix")[int(rng.integers(2))]
        alpha = USUAL_ALPHA[kind] if self.alpha == "auto" else self.alpha
        own = float(rng.beta(alpha, alpha))
        partners = torch.from_numpy(rng.permutation(len(batch))).to(batch.rows.device)
        box = None
        if kind == "cutmix":
            side = math.sqrt(1 - own)
            top, left = (rng.random(2) * (1 - side)).tolist()
            box = Box(top, left, side)
            own = float(np.mean([_share_outside(box, batch.inputs[n].values) for n in pictures]))
        stays = torch.from_numpy(rng.random(len(batch)) < own).to(partners.device)
        rows = torch.where(stays, torch.arange(len(batch), device=partners.device), partners)
        inputs = {name: _taken(field, rows) for name, field in batch.inputs.items()}
        for name in pictures:
            field = batch.inputs[name]
            inputs[name] = _mixed(field, partners, otherwise=inputs[name], own=own, box=box)
        others = {name: _taken(field, partners) for name, field in batch.targets.items()}
        return replace(batch, inputs=inputs, mixture=Mixture(others, own))


def _is_picture(field: Field) -> bool:
    """Whether a field holds pixels ``(U, C, H, W)``."""
    return field.values.ndim == 4 and field.values.dtype == torch.uint8 and not field.encoded


def _taken(field: Field, rows: Tensor) -> Field:
    """The field of these rows of the batch."""
    present = field.present[rows]
    if field.index is not None:
        return replace(field, present=present, index=field.index[rows])
    mask = None if field.mask is None else field.mask[rows]
    return replace(field, values=field.values[rows], present=present, mask=mask)


def _mixed(
    field: Field, partners: Tensor, *, otherwise: Field, own: float, box: Box | None
) -> Field:
    """Pictures mixed with those of their partners where both are there."""
    first = field.values if field.index is None else field.values[field.index]
    second = first[partners]
    if box is None:
        whole = torch.lerp(second.float(), first.float(), own).round_().to(first.dtype)
    else:
        top, bottom, left, right = _pixels(box, first)
        whole = first.clone()
        whole[..., top:bottom, left:right] = second[..., top:bottom, left:right]
    both = field.present & field.present[partners]
    plain = otherwise.values if otherwise.index is None else otherwise.values[otherwise.index]
    values = torch.where(both[:, None, None, None], whole, plain)
    return Field(values, otherwise.present)


def _pixels(box: Box, values: Tensor) -> tuple[int, int, int, int]:
    height, width = values.shape[-2:]
    top, left = round(box.top * height), round(box.left * width)
    bottom, right = (
        round((box.top + box.side) * height),
        round((box.left + box.side) * width),
    )
    return top, bottom, left, right


def _share_outside(box: Box, values: Tensor) -> float:
    """The share of a picture's pixels that the box leaves."""
    top, bottom, left, right = _pixels(box, values)
    return 1 - (bottom - top) * (right - left) / (values.shape[-2] * values.shape[-1])
