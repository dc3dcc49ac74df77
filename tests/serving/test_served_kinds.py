"""Models that write, that align columns, and that verify identities, behind one server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.experiment import fit
from polymodal.predictor import Predictor
from small_table import only

pytestmark = pytest.mark.slow
Rows = list[dict[str, Any]]
ONCE = {"epochs": 1, "batch_size": 16, "modality_dropout": 0.0}
ROW = {"ink": 3.0, "says": "a round one"}


@pytest.fixture(scope="module")
def runs(small_rows: Rows, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("kinds")
    people = [{**row, "who": f"{row['digit']} {'ab'[i % 2]}"} for i, row in enumerate(small_rows)]
    said = [{**row, "said": f"the {row['digit']} is here"} for row in small_rows]
    written = only("ink", "says", train=ONCE)
    written["columns"]["said"] = {"modality": "text"}
    aligned = only("ink", "says", train=ONCE, objective={"name": "align", "width": 16})
    verified = only(
        "ink", "says", train=ONCE, objective={"name": "verify", "size": 8},
        split={"validation": 0.25, "test": 0.25},
    )  # fmt: skip
    fit(said, "said", recipe=written, out=folder / "written")
    fit(small_rows, [], recipe=aligned, out=folder / "aligned")
    fit(people, "who", recipe=verified, out=folder / "verified")
    return {name: folder / name for name in ("written", "aligned", "verified")}


@pytest.fixture(scope="module")
def client(serve: Callable[..., Any], runs: dict[str, Path]) -> Iterator[httpx.Client]:
    with serve(runs) as client:
        yield client


def test_a_text_is_written_as_the_predictor_writes_it(
    client: httpx.Client, runs: dict[str, Path]
) -> None:
    answer = client.post("/v1/models/written/predict", json={"inputs": ROW}).json()
    frame = Predictor.load(runs["written"]).predict([ROW], proba=True)
    said = answer["answers"]["said"]
    assert said["value"] == frame["said"][0]
    assert said["score"] == pytest.approx(frame["said=score"][0], abs=2e-6)
    told = client.post("/v1/models/written/explain", json={"inputs": ROW}).json()
    assert set(told["influence"]["said"]) == {"ink", "says"}
    assert told["influence"]["said"]["ink"]["change"] is None
    assert isinstance(told["influence"]["said"]["ink"]["without"], str)


def test_what_aligns_names_the_addresses_that_it_has(client: httpx.Client) -> None:
    for task in ("predict", "explain"):
        refused = client.post(f"/v1/models/aligned/{task}", json={"inputs": ROW})
        assert refused.status_code == 404
        assert "/v1/embed" in refused.json()["detail"] and "/v1/search" in refused.json()["detail"]
    vector = client.post("/v1/models/aligned/embed", json={"inputs": ROW}).json()["embedding"]
    assert len(vector) == 16
    paths = client.get("/openapi.json").json()["paths"]
    assert "/v1/models/aligned/embed" in paths
    assert "/v1/models/aligned/predict" not in paths
    assert "/v1/models/aligned/predict/batch" not in paths


def test_what_verifies_says_what_its_answer_is_and_from_where_rows_are_the_same(
    client: httpx.Client, runs: dict[str, Path]
) -> None:
    threshold = Predictor.load(runs["verified"]).metrics["verification"]["threshold"]
    assert client.get("/v1/models/verified/schema").json()["same_from"] == threshold
    answer = client.post("/v1/models/verified/predict", json={"inputs": ROW}).json()
    assert "nearest identity of the training part" in answer["notes"][0]
    assert client.get("/v1/models/written/schema").json()["same_from"] is None
