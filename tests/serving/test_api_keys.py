"""Keys are shown once, kept as hashes, and can be taken away while the server runs."""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.errors import PolymodalError
from polymodal.serving.api_keys import ApiKeys, new_key


def test_a_key_is_known_by_its_hash_only(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    key = new_key(path, "anna")
    other = new_key(path, "bert")
    assert key not in path.read_text() and len(key) > 40
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    keys = ApiKeys(path)
    assert (keys.accepts(key), keys.accepts(other)) == ("anna", "bert")
    for wrong in ("", "anna", key[:-1], key + "x", key.upper(), "é\ud800"):
        assert keys.accepts(wrong) is None


def test_a_line_that_is_deleted_takes_its_key_away(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    key, other = new_key(path, "anna"), new_key(path, "bert")
    keys = ApiKeys(path)
    path.write_text("".join(li for li in path.read_text().splitlines(True) if "anna" not in li))
    assert (keys.accepts(key), keys.accepts(other)) == (None, "bert")
    path.unlink()
    assert keys.accepts(other) is None


@pytest.mark.parametrize("content", ["", "# nothing\n", "anna secret\n", "anna\n"])
def test_a_file_without_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.txt"
    path.write_text(content)
    with pytest.raises(PolymodalError, match="--new-key"):
        ApiKeys(path)


def test_mistakes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(PolymodalError, match=r"no file of keys.*--new-key"):
        ApiKeys(tmp_path / "none.txt")
    with pytest.raises(PolymodalError, match="no name for a key"):
        new_key(tmp_path / "keys.txt", "two words")
    new_key(tmp_path / "keys.txt", "anna")
    with pytest.raises(PolymodalError, match="choose another name"):
        new_key(tmp_path / "keys.txt", "anna")


def test_only_who_has_a_key_is_answered(
    serve: Callable[..., Any], ink_run: Path, tmp_path: Path
) -> None:
    from polymodal.serving.application import Serving

    key = new_key(tmp_path / "keys.txt", "anna")
    serving = Serving(keys=ApiKeys(tmp_path / "keys.txt"), page=False, watch=0)
    body = {"inputs": {"ink": 1.0}}
    client: httpx.Client
    with serve({"ink": ink_run}, serving=serving) as client:
        for path in ("/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        for path in ("/metrics", "/v1/schema", "/openapi.json", "/docs"):
            assert client.get(path).status_code == 401
        assert client.post("/-/reload").status_code == 401
        for headers in (
            {},
            {"Authorization": "Bearer pm_wrong"},
            {"Authorization": f"Basic {key}"},
        ):
            refused = client.post("/v1/predict", json=body, headers=headers)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
            assert client.post("/v1/predict", json=body, headers=headers).status_code == 200
