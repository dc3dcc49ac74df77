"""Some hundred requests that no friendly client sends; the benchmark sends ten thousand."""

import asyncio
import base64
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polymodal.serving.limits import Limits

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_server_keeps_its_countenance(
    serve: Callable[..., Any],
    whole_run: Path,
    small_rows: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from hostile_requests import attack

    photo = base64.b64encode(Path(small_rows[20]["photo"]).read_bytes()).decode()
    good = json.dumps({"inputs": {"image": photo, "photo": photo, "says": "round"}}).encode()
    limits = Limits(megabytes=5, answer_seconds=3, decode_seconds=3)
    with serve({"whole": whole_run}, limits) as client:
        statuses, bad = asyncio.run(
            attack(client.base_url.port, 300, random.Random(0), good, clients=8)
        )
        assert not bad
        assert sum(statuses.values()) == 300
        assert client.post("/v1/predict", json={"inputs": {"says": "round"}}).status_code == 200
    sys.modules.pop("hostile_requests")
