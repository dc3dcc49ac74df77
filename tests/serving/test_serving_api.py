"""The API over real HTTP: the same answers as the Predictor, and errors that teach."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from polymodal import Predictor
from polymodal.client import Client

Rows = list[dict[str, Any]]
INPUTS = ("photo", "sound", "says", "ink", "hand", "traits")


def sent(row: dict[str, Any]) -> dict[str, Any]:
    """A row as JSON has it: files in base64."""
    cells = {name: row[name] for name in INPUTS if row[name] is not None}
    for name in ("photo", "sound"):
        if name in cells:
            cells[name] = base64.b64encode(Path(cells[name]).read_bytes()).decode()
    return cells


def test_json_gets_the_answers_of_the_predictor(
    server: httpx.Client, whole: Predictor, small_rows: Rows
) -> None:
    row = small_rows[20]
    answer = server.post("/v1/predict", json={"inputs": sent(row), "id": "row 20"}).json()
    frame = whole.predict([row], proba=True)
    assert answer["id"] == "row 20"
    assert answer["missing"] == []
    digit = answer["answers"]["digit"]
    assert digit["value"] == frame["digit"][0]
    for label, share in digit["probabilities"].items():
        assert share == pytest.approx(frame[f"digit={label}"][0], abs=2e-6)
    assert list(digit["probabilities"].values()) == sorted(
        digit["probabilities"].values(), reverse=True
    )
    assert answer["answers"]["price"]["value"] == pytest.approx(frame["price"][0], rel=1e-4)
    assert answer["answers"]["kinds"]["value"] == frame["kinds"][0]


def test_a_form_gets_the_same_answer_as_json(server: httpx.Client, small_rows: Rows) -> None:
    row = small_rows[21]
    by_json = server.post("/v1/predict", json={"inputs": sent(row)}).json()
    files = {name: Path(row[name]).read_bytes() for name in ("photo", "sound")}
    data = {name: str(row[name]) for name in ("says", "ink", "hand", "traits")}
    by_form = server.post("/v1/models/whole/predict", data=data, files=files)
    assert by_form.status_code == 200, by_form.text
    assert by_form.json() == by_json


def test_what_is_not_sent_is_missing(
    server: httpx.Client, whole: Predictor, small_rows: Rows
) -> None:
    row = {name: None for name in INPUTS} | {"says": small_rows[20]["says"]}
    answer = server.post("/v1/predict", json={"inputs": {"says": row["says"], "ink": None}}).json()
    assert answer["missing"] == ["photo", "sound", "ink", "hand", "traits"]
    expected = whole.predict([row], proba=True)
    assert answer["answers"]["digit"]["value"] == expected["digit"][0]


def test_explaining_leaves_each_given_input_out(
    server: httpx.Client, whole: Predictor, small_rows: Rows
) -> None:
    row = {name: None for name in INPUTS} | {n: small_rows[20][n] for n in ("photo", "ink", "says")}
    cells = {name: cell for name, cell in sent(row).items()}
    answer = server.post("/v1/explain", json={"inputs": cells}).json()
    influence = answer["influence"]["digit"]
    assert set(influence) == {"photo", "ink", "says"}
    label = answer["answers"]["digit"]["value"]
    share = answer["answers"]["digit"]["probabilities"][str(label)]
    without = whole.predict([row | {"photo": None}], proba=True)
    change = share - without[f"digit={label}"][0]
    assert influence["photo"]["change"] == pytest.approx(change, abs=3e-6)
    assert influence["photo"]["without"] == without["digit"][0]
    price = answer["influence"]["price"]["ink"]
    expected = (
        answer["answers"]["price"]["value"] - whole.predict([row | {"ink": None}])["price"][0]
    )
    assert price["change"] == pytest.approx(expected, rel=1e-3, abs=2e-3)


def test_embedding(server: httpx.Client, whole: Predictor, small_rows: Rows) -> None:
    answer = server.post("/v1/embed", json={"inputs": sent(small_rows[20])}).json()
    expected = whole.embed([small_rows[20]])[0]
    np.testing.assert_allclose(answer["embedding"], expected, atol=2e-5)


def test_lines_are_answered_in_their_order_and_bad_ones_do_not_stop_the_others(
    server: httpx.Client, small_rows: Rows
) -> None:
    lines = [json.dumps({"inputs": sent(row), "id": i}) for i, row in enumerate(small_rows[20:60])]
    lines[3], lines[7] = "no JSON", '{"inputs": {"colour": 1}}'
    response = server.post(
        "/v1/predict/batch",
        content="\n".join(lines) + "\n\n",
        headers={"Content-Type": "application/x-ndjson"},
    )
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [answer["row"] for answer in answers] == list(range(40))
    assert answers[3]["error"]["status"] == 400
    assert answers[7]["error"]["status"] == 422
    good = [answer for answer in answers if "answers" in answer]
    assert len(good) == 38
    assert [answer["id"] for answer in good] == [i for i in range(40) if i not in (3, 7)]
    alone = server.post("/v1/predict", json={"inputs": sent(small_rows[30])}).json()
    same = answers[10]["answers"]["digit"]["probabilities"]
    assert same == pytest.approx(alone["answers"]["digit"]["probabilities"], abs=2e-6)


def test_the_client_reads_files_and_answers_a_table(
    server: httpx.Client, whole: Predictor, small_rows: Rows
) -> None:
    rows = [{name: row[name] for name in INPUTS} for row in small_rows[20:90]]
    with Client(str(server.base_url)) as client:
        assert client.health()["status"] == "ready"
        said = [answer["answers"]["digit"]["value"] for answer in client.predict_many(rows)]
        one = client.predict(rows[0])["answers"]["digit"]["value"]
    expected = whole.predict(rows)["digit"].tolist()
    assert said == expected
    assert one == expected[0]


REFUSED: dict[str, tuple[Any, int, str]] = {
    "no JSON": (b"{", 400, "no JSON"),
    "not UTF-8": (b'{"inputs": {"says": "\xff"}}', 400, "no JSON"),
    "half a surrogate": (b'{"inputs": {"says": "\\ud800"}}', 400, "no JSON"),
    "nothing": ({"inputs": {}}, 422, "at least one of photo, sound"),
    "no inputs": ({"photo": "abc"}, 422, "Put the row under inputs"),
    "a list": ([1, 2], 422, "a list of 2 came"),
    "unknown": ({"inputs": {"poto": "abc"}}, 422, "Did you mean 'photo'"),
    "a path": ({"inputs": {"photo": "/etc/passwd"}}, 422, "opens no paths"),
    "an address": ({"inputs": {"photo": "http://127.0.0.1/a.png"}}, 422, "opens no paths"),
    "path object": ({"inputs": {"photo": {"path": "/etc/passwd"}}}, 422, "an object of 1 came"),
    "no picture": ({"inputs": {"photo": "aGVsbG8gd29ybGQ="}}, 422, "not an image"),
    "wrong type": ({"inputs": {"says": 5}}, 422, "inputs.says: the number 5 came; expected text"),
    "infinite": (b'{"inputs": {"ink": 1e999}}', 422, "inputs.ink: a number without bounds"),
    "not a number": (b'{"inputs": {"ink": NaN}}', 422, "inputs.ink"),
    "too large": ({"inputs": {"ink": 10**400}}, 422, "inputs.ink"),
    "unseen": ({"inputs": {"hand": "third"}}, 422, "unseen category"),
    "too long": ({"inputs": {"says": "a" * 100_001}}, 422, "shorter"),
    "deep": (b'{"inputs": ' + b"[" * 9999 + b"]" * 9999 + b"}", 400, "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_answered_is_explained(server: httpx.Client, case: str) -> None:
    body, status, words = REFUSED[case]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = server.post(
        "/v1/predict", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == status
    assert words in problem["detail"]
    if status == 422:
        assert {"field", "came", "expected", "remedy"} == set(problem["errors"][0])


def test_a_broken_cell_can_be_treated_as_missing(server: httpx.Client) -> None:
    body = {"inputs": {"photo": "aGVsbG8gd29ybGQ=", "says": "a round one"}}
    answer = server.post("/v1/predict?broken=treat_as_missing", json=body).json()
    assert "photo" in answer["missing"]
    assert answer["notes"] == ["photo: not an image: the content is plain text"]


def test_a_long_text_is_cut_and_noted(server: httpx.Client) -> None:
    answer = server.post("/v1/predict", json={"inputs": {"says": "word " * 5000}}).json()
    assert any(note.startswith("says: longer than") for note in answer["notes"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/predict", 405), ("POST", "/v1/schema", 405), ("GET", "/v1/nothing", 404),
        ("POST", "/v1/models/other/predict", 404), ("GET", "/nothing", 404),
        ("POST", "/healthz", 405), ("POST", "/v1/predict", 415), ("GET", "/v1/predict/", 404),
        ("POST", "/v1/predict?broken=maybe", 422), ("POST", "/v1/predict?borken=error", 422),
        ("POST", "/v1/predict/batch", 415),
    ],
)  # fmt: skip
def test_wrong_addresses(server: httpx.Client, method: str, path: str, status: int) -> None:
    response = server.request(method, path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    if status == 405:
        assert response.headers["allow"] in ("POST", "GET")


def test_the_description_has_examples_that_are_answered(server: httpx.Client) -> None:
    api = server.get("/openapi.json").json()
    posts = {path: at["post"] for path, at in api["paths"].items() if "post" in at}
    assert {"/v1/predict", "/v1/models/ink/embed"} <= set(posts)
    for path, operation in posts.items():
        example = operation["requestBody"]["content"].get("application/json", {}).get("example")
        if example is not None:
            response = server.post(path, json=example)
            assert response.status_code == 200, (path, response.text)
    page = server.get("/docs")
    assert "/v1/predict" in page.text
    assert "src=" not in page.text and "<link" not in page.text  # nothing from elsewhere


def test_schema_health_and_figures(server: httpx.Client) -> None:
    schema = server.get("/v1/schema").json()
    assert [field["name"] for field in schema["inputs"]] == list(INPUTS)
    assert server.get("/v1/models/ink/schema").json()["targets"][0]["name"] == "digit"
    assert [m["name"] for m in server.get("/v1/models").json()["models"]] == ["whole", "ink"]
    assert server.get("/healthz").json() == {"status": "alive"}
    assert server.get("/readyz").json()["status"] == "ready"
    server.post("/v1/models/ink/predict", json={"inputs": {"ink": 1}})
    figures = server.get("/metrics").text
    assert 'polymodal_requests_total{route="/v1/models/{model}/predict",status="200"}' in figures
    assert 'polymodal_workers{model="whole"} 1.0' in figures


def test_every_answer_has_headers_of_safety_and_no_other_site_is_let_in(
    server: httpx.Client,
) -> None:
    for path in ("/v1/schema", "/v1/nothing", "/nothing"):
        headers = server.get(path, headers={"Origin": "http://elsewhere"}).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert len(headers["x-request-id"]) == 12


def test_other_sites_are_let_in_when_asked(serve: Callable[..., Any], ink_run: Path) -> None:
    from polymodal.serving.application import Serving

    serving = Serving(page=False, watch=0, origins=("http://friend",))
    with serve({"ink": ink_run}, serving=serving) as client:
        for site, allowed in (("http://friend", "http://friend"), ("http://foe", None)):
            headers = client.get("/v1/schema", headers={"Origin": site}).headers
            assert headers.get("access-control-allow-origin") == allowed


def test_the_log_tells_no_content(server: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "polymodal.serving"):
        server.post("/v1/predict?broken=secret1", json={"inputs": {"says": "secret2"}})
        server.post("/v1/predict", json={"inputs": {"says": "secret2", "secret3": 1}})
        server.get("/v1/secret4")
    assert "422" in caplog.text
    assert "secret" not in caplog.text
