import pytest

from polymodal.countdown import Countdown


def test_time_left_is_told_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("polymodal.countdown.time.monotonic", lambda: now[0])
    told: list[str] = []
    count = Countdown("decoding", 100, of="cells", tell=told.append, every=10)
    for second, done in [(5, 5), (12, 20), (15, 5), (30, 30)]:
        now[0] = second
        count.advance(done)
    assert told == [
        "decoding: 25 of 100 cells, 36 s left",
        "decoding: 60 of 100 cells, 20 s left",
    ]


def test_what_is_begun_anew_counts_back() -> None:
    told: list[str] = []
    count = Countdown("decoding", 10, of="cells", tell=told.append, every=0)
    count.advance(5)
    count.advance(-5)
    assert count.done == 0
    assert len(told) == 1
