"""The client against a server that is a function."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.client import Client, ServerProblem, read_row
from polymodal.errors import PolymodalError

SCHEMA = {
    "inputs": [
        {"name": "photo", "file": True}, {"name": "says", "file": False},
        {"name": "album", "file": True},
    ]
}  # fmt: skip


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/schema"):
            return httpx.Response(200, json=SCHEMA)
        return answer(request)

    return Client("localhost:8000", key="k", model="m", transport=httpx.MockTransport(handle))


def test_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, polymodal.client; heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'pydantic',"
        " 'httpx'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_files_are_read_here_and_sent_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"answers": {}})

    with answering(answer) as client:
        row = {"photo": "a.png", "album": [b"one", Path("a.png")], "says": "a.png", "none": None}
        client.predict(row, folder=tmp_path)
    request = seen[0]
    assert request.url == "http://localhost:8000/v1/models/m/predict"
    assert request.headers["authorization"] == "Bearer k"
    encoded = {name: base64.b64encode(name.encode()).decode() for name in ("picture", "one")}
    assert json.loads(request.content)["inputs"] == {
        "photo": encoded["picture"],
        "album": [encoded["one"], encoded["picture"]],
        "says": "a.png",  # a text that looks like a path is a text
    }


def test_many_rows_are_sent_in_blocks_and_numbered_through() -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        lines = request.content.splitlines()
        sizes.append(len(lines))
        told = [{"row": i, "answers": json.loads(line)["inputs"]} for i, line in enumerate(lines)]
        return httpx.Response(200, text="\n".join(map(json.dumps, told)))

    with answering(answer) as client:
        rows = [{"says": str(i), "split": "test"} for i in range(150)]
        found = list(client.predict_many(rows))
    assert sizes == [64, 64, 22]
    assert [one["row"] for one in found] == list(range(150))
    assert found[149]["answers"] == {"says": "149"}


def test_what_the_server_refuses_is_an_error_with_its_words() -> None:
    problem = {"status": 422, "detail": "inputs.says: the number 5 came", "errors": [1]}
    with answering(lambda _: httpx.Response(422, json=problem)) as client:
        with pytest.raises(ServerProblem, match="the number 5 came") as caught:
            client.embed({"says": 5})
        assert caught.value.problem["errors"] == [1]
        with pytest.raises(ServerProblem):
            list(client.predict_many([{"says": 5}]))
    with (
        answering(lambda _: httpx.Response(502, text="<html>")) as client,
        pytest.raises(ServerProblem, match="502, and no JSON"),
    ):
        client.health()


def test_no_server_and_no_file_are_explained(tmp_path: Path) -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with (
        answering(away) as client,
        pytest.raises(PolymodalError, match="Is the server running there"),
    ):
        client.health()
    with (
        answering(away) as client,
        pytest.raises(PolymodalError, match=r"Column 'photo': the file 'b.png' cannot be read"),
    ):
        client.predict({"photo": "b.png"}, folder=tmp_path)


def test_reading_a_row(tmp_path: Path) -> None:
    path = tmp_path / "row.json"
    path.write_text('{"a": 1}')
    assert read_row(str(path)) == read_row('{"a": 1}') == {"a": 1}
    wrong: list[Any] = ["{", str(tmp_path / "none.json"), '{"a": 1'[:3]]
    path.write_text("[1]")
    for text in [*wrong, str(path)]:
        with pytest.raises(PolymodalError, match="row"):
            read_row(text)
