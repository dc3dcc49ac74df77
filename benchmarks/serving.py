"""A server on this machine: what it adds to the network, how it batches, and what it survives.

    python benchmarks/serving.py                     # a small model is trained first
    python benchmarks/serving.py --run runs/mine --requests 5000 --hostile 10000

The run must read an ``image`` and a ``question``. Load generator and server share the machine.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from measuring import arguments, child, figure, title

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "easy_vqa"
HOST = "127.0.0.1"


def picture(kilobytes: int = 30) -> bytes:
    """A JPEG of about so many kB, as a phone's thumbnail has."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    base = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
    photo = Image.fromarray(base).resize((640, 480), Image.Resampling.BICUBIC)
    noise = rng.normal(0, 6, (480, 640, 3))
    photo = Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8))
    for quality in range(95, 5, -1):
        file = io.BytesIO()
        photo.save(file, "JPEG", quality=quality)
        if file.tell() <= 1000 * kilobytes:
            break
    return file.getvalue()


def row_body() -> bytes:
    encoded = base64.b64encode(picture()).decode()
    question = "what colour is the shape in the middle of the picture?"
    return json.dumps({"inputs": {"image": encoded, "question": question}}).encode()


class Server:
    """A server as a process of its own."""

    def __init__(self, run: str, *options: str) -> None:
        command = [sys.executable, "-m", "polymodal.cli", "serve", run, "--port", "0",
                   "--no-page", "--log-level", "warning", *options]  # fmt: skip
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(command, stderr=self.log, stdout=self.log)
        began = time.monotonic()
        while True:
            self.log.seek(0)
            found = re.search(r"docs   http://[^:]+:(\d+)", self.log.read())
            if found:
                break
            if self.process.poll() is not None or time.monotonic() - began > 120:
                self.log.seek(0)
                raise SystemExit(f"the server did not start:\n{self.log.read()[-2000:]}")
            time.sleep(0.1)
        self.port = int(found[1])

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.close()

    def megabytes(self, pid: int | None = None) -> float:
        """Resident memory of the server and its workers (pages they share count once)."""
        pids = [self.process.pid, *descendants(self.process.pid)] if pid is None else [pid]
        return sum(proportional_set(one) for one in pids)


@contextmanager
def served(run: str, *options: str):
    server = Server(run, *options)
    try:
        yield server
    finally:
        server.stop()


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(parts[1]) == pid:
            inner = int(path.parent.name)
            found += [inner, *descendants(inner)]
    return found


def proportional_set(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return int(re.search(r"Pss:\s+(\d+)", text)[1]) / 1024


class Connection:
    """HTTP/1.1 over one kept connection, with as little work of its own as can be."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reader: asyncio.StreamReader | None = None

    async def ask(self, body: bytes, path: str = "/v1/predict") -> tuple[int, bytes]:
        if self.reader is None:
            self.reader, self.writer = await asyncio.open_connection(HOST, self.port)
        head = (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n")  # fmt: skip
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        length = next(int(n.split(b":")[1]) for n in lines if n.startswith(b"content-length"))
        content = await self.reader.readexactly(length)
        if any(line.lower() == b"connection: close" for line in lines):
            self.close()
        return int(lines[0].split()[1]), content

    def close(self) -> None:
        if self.reader is not None:
            self.writer.close()
            self.reader = None


async def load(port: int, body: bytes, *, requests: int, clients: int) -> dict:
    """Ask as fast as the server answers, with so many clients at once."""
    seconds: list[float] = []
    statuses: Counter[int] = Counter()
    left = iter(range(requests))

    async def client() -> None:
        connection = Connection(port)
        for _ in left:
            before = time.perf_counter()
            status, _ = await connection.ask(body)
            seconds.append(time.perf_counter() - before)
            statuses[status] += 1
        connection.close()

    before = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    whole = time.perf_counter() - before
    cuts = statistics.quantiles(seconds, n=100)
    return {
        "p50": 1000 * cuts[49], "p95": 1000 * cuts[94], "p99": 1000 * cuts[98],
        "rate": requests / whole, "errors": requests - statuses[200],
    }  # fmt: skip


def inner(run: str, kind: str) -> None:
    """In a child, beside the idle server: the network alone, and rows a second of `predict`."""
    from polymodal.predictor import Predictor
    from polymodal.serving.decoding_worker import decode_rows
    from polymodal.serving.engines import load_engine

    content = picture()
    question = "what colour is the shape in the middle of the picture?"
    engine = load_engine(Path(run), kind=kind)
    decoded = decode_rows([{"image": content, "question": question}], engine.inputs)
    alone = []
    for _ in range(320):
        before = time.perf_counter()
        engine.answer(decoded.pack)
        alone.append(time.perf_counter() - before)
    predictor = Predictor.load(run)
    # Different bytes each, so that nothing is decoded once for all.
    rows = [
        {"image": content + bytes([i % 256, i // 256]), "question": question} for i in range(512)
    ]
    rates = []
    for _ in range(4):
        before = time.perf_counter()
        predictor.predict(rows)
        rates.append(len(rows) / (time.perf_counter() - before))
    print(json.dumps({"alone": 1000 * statistics.median(alone[20:]), "rate": max(rates[1:])}))


def speed(run: str, *, requests: int, kind: str) -> None:
    body = row_body()
    title(f"a row of a {len(picture()) / 1000:.0f} kB picture and a sentence, {requests} requests")
    with served(run, "--engine", kind) as server:
        asyncio.run(load(server.port, body, requests=100, clients=4))
        plain = child([__file__, "--run", run, "--inner", "yes", "--engine", kind])
        if "error" in plain:
            raise SystemExit(plain["error"])
        figure("network alone, one row: p50", plain["alone"], "ms")
        figure("offline: Predictor.predict, decoding included", plain["rate"], "rows/s")
        one = asyncio.run(load(server.port, body, requests=max(requests // 10, 50), clients=1))
        many = asyncio.run(load(server.port, body, requests=requests, clients=32))
        print_load("1 client", one)
        figure("1 client: p50 beyond the network alone", one["p50"] - plain["alone"], "ms", most=4)
        print_load("32 clients", many)
    figure("32 clients: p99 / p50", many["p99"] / many["p50"], "x", most=4)
    figure("32 clients: rate / offline rate", many["rate"] / plain["rate"], "x", least=0.7)
    with served(run, "--engine", kind, "--max-batch", "1") as server:
        asyncio.run(load(server.port, body, requests=100, clients=4))
        off = asyncio.run(load(server.port, body, requests=max(requests // 5, 50), clients=32))
        print_load("32 clients, batching off", off)
    figure("32 clients: rate / rate with batching off", many["rate"] / off["rate"], "x", least=3)
    errors = one["errors"] + many["errors"]
    figure("errors", errors, f"of {requests + max(requests // 10, 50)}")
    print("   none allowed:", "met" if not errors else "MISSED")


def print_load(name: str, found: dict) -> None:
    figure(f"{name}: p50", found["p50"], "ms")
    figure(f"{name}: p95", found["p95"], "ms")
    figure(f"{name}: p99", found["p99"], "ms")
    figure(f"{name}: rate", found["rate"], "rows/s")


def killed(run: str) -> None:
    title("a worker is killed while 16 clients ask")
    body = row_body()

    async def scenario(server: Server) -> tuple[Counter[int], float]:
        statuses: Counter[int] = Counter()
        done = asyncio.Event()

        async def client() -> None:
            connection = Connection(server.port)
            while not done.is_set():
                status, _ = await connection.ask(body)
                statuses[status] += 1
            connection.close()

        clients = [asyncio.create_task(client()) for _ in range(16)]
        await asyncio.sleep(1.0)
        workers = [pid for pid in descendants(server.process.pid) if is_worker(pid)]
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        before, answered = time.monotonic(), sum(statuses.values())
        while sum(statuses.values()) <= answered + 16:
            await asyncio.sleep(0.01)
        back = time.monotonic() - before
        await asyncio.sleep(1.0)
        done.set()
        await asyncio.gather(*clients)
        print(f"   {len(workers)} of {len(workers)} workers killed; answers by status: "
              f"{dict(statuses)}")  # fmt: skip
        return statuses, back

    with served(run) as server:
        statuses, back = asyncio.run(scenario(server))
    figure("answers again after", back, "s", most=5)
    unclean = sum(count for status, count in statuses.items() if status not in (200, 422))
    print("   clean errors only:", "met" if not unclean else "MISSED")


def schemathesis(port: int, examples: int) -> tuple[int, str]:
    """Requests that its generator sent, and what it complains about; by the API's description."""
    command = [sys.executable, "-m", "schemathesis.cli", "run",
               f"http://{HOST}:{port}/openapi.json", "--checks", "not_a_server_error",
               "--max-examples", str(examples), "--no-color", "--request-timeout", "20",
               "--exclude-path-regex", "batch", "--suppress-health-check", "all"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    found = re.search(r"(\d+) generated", done.stdout)
    complaint = "" if done.returncode == 0 else done.stdout[-1500:] + done.stderr[-500:]
    return int(found[1]) if found else 0, complaint


def is_worker(pid: int) -> bool:
    """Whether a process has no children of its own and is no tracker of resources."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"resource_tracker" not in command and not descendants(pid)


def hostile(run: str, count: int) -> None:
    title(f"{count} hostile requests")
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from hostile_requests import attack

    with served(run, "--timeout", "3", "--decode-timeout", "3", "--max-mb", "5") as server:
        body = row_body()
        asyncio.run(load(server.port, body, requests=500, clients=16))
        asyncio.run(attack(server.port, count // 10, random.Random(1), body))
        before = server.megabytes()
        began = time.monotonic()
        statuses, bad = asyncio.run(attack(server.port, count, random.Random(0), body))
        seconds = time.monotonic() - began
        generated, complaint = schemathesis(server.port, max(count // 100, 5))
        after = server.megabytes()
        good = asyncio.run(load(server.port, body, requests=50, clients=4))
        alive = server.process.poll() is None
    print(f"   {seconds:.0f} s; answers by status: {dict(sorted(statuses.items()))}")
    for what in bad[:10]:
        print("   unexpected:", what)
    figure("unexpected answers (5xx but 503 and 504, or none)", len(bad))
    figure("besides, by schemathesis from the description", generated)
    print("   no server errors there:", "met" if not complaint else f"MISSED {complaint}")
    figure("memory before", before, "MB")
    figure("memory after / before", after / before, "x", most=1.1)
    print("   the next good requests are answered:",
          "met" if alive and not good["errors"] else "MISSED")  # fmt: skip


def trained() -> str:
    """A run of the example, a few passes."""
    out = Path(tempfile.gettempdir()) / "polymodal-benchmark-serving"
    if not (out / "manifest.json").exists():
        command = [sys.executable, "-m", "polymodal.cli", "train", str(EXAMPLE / "demo.yaml"),
                   "--out", str(out), "--overwrite", "--set", "train.epochs=2"]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(out)


def main() -> None:
    given = arguments(
        __doc__, run=None, requests=2000, hostile=1000, engine="torch", inner="", only=""
    )
    if given.inner:
        inner(given.run, given.engine)
        return
    run = given.run or trained()
    if given.only in ("", "speed"):
        speed(run, requests=given.requests, kind=given.engine)
    if given.only in ("", "killed"):
        killed(run)
    if given.only in ("", "hostile") and given.hostile:
        hostile(run, given.hostile)


if __name__ == "__main__":
    main()
