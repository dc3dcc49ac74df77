"""Rows like one that is sent, from an index beside the model: by the API and by the page."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.errors import RunError
from polymodal.search.search_index import SearchIndex
from polymodal.serving.application import Serving
from polymodal.serving.limits import Limits
from polymodal.serving.model_registry import ModelRegistry
from polymodal.serving.served_index import ServedIndex

pytest.importorskip("lancedb")
pytestmark = pytest.mark.slow


def not_to_be_loaded(run: Path) -> Any:
    """An index needs no engine."""
    raise AssertionError(run)


def registry_of(run: Path) -> ModelRegistry:
    return ModelRegistry({"whole": run}, not_to_be_loaded, limits=Limits(), workers=1)


@pytest.fixture(scope="module")
def place(
    whole_run: Path, small_rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    place = tmp_path_factory.mktemp("searched") / "index"
    SearchIndex.build(whole_run, small_rows[20:60], place)
    return place


@pytest.fixture(scope="module")
def client(serve: Callable[..., Any], whole_run: Path, place: Path) -> Iterator[httpx.Client]:
    with serve({"whole": whole_run}, index=place) as client:
        yield client


def test_rows_like_one_that_is_sent(client: httpx.Client, small_rows: list[dict[str, Any]]) -> None:
    photo = base64.b64encode(Path(small_rows[30]["photo"]).read_bytes()).decode()
    found = client.post("/v1/search", json={"inputs": {"photo": photo}, "k": 3})
    assert found.status_code == 200, found.text
    hits = found.json()["hits"]
    assert len(hits) == 3
    assert hits[0]["row"]["says"] == small_rows[30]["says"]
    assert hits[0]["thumbnail"].startswith("data:image/webp;base64,")
    says = small_rows[31]["says"]
    sent = {"inputs": {"photo": photo}, "where": f"says = '{says}'"}
    kept = client.post("/v1/search", json=sent).json()["hits"]
    assert {hit["row"]["says"] for hit in kept} == {says}
    assert client.post("/v1/search", json={"words": "even", "k": 2}).json()["hits"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"inputs": {"photo": "/etc/passwd"}}, "opens no paths"),
        ({"inputs": {"photo": "aGVsbG8gd29ybGQ="}}, "not an image"),
        ({}, "Nothing is asked"),
        ({"k": 0, "words": "a"}, "k: "),
        ({"words": "a", "where": "repeat('a', 9) = 'a'"}, "no column 'repeat'"),
        ({"words": "a", "where": "says <"}, "cannot be used"),
        ({"words": "a", "nothing": 1}, "nothing: "),
    ],
)
def test_what_cannot_be_asked(client: httpx.Client, body: dict[str, Any], words: str) -> None:
    refused = client.post("/v1/search", json=body)
    assert refused.status_code == 422, refused.text
    assert words in refused.json()["detail"]


def test_its_description_has_an_example_that_is_answered(client: httpx.Client) -> None:
    api = client.get("/openapi.json").json()
    content = api["paths"]["/v1/search"]["post"]["requestBody"]["content"]["application/json"]
    assert client.post("/v1/search", json=content["example"]).json()["hits"]
    assert "photo" in api["components"]["schemas"]["Search_inputs"]["properties"]
    assert "/v1/search" in client.get("/docs").text


def test_an_index_of_another_model(ink_run: Path, place: Path) -> None:
    with pytest.raises(RunError, match="Serve that run, or make the index anew"):
        ServedIndex.open(place, registry_of(ink_run))


def test_it_needs_no_route_where_there_is_no_index(server: httpx.Client) -> None:
    assert server.post("/v1/search", json={"words": "a"}).status_code == 404
    assert Serving().index is None
