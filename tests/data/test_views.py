"""Cells that are made of other columns."""

from polymodal.data.views import columns_named, filling


def test_a_column_shows_another_or_is_filled_in() -> None:
    assert filling("clip")(["a.mp4"]) == "a.mp4"
    assert columns_named("{a}/100%/{b}") == ["a", "b"]
    assert filling("{a}/100%/{b}")(["x", 2.0]) == "x/100%/2"
    assert filling("{a}{b}")(["x", None]) is None
    assert filling("{a}")([2.5]) == "2.5"
