import base64
import io
import wave

import numpy as np
import pytest
from PIL import Image

from polymodal.evaluation.hearing import Heard, Hearing, outline, strips, ticks


def wav(samples: list[float], rate: int = 1000) -> bytes:
    with wave.open(file := io.BytesIO(), "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes((np.array(samples) * 32767).astype("<i2").tobytes())
    return file.getvalue()


@pytest.mark.parametrize(
    ("shares", "stretch"),
    [
        ([0, 0.2, 1, 0.6, 0], (1.0, 2.0)),  # both that are at least half as high
        ([1, 0, 0, 0, 0.9], (0.0, 0.5)),  # only around the peak
        ([0, 0, 0, 0, 1], (2.0, 2.5)),
        ([0, 0, 0, 0, 0], (0.0, 2.5)),
    ],
)
def test_the_stretch_where_a_word_was_heard_most(
    shares: list[float], stretch: tuple[float, float]
) -> None:
    (strip,) = strips(Hearing("voice", 2.5, [Heard("dog", np.array(shares), 0.4)], True))
    assert (strip.start, strip.end) == pytest.approx(stretch)
    assert strip.middle == pytest.approx(sum(stretch) / 2 / 2.5) and strip.inside == 0.4


def test_a_strip_is_as_opaque_as_the_word_was_heard() -> None:
    (strip,) = strips(Hearing("voice", 1.0, [Heard("dog", np.array([0, 0.5, 1.0]))], False))
    kind, content = strip.mask.split(",")
    with Image.open(io.BytesIO(base64.b64decode(content))) as picture:
        assert kind == "data:image/png;base64" and picture.size == (3, 1)
        assert np.asarray(picture.convert("RGBA"))[0, :, 3].tolist() == [0, 128, 255]


def test_the_wave_is_as_wide_as_its_time() -> None:
    # A second that is loud in its second half only, on an axis of two seconds.
    path = outline(wav([0.0] * 500 + [0.5, -0.25] * 250), 2.0)
    points = [tuple(map(float, p.split(","))) for p in path[1:-1].split()]
    upper, lower = points[:240], points[240:][::-1]
    assert [x for x, _ in upper] == [x for x, _ in lower] == list(range(240))
    assert upper[30] == (30, 1) and upper[90] == (90, 0)  # the loudest reaches the top
    assert lower[90][1] == pytest.approx(1.5, abs=0.01)
    assert {y for _, y in upper[121:]} == {1.0}  # beyond the end there is silence


def test_silence_is_a_line() -> None:
    assert {p.split(",")[1] for p in outline(wav([0.0] * 50), 0.05)[1:-1].split()} == {"1.000"}


@pytest.mark.parametrize("seconds", [0.02, 0.4, 3.0, 19.9, 700.0])
def test_few_ticks_at_round_places(seconds: float) -> None:
    found = ticks(seconds)
    assert found[0] == 0 and found[-1] <= seconds and len(found) <= 6
