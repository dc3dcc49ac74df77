import platform

import pytest

from polymodal.training import reuse_memory


def test_done_on_glibc_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reuse_memory() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not reuse_memory()
