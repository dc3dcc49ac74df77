"""What each variation does to pictures, by numbers worked out by hand."""

import pytest
import torch

from polymodal.data.modalities import Image
from polymodal.data.picture_variation import (
    OPERATIONS,
    _coloured,
    _cropped,
    _mapped,
    _matrices,
    _operated,
    vary_pictures,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ramp() -> torch.Tensor:
    """Brightness grows from left to right: 0, 10, … 150."""
    return (10 * torch.arange(16.0)).expand(1, 1, 16, 16)


def test_a_picture_turned_sheared_or_moved_by_nothing_is_the_same():
    for name in OPERATIONS[1:6]:
        affine = _matrices(torch.tensor([OPERATIONS.index(name)]), torch.zeros(1))
        assert torch.allclose(_mapped(ramp(), affine[:, :2]), ramp(), atol=1e-3)


def test_moving_shows_what_was_beside_it():
    # An amount of 0.25 / 0.45 is a quarter of the width: 4 of 16 pixels.
    affine = _matrices(torch.tensor([OPERATIONS.index("move_x")]), torch.tensor([0.25 / 0.45]))
    moved = _mapped(ramp(), affine[:, :2])[0, 0]
    assert torch.allclose(moved[:, :12], ramp()[0, 0][:, 4:], atol=1e-3)
    assert (moved[:, 12:] == 0).all()


def test_colours_by_hand():
    picture = torch.tensor([[[[100.0]], [[50.0]], [[0.0]]]])
    half, nothing = torch.tensor([-0.5]), torch.zeros(1)
    assert _coloured(picture, half, nothing, nothing).flatten().tolist() == [50, 25, 0]
    assert _coloured(picture, nothing, nothing, half).flatten().tolist() == [75, 50, 25]
    assert _coloured(picture, nothing, -torch.ones(1), nothing).flatten().tolist() == [50] * 3


def test_posterise_and_sharpness_by_hand():
    picture = torch.tensor([[[[7.0, 100.0, 255.0]]]])
    assert _operated("posterise", picture, torch.ones(1)).flatten().tolist() == [0, 96, 240]
    flat = torch.full((1, 1, 5, 5), 90.0)
    assert torch.allclose(_operated("sharpness", flat, torch.ones(1)), flat)


def test_a_crop_is_a_part_enlarged():
    cut = _cropped(ramp().to(torch.uint8).expand(50, -1, -1, -1), generator()).float()
    width = cut[:, 0, 8].max(1).values - cut[:, 0, 8].min(1).values
    assert (width <= 150).all() and (width >= 0.6 * 150).all() and width.std() > 5


@pytest.mark.parametrize("chosen", [("crop",), ("colour",), ("rand_augment",), ("flip", "shift")])
def test_every_picture_has_its_own_chance(chosen):
    values = torch.randint(0, 255, (1, 3, 24, 24), dtype=torch.uint8, generator=generator())
    values = values.expand(16, -1, -1, -1).contiguous(memory_format=torch.channels_last)
    varied = vary_pictures(values, chosen, generator(1))
    assert varied.dtype == torch.uint8 and varied.shape == values.shape
    assert len(torch.unique(varied.flatten(1), dim=0)) >= 4
    assert varied.is_contiguous(memory_format=torch.channels_last)


def test_no_strength_changes_no_colours():
    values = torch.randint(0, 255, (8, 3, 24, 24), dtype=torch.uint8, generator=generator())
    for chosen in ("colour", "rand_augment"):
        varied = vary_pictures(values, (chosen,), generator(), strength=0.0)
        assert (varied.int() - values.int()).abs().max() <= 1


def test_options():
    assert Image(augment="shift_flip").variations == ("shift", "flip")
    assert Image(augment="rand_augment").variations == ("rand_augment",)
    assert not Image(augment=()).augments and Image(augment=("crop", "colour")).augments
    with pytest.raises(ValueError, match="strength must lie between 0 and 1"):
        Image(strength=2.0)
