"""Sizes, times and numbers that are bounded, over real connections."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.serving.limits import Limits

SMALL = Limits(megabytes=0.1, answer_seconds=1.0, waiting=2, batch=2)


@pytest.fixture(scope="module")
def bounded(serve: Callable[..., Any], whole_run: Path) -> Iterator[httpx.Client]:
    with serve({"whole": whole_run}, SMALL) as client:
        yield client


def raw(client: httpx.Client, content: bytes, *, seconds: float = 10) -> bytes:
    """What the server says to these bytes."""
    place = client.base_url
    with socket.create_connection((place.host, place.port), timeout=seconds) as connection:
        connection.sendall(content)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
            if b"\r\n\r\n" in answer:
                return answer
        return answer


def test_a_body_that_is_too_large_is_refused(bounded: httpx.Client) -> None:
    body = json.dumps({"inputs": {"says": "a" * 300_000}}).encode()
    declared = bounded.post(
        "/v1/predict", content=body, headers={"Content-Type": "application/json"}
    )
    assert declared.status_code == 413
    assert "--max-mb" in declared.json()["detail"]
    chunks = (body[i : i + 10_000] for i in range(0, len(body), 10_000))
    streamed = bounded.post(
        "/v1/predict", content=chunks, headers={"Content-Type": "application/json"}
    )
    assert streamed.status_code == 413


def test_a_line_that_is_too_long_ends_the_stream_with_a_problem(bounded: httpx.Client) -> None:
    row = json.dumps({"inputs": {"says": "short"}})
    response = bounded.post(
        "/v1/predict/batch",
        content=f"{row}\n{'x' * 200_000}\n{row}",
        headers={"Content-Type": "application/x-ndjson"},
    )
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert "answers" in answers[0]
    assert answers[1]["error"]["status"] == 413
    assert len(answers) == 2


def test_a_body_that_does_not_come_is_not_waited_for(bounded: httpx.Client) -> None:
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    before = time.monotonic()
    answer = raw(bounded, head + b"Content-Length: 100\r\n\r\n{")
    assert b"408" in answer.splitlines()[0]
    assert 0.8 < time.monotonic() - before < 5


def test_too_many_at_once_are_sent_away_with_a_time_to_come_back(bounded: httpx.Client) -> None:
    async def many() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=bounded.base_url, timeout=30) as client:
            body = {"inputs": {"says": "a few words", "ink": 3}}
            return await asyncio.gather(*(client.post("/v1/predict", json=body) for _ in range(40)))

    answers = asyncio.run(many())
    statuses = {answer.status_code for answer in answers}
    assert statuses == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert int(refused.headers["retry-after"]) >= 1
    assert bounded.post("/v1/predict", json={"inputs": {"ink": 3}}).status_code == 200


def test_a_stream_of_rows_waits_where_single_rows_are_sent_away(bounded: httpx.Client) -> None:
    rows = "\n".join(json.dumps({"inputs": {"ink": i}}) for i in range(60))
    response = bounded.post(
        "/v1/predict/batch", content=rows, headers={"Content-Type": "application/x-ndjson"}
    )
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert len(answers) == 60 and all("answers" in answer for answer in answers)


def test_a_client_that_leaves_is_forgotten(bounded: httpx.Client) -> None:
    body = json.dumps({"inputs": {"says": "a few words"}}).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    content = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    place = bounded.base_url
    for _ in range(20):
        with socket.create_connection((place.host, place.port)) as connection:
            connection.sendall(content)
    time.sleep(0.3)
    assert bounded.post("/v1/predict", json={"inputs": {"ink": 3}}).status_code == 200
    assert 'polymodal_rows_inside{model="whole"} 0.0' in bounded.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://127.0.0.1/", "/gradio_api/file=..%2f..%2fetc%2fpasswd",
     "/gradio_api/run/predict", "/monitoring", "/gradio_api/vibe-code", "/.env"],
)  # fmt: skip
def test_doors_that_the_page_does_not_need_are_shut(bounded: httpx.Client, path: str) -> None:
    for method in ("GET", "POST"):
        assert bounded.request(method, path).status_code == 404
