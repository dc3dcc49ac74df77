"""``polymodal serve`` and ``polymodal client`` as processes of their own."""

import json
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import typer

from polymodal.cli.serve import named_runs

POLYMODAL = [sys.executable, "-m", "polymodal.cli"]


class Started:
    """A server as a user starts it."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*POLYMODAL, "serve", "--port", "0", *arguments],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.said = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if line.startswith("try "):
                break
        found = re.search(r"docs   (http://\S+)/docs", self.said)
        assert found, self.said
        self.address = found[1]

    def stop(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        return rest


@contextmanager
def started(*arguments: str) -> Iterator[Started]:
    server = Started(*arguments)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def polymodal(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*POLYMODAL, *arguments], capture_output=True, text=True, timeout=120)


def test_names_of_runs(tmp_path: Path) -> None:
    (tmp_path / "x=y").mkdir()
    assert named_runs([str(tmp_path / "mine")]) == {"mine": tmp_path / "mine"}
    assert named_runs(["a=r1", "b=r2"]) == {"a": Path("r1"), "b": Path("r2")}
    with pytest.raises(typer.BadParameter, match="cannot be a model's name"):
        named_runs([str(tmp_path / "x=y")])  # a folder of that name, not a run called x
    with pytest.raises(typer.BadParameter, match="two models are called"):
        named_runs(["r/a", "s/a"])


def test_a_new_key_is_printed_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.txt"
    done = polymodal("serve", "--new-key", str(path), "--key-name", "anna")
    assert done.returncode == 0 and done.stdout.startswith("pm_")
    assert done.stdout.strip() not in path.read_text()
    again = polymodal("serve", "--new-key", str(path), "--key-name", "anna")
    assert again.returncode == 1 and "choose another name" in again.stderr


@pytest.mark.slow
def test_mistakes_are_explained(tmp_path: Path, ink_run: Path) -> None:
    none = polymodal("serve", str(tmp_path / "none"), "--port", "0", "--no-page")
    assert none.returncode == 1
    assert "There is no run directory" in none.stderr
    engine = polymodal("serve", str(ink_run), "--engine", "onxx", "--port", "0", "--no-page")
    assert engine.returncode == 1 and "Did you mean 'onnx'" in engine.stderr
    away = polymodal("client", "http://127.0.0.1:9", "health")
    assert away.returncode == 1 and "Is the server running there" in away.stderr


@pytest.mark.slow
def test_what_it_prints_works_and_it_stops_with_everything_answered(whole_run: Path) -> None:
    with started(str(whole_run), "--no-page", "--log-level", "warning") as server:
        line = next(li for li in server.said.splitlines() if li.startswith("try "))
        command = shlex.split(line.removeprefix("try").strip())
        body = json.loads(command[command.index("-d") + 1])
        assert command[0] == "curl"
        assert httpx.post(command[1], json=body, timeout=30).status_code == 200
        assert httpx.get(f"{server.address}/docs", timeout=30).status_code == 200

        statuses: list[int] = []

        def ask() -> None:
            with httpx.Client(timeout=30) as client:
                for _ in range(400):
                    try:
                        answer = client.post(f"{server.address}/v1/predict", json=body)
                    except httpx.HTTPError as error:
                        # What comes after the end is not taken; an answer is not cut off.
                        assert isinstance(error, httpx.TransportError)
                        ends = ("disconnected", "refused", "reset by peer")
                        assert any(end in str(error) for end in ends), repr(error)
                        return
                    statuses.append(answer.status_code)

        askers = [threading.Thread(target=ask) for _ in range(4)]
        for asker in askers:
            asker.start()
        while len(statuses) < 30:
            askers[0].join(0.01)
        rest = server.stop()
        for asker in askers:
            asker.join()
    assert set(statuses) == {200}
    assert "Traceback" not in rest


@pytest.mark.slow
def test_the_client_command(small_folder: Path, whole_run: Path, tmp_path: Path) -> None:
    key = polymodal("serve", "--new-key", str(tmp_path / "keys")).stdout.strip()
    with started(
        str(whole_run), "--no-page", "--keys", str(tmp_path / "keys"), "--log-level", "warning"
    ) as server:
        client = ["client", server.address]
        refused = polymodal(*client, "schema")
        assert refused.returncode == 1 and "asks for a key" in refused.stderr
        health = polymodal(*client)
        assert json.loads(health.stdout)["status"] == "ready"
        row = json.dumps({"says": "a round one", "photo": str(small_folder / "photos/020.png")})
        one = polymodal(*client, "explain", row, "--key", key)
        assert set(json.loads(one.stdout)["influence"]["digit"]) == {"says", "photo"}
        out = tmp_path / "answers.jsonl"
        many = polymodal(*client, "predict", str(small_folder / "table.csv"), "--key", key,
                         "--skip-broken", "-o", str(out))  # fmt: skip
        # Photos and sounds that are not there cannot be sent: the client says which.
        assert many.returncode == 1 and "cannot be read" in many.stderr
        lines = (small_folder / "table.csv").read_text().splitlines()
        (small_folder / "good.csv").write_text("\n".join([lines[0], *lines[20:40]]))
        many = polymodal(*client, "predict", str(small_folder / "good.csv"), "--key", key,
                         "-o", str(out))  # fmt: skip
        assert many.returncode == 0, many.stderr
        assert "20 rows; 0 without an answer" in many.stderr
        assert len(out.read_text().splitlines()) == 20
