import pytest

from polymodal.search.rank_fusion import fuse_ranks


def test_by_hand() -> None:
    fused = fuse_ranks({"a": ["x", "y"], "b": ["y"]}, {"b": 2.0}, constant=60)
    assert fused == pytest.approx({"y": 1 / 62 + 2 / 61, "x": 1 / 61})
    assert list(fused) == ["y", "x"]
    assert fuse_ranks({}) == {}
