"""Random variations of pictures, on whole batches, each picture by its own chance.

Letters: U pictures · C channels · H, W height and width. Pictures are ``(U, C, H, W)`` uint8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    from polymodal.data.pytorch import torch


PictureVariation = Literal["shift", "flip", "crop", "colour", "rand_augment"]

SMALLEST_CROP = 0.7
OPERATIONS = (
    "none", "rotate", "shear_x", "shear_y", "move_x", "move_y",
    "brightness", "contrast", "saturation", "sharpness", "posterise",
)  # fmt: skip
OPERATIONS_EACH, FIRST_OF_COLOUR = 2, OPERATIONS.index("brightness")
# How far each operation goes at a strength of 1, as in Cubuk et al. 2020.
MOST_TURNED, MOST_SHEARED, MOST_MOVED, MOST_CHANGED = math.radians(30), 0.3, 0.45, 0.9
MOST_COLOURED = 0.6  # all three at once


def vary_pictures(
    values: Tensor,
    chosen: Sequence[PictureVariation],
    generator: torch.Generator,
    *,
    strength: float = 0.5,
) -> Tensor:
    """Each picture varied in all the chosen ways, in the order of their definition.

    Args:
        values: ``(U, C, H, W)`` uint8.
        chosen: "shift" moves by up to 1/12 of the size; "flip" swaps left and right of half of
            the pictures; "crop" enlarges a part, at least 70 % as wide; "colour" changes
            brightness, contrast and saturation; "rand_augment" does two of eleven operations
            (Cubuk et al. 2020, https://arxiv.org/abs/1909.13719, without inverting colours, which
            hurts digits and drawings).
        generator: the only source of chance.
        strength: how far "colour" and "rand_augment" go, 0 to 1.
    """
    if "shift" in chosen:
        values = shifted(values, max(1, values.shape[-1] // 12), generator)
    if "crop" in chosen:
        values = _cropped(values, generator)
    if "flip" in chosen:
        flipped = torch.rand(len(values), generator=generator) < 0.5
        values = torch.where(flipped[:, None, None, None], values.flip(-1), values)
    if "colour" in chosen:
        change = MOST_COLOURED * strength * _signed(len(values), 3, generator)
        values = _rounded(_coloured(values.float(), *change.unbind(1)), values)
    if "rand_augment" in chosen:
        values = _rand_augmented(values, strength, generator)
    return values


def shifted(values: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each of ``(U, C, H, W)`` moved by up to so many pixels, its channels alike; black follows."""
    padded = torch.nn.functional.pad(values, (most,) * 4, mode="constant", value=0)
    size, moved = values.shape[-1], torch.empty_like(values)
    shifts = torch.randint(0, 2 * most + 1, (len(values), 2), generator=generator)
    for i, (down, right) in enumerate(shifts.tolist()):
        moved[i] = padded[i, :, down : down + size, right : right + size]
    return moved


def _signed(count: int, numbers: int, generator: torch.Generator) -> Tensor:
    """Uniform in -1 to 1, ``(count, numbers)``."""
    return 2 * torch.rand(count, numbers, generator=generator) - 1


def _rounded(values: Tensor, like: Tensor) -> Tensor:
    """As uint8, in the same order in memory as before."""
    return torch.empty_like(like).copy_(values.round_().clamp_(0, 255))


def _cropped(values: Tensor, generator: torch.Generator) -> Tensor:
    """A part of each picture, of its own place and size, enlarged to the whole."""
    side = SMALLEST_CROP + (1 - SMALLEST_CROP) * torch.rand(len(values), generator=generator)
    place = _signed(len(values), 2, generator) * (1 - side)[:, None]
    scale = torch.diag_embed(side[:, None].expand(-1, 2))
    return _rounded(_mapped(values, torch.cat([scale, place[..., None]], 2)), values)


def _mapped(values: Tensor, affine: Tensor) -> Tensor:
    """Pictures as floats whose point p shows what was at the point A p; black beyond the edge.

    Args:
        values: ``(U, C, H, W)``.
        affine: ``(U, 2, 3)``, A on a plane from -1 to 1.
    """
    grid = torch.nn.functional.affine_grid(affine, list(values.shape), align_corners=False)
    return torch.nn.functional.grid_sample(values.float(), grid, align_corners=False)


def _coloured(values: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor) -> Tensor:
    """Floats ``(U, C, H, W)`` changed by ``(U,)`` each: -1 takes all away, 0 changes nothing."""
    values = values * _over(1 + brightness)
    middle = values.mean((1, 2, 3), keepdim=True)
    values = middle + (values - middle) * _over(1 + contrast)
    grey = values.mean(1, keepdim=True)
    return grey + (values - grey) * _over(1 + saturation)


def _over(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]


def _rand_augmented(values: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Two operations on each picture: those of shape in one go, then each kind of the others."""
    drawn = torch.randint(len(OPERATIONS), (len(values), OPERATIONS_EACH), generator=generator)
    amounts = strength * _signed(len(values), OPERATIONS_EACH, generator)
    varied = values.float()
    bent = ((drawn >= 1) & (drawn < FIRST_OF_COLOUR)).any(1).nonzero().squeeze(1)
    if len(bent):
        first, second = (_matrices(drawn[bent, i], amounts[bent, i]) for i in range(2))
        varied[bent] = _mapped(varied[bent], (first @ second)[:, :2])
    for turn in range(OPERATIONS_EACH):
        for number in range(FIRST_OF_COLOUR, len(OPERATIONS)):
            rows = (drawn[:, turn] == number).nonzero().squeeze(1)
            if len(rows):
                changed = _operated(OPERATIONS[number], varied[rows], amounts[rows, turn])
                varied[rows] = changed.clamp_(0, 255)
    return _rounded(varied, values)


def _matrices(operations: Tensor, amounts: Tensor) -> Tensor:
    """``(U, 3, 3)`` of rotations, shears and moves; those of other operations change nothing."""
    affine = torch.eye(3).repeat(len(amounts), 1, 1)
    angle = amounts * MOST_TURNED
    turned = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1)
    is_turned = operations == OPERATIONS.index("rotate")
    affine[is_turned, :2, :2] = turned[is_turned].unflatten(1, (2, 2))
    for name, (row, column), most in (
        ("shear_x", (0, 1), MOST_SHEARED),
        ("shear_y", (1, 0), MOST_SHEARED),
        ("move_x", (0, 2), 2 * MOST_MOVED),
        ("move_y", (1, 2), 2 * MOST_MOVED),
    ):
        chosen = operations == OPERATIONS.index(name)
        affine[chosen, row, column] = most * amounts[chosen]
    return affine


def _operated(name: str, values: Tensor, amounts: Tensor) -> Tensor:
    """One operation on the colours of float pictures, by ``amounts`` ``(U,)`` from -1 to 1."""
    if name in ("brightness", "contrast", "saturation"):
        nothing, change = torch.zeros_like(amounts), MOST_CHANGED * amounts
        return _coloured(
            values,
            **{n: nothing for n in ("brightness", "contrast", "saturation")} | {name: change},
        )
    if name == "sharpness":
        smooth = torch.nn.functional.avg_pool2d(values, 3, 1, 1, count_include_pad=False)
        return values + _over(MOST_CHANGED * amounts) * (values - smooth)
    assert name == "posterise"
    step = 2.0 ** (4 * amounts.abs()).round()  # from 8 down to 4 bits
    return (values / _over(step)).floor() * _over(step)
