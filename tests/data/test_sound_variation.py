"""What each variation does to recordings, by numbers worked out by hand."""

import math

import pytest
import torch

from polymodal.data.sound_variation import masked, noisy_frames, noisy_samples, retimed


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_moved_recording_is_the_same_elsewhere():
    values = torch.arange(1.0, 81).repeat(20, 1)
    lengths = torch.full((20,), 80)
    moved = retimed(values, lengths, generator(), shift=True, speed=False, silence=0.0)
    assert moved.shape == values.shape
    for row in moved:
        heard = row[row > 0]
        assert len(heard) >= 70  # an eighth of 80 at most is lost
        assert (heard.diff() == 1).all()
    assert len({tuple(row.tolist()) for row in moved}) > 5


def test_a_faster_recording_ends_in_silence_and_a_slower_one_is_cut():
    values = torch.arange(100.0)[None, :, None].repeat(30, 1, 2)
    lengths = torch.full((30,), 100)
    varied = retimed(values, lengths, generator(), shift=False, speed=True, silence=-13.0)
    pace = varied[:, 10, 0] / 10
    assert 0.9 <= pace.min() < 0.95 and 1.05 < pace.max() <= 1.1
    for row, speed in zip(varied[..., 0], pace, strict=True):
        assert int((row == -13).sum()) == (100 - math.floor(99 / speed) - 1 if speed > 1 else 0)


def test_padding_is_never_heard():
    values = torch.ones(10, 50)
    values[:, 20:] = 1000
    lengths = torch.full((10,), 20)
    varied = retimed(values, lengths, generator(), shift=True, speed=True, silence=0.0)
    assert varied.max() == 1


def test_whole_numbers_stay_whole():
    values = torch.randint(-30000, 30000, (4, 400), generator=generator()).to(torch.int16)
    lengths = torch.full((4,), 400)
    for varied in (
        retimed(values, lengths, generator(), shift=True, speed=True, silence=0.0),
        noisy_samples(values, lengths, generator(), snr=0.0),
    ):
        assert varied.dtype == torch.int16


def test_noise_in_samples_is_as_loud_as_asked():
    values = torch.full((40, 8000), 1000, dtype=torch.int16)
    noise = (noisy_samples(values, torch.full((40,), 8000), generator(), snr=0.0) - values).float()
    decibels = -20 * torch.log10(noise.std(1) / 1000)
    assert -0.3 < decibels.min() < 4 and 16 < decibels.max() < 20.3


def test_noise_in_frames_adds_power_by_the_width_of_a_band():
    bank = torch.tensor([[1.0, 1, 0, 0], [0, 0, 1, 0]])  # one band hears twice as much noise
    values = torch.tensor([[2.0, 1.0]]).log().expand(1, 20000, 2)
    lengths = torch.tensor([20000])
    added = noisy_frames(values, lengths, bank, generator(), snr=0.0).exp() - values.exp()
    loud = added.mean((0, 1))
    assert loud[0] / loud[1] == pytest.approx(2, rel=0.05)
    assert 3 / 100 * 0.95 <= loud.sum() <= 3 * 1.05  # 0 to 20 decibels below a power of 3


def test_quiet_places_get_the_noise_and_padding_does_not_count():
    values = torch.zeros(1, 40, 2)
    values[:, 20:] = 20.0  # padding, very loud
    lengths = torch.tensor([20])
    noisy = noisy_frames(values, lengths, torch.eye(2), generator(), snr=20.0)
    assert 0 < noisy[:, :20].mean() < 0.2


def test_a_mask_blanks_a_band_and_a_stretch():
    values = torch.ones(12, 60, 24)
    gone = masked(values, -1.0, generator()) == -1
    assert gone.any() and (gone.float().mean((1, 2)) < 1 / 6 + 1 / 6 + 0.01).all()
    assert (values == 1).all()
