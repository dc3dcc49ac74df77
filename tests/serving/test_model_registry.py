"""A new version takes the place of the old one, and nobody goes without an answer."""

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymodal.experiment import fit
from polymodal.serving.application import Serving
from small_table import only

BODY = {"inputs": {"ink": 4.0, "hand": "left"}}


@pytest.fixture(scope="module")
def other_ink_run(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same inputs and target as ``ink_run``, another network."""
    out = tmp_path_factory.mktemp("runs") / "other"
    recipe = only("ink", "hand", train={"epochs": 2}, seed=7)
    fit(small_folder / "table.csv", "digit", recipe=recipe, out=out)
    return out


def replace_run(old: Path, new: Path) -> None:
    """As saving does: the manifest last."""
    (old / "manifest.json").unlink()
    for path in new.iterdir():
        if path.is_file() and path.name != "manifest.json":
            shutil.copy(path, old / path.name)
    shutil.rmtree(old / "modalities")
    shutil.copytree(new / "modalities", old / "modalities")
    shutil.copy(new / "manifest.json", old / "manifest.json")


def test_a_new_version_is_loaded_while_clients_ask(
    serve: Callable[..., Any], ink_run: Path, other_ink_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(ink_run, run)
    seen: Counter[tuple[int, str]] = Counter()
    stop = threading.Event()
    client: httpx.Client
    with serve({"ink": run}, serving=Serving(page=False, watch=0.1)) as client:
        first = client.post("/v1/predict", json=BODY).json()["version"]

        def ask() -> None:
            with httpx.Client(base_url=client.base_url, timeout=30) as mine:
                while not stop.is_set():
                    answer = mine.post("/v1/predict", json=BODY)
                    seen[answer.status_code, answer.json().get("version", "")] += 1

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        replace_run(run, other_ink_run)
        for _ in range(200):
            if client.get("/readyz").json()["models"]["ink"] != first:
                break
            stop.wait(0.05)
        stop.wait(0.3)
        stop.set()
        for asker in askers:
            asker.join()
        figures = client.get("/metrics").text
    assert {status for status, _ in seen} == {200}
    assert len({version for _, version in seen}) == 2
    assert 'polymodal_reloads_total{model="ink",result="reloaded"} 1.0' in figures


def test_a_broken_version_and_one_with_other_inputs_do_not_take_its_place(
    serve: Callable[..., Any], ink_run: Path, whole_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(ink_run, run)
    client: httpx.Client
    with serve({"ink": run}) as client:
        first = client.post("/v1/predict", json=BODY).json()
        assert client.post("/-/reload").json() == {"models": {"ink": "unchanged"}}
        manifest = json.loads((run / "manifest.json").read_text())
        (run / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
        said = client.post("/-/reload").json()["models"]["ink"]
        assert said.startswith("the old version stays") and "newer version" in said
        replace_run(run, whole_run)
        said = client.post("/-/reload").json()["models"]["ink"]
        assert "other inputs or targets" in said
        assert client.post("/v1/predict", json=BODY).json() == first
