"""Rows like one that is sent, from an index beside the model."""

import base64
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from polymodal.serving.engines import load_engine
from polymodal.serving.limits import Limits
from polymodal.serving.model_registry import ModelRegistry

pytest.importorskip("lancedb")


@pytest.mark.slow
def test_rows_like_one_that_is_sent(
    whole_run: Path, small_folder: Path, small_rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    from polymodal.search.search_index import SearchIndex
    from polymodal.serving.application import Serving, build_application
    from polymodal.serving.search_route import search_route

    place = tmp_path / "index"
    SearchIndex.build(whole_run, small_rows[20:60], place)
    registry = ModelRegistry(
        {"whole": whole_run}, partial(load_engine, kind="torch"), limits=Limits(), workers=1
    )
    serving = Serving(page=False, watch=0, more=(search_route(place, registry),))
    app: Any = build_application(registry, serving)
    assert not isinstance(app, Starlette)
    client: httpx.Client
    with TestClient(app) as client:
        photo = base64.b64encode(Path(small_rows[30]["photo"]).read_bytes()).decode()
        found = client.post("/v1/search", json={"inputs": {"photo": photo}, "k": 3})
        assert found.status_code == 200, found.text
        hits = found.json()["hits"]
        assert len(hits) == 3
        assert hits[0]["row"]["says"] == small_rows[30]["says"]
        assert client.post("/v1/search", json={"words": "even", "k": 2}).json()["hits"]
        for body, words in (
            ({"inputs": {"photo": "/etc/passwd"}}, "opens no paths"),
            ({"inputs": {"photo": "aGVsbG8gd29ybGQ="}}, "not an image"),
            ({}, "Nothing is asked"),
            ({"k": 0, "words": "a"}, "k: "),
            ({"words": "a", "where": "1=1"}, "where"),
        ):
            refused = client.post("/v1/search", json=body)
            assert refused.status_code == 422, refused.text
            assert words in refused.json()["detail"]
