from math import nan

import pytest

from polymodal.training import Validation


@pytest.mark.parametrize(
    ("metric", "higher", "earlier", "loss", "beats"),
    [
        (0.9, True, None, 0.0, True),
        (0.9, True, 0.8, 0.1, True),
        (0.8, True, 0.9, 2.0, False),
        (0.8, False, 0.9, 0.1, True),
        (0.9, True, 0.9, 0.6, True),  # as good, with a lower loss
        (0.9, True, 0.9, 0.5, False),
        (nan, True, None, 0.0, False),
    ],
)
def test_beats(
    metric: float, higher: bool, earlier: float | None, loss: float, beats: bool
) -> None:
    found = Validation(loss=0.5, metric=metric, higher_is_better=higher, name="any")
    assert found.beats(earlier, loss) == beats
