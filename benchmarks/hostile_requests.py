"""Requests that no friendly client sends, and whether the server keeps its countenance."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator

HOST = "127.0.0.1"
PATIENCE = 20.0  # seconds for an answer, which must come long before
ALLOWED = {503, 504}  # of those from 500 on
PATHS = ["/v1/predict", "/v1/explain", "/v1/embed", "/v1/predict/batch"]
TRICKS = [
    "/etc/passwd", "../../../../etc/passwd", "file:///etc/passwd", "http://169.254.169.254/latest",
    "http://127.0.0.1:22/", "\\\\server\\share", "/dev/zero", "/proc/self/environ", "a.png\0.txt",
    "windows.npz#3", "data:image/png;base64,", "data:image/png;base64,AAAA", "%2e%2e%2f", "|ls",
]  # fmt: skip
ADDRESSES = [
    "/v1/../../etc/passwd", "/gradio_api/file=/etc/passwd", "/gradio_api/proxy=http://127.0.0.1/",
    "/v1/models/%2e%2e/predict", "/v1/models//predict", "/v1/models/%00/predict", "//etc/passwd",
    "/%ff%fe", "/v1/predict?broken=" + "x" * 3000, "/v1/predict?a=1&a=2", "/static/../../x",
    "/gradio_api/run/predict", "/config?x=%0d%0aSet-Cookie:a=b", "/.git/config", "/docs/../metrics",
    "/assets/..%2f..%2f..%2fetc/passwd", "/gradio_api/upload", "/-/nothing", "/v1", "/metrics/",
]  # fmt: skip
TEXTS = [
    "\u0000", "\u202e\u2066", "\U0001f9d1\u200d\U0001f680" * 50, "\ufeff", "Z\u0351\u036b" * 300,
    "\ufffe\uffff", "' OR 1=1 --", "<script>alert(1)</script>", "{{7*7}}", "%s%n%x", "\r\n\r\n",
    "a" * 99_999, "a" * 100_001, " " * 500, "\u3000", "ﷺ" * 1000,
]  # fmt: skip


class Attack:
    """What is sent, in parts with pauses between them.

    Args:
        kind: for the report.
        parts: bytes to send.
        pause: seconds between two parts.
        leaves: whether the client leaves without waiting for an answer.
        malformed: whether the server may close the connection without an answer.
    """

    def __init__(
        self,
        kind: str,
        *parts: bytes,
        pause: float = 0.0,
        leaves: bool = False,
        malformed: bool = False,
    ) -> None:
        self.kind, self.parts, self.pause = kind, parts, pause
        self.leaves, self.malformed = leaves, malformed


def post(path: str, body: bytes, kind: str = "application/json", *, length: int = -1) -> bytes:
    """A request as it stands on the wire."""
    declared = len(body) if length < 0 else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
    return head.encode() + f"Content-Length: {declared}\r\n\r\n".encode() + body


def attacks(chance: random.Random, good: bytes) -> Iterator[Attack]:
    """Hostile requests without end, of all kinds in turn."""
    while True:
        for make in KINDS:
            yield make(chance, good)


def truncated(chance: random.Random, good: bytes) -> Attack:
    cut = chance.randrange(len(good))
    if chance.random() < 0.5:
        return Attack("truncated JSON", post(chance.choice(PATHS), good[:cut]))
    whole = post(chance.choice(PATHS), good[:cut], length=len(good))
    return Attack("cut connection", whole, leaves=True)


def wrong_types(chance: random.Random, _: bytes) -> Attack:
    names = ["image", "question", "sound", "", "inputs", "__class__", "😀", "image.question"]
    inputs = {chance.choice(names): _anything(chance, 3) for _ in range(chance.randrange(4))}
    body = chance.choice([{"inputs": inputs}, {"inputs": _anything(chance, 2)}, inputs,
                          _anything(chance, 3)])  # fmt: skip
    return Attack("wrong types", post(chance.choice(PATHS[:3]), json.dumps(body).encode()))


def tricks(chance: random.Random, _: bytes) -> Attack:
    trick = chance.choice(TRICKS)
    inputs = chance.choice([{"image": trick}, {"image": [trick]}, {"image": {"path": trick}},
                            {"image": {"bytes": None, "path": trick}}, {"question": trick},
                            {"image": {"url": trick}}])  # fmt: skip
    return Attack("paths in values", post("/v1/predict", json.dumps({"inputs": inputs}).encode()))


def addresses(chance: random.Random, good: bytes) -> Attack:
    address = chance.choice(ADDRESSES)
    method = chance.choice(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE", "FOO"])
    head = f"{method} {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    return Attack("odd addresses", f"{head}Content-Length: 0\r\n\r\n".encode())


def numbers(chance: random.Random, _: bytes) -> Attack:
    number = chance.choice(["1e400", "-1e400", "NaN", "Infinity", "9" * 6000, "-0", "1e-400",
                            "0x10", "1_000", "00", "1" + "0" * 400])  # fmt: skip
    body = chance.choice(['{"inputs": {"image": %s}}', '{"inputs": {"question": %s}}',
                          '{"inputs": %s}', '{"id": %s, "inputs": {"question": "a"}}'])  # fmt: skip
    return Attack("huge numbers", post("/v1/predict", (body % number).encode()))


def texts(chance: random.Random, _: bytes) -> Attack:
    text = json.dumps(chance.choice(TEXTS))
    raw = f'{{"inputs": {{"question": {text}}}}}'.encode()
    if chance.random() < 0.3:
        raw = chance.choice(
            [
                b'{"inputs": {"question": "\xff\xfe"}}',
                b"\xef\xbb\xbf" + raw,
                b'{"inputs": {"question": "\\ud800"}}',
                raw.decode().encode("utf-16"),
            ]
        )
    return Attack("unicode", post(chance.choice(PATHS[:3]), raw))


def bombs(chance: random.Random, good: bytes) -> Attack:
    kind = chance.randrange(6)
    if kind == 0:
        body = _image(_png(60_000, 60_000, b"\0" * 100))
    elif kind == 1:  # small on the wire, 40 megapixels in memory
        body = _image(_png(6_300, 6_300, (b"\0" * 18_901) * 6_300))
    elif kind == 2:
        body = b'{"inputs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}"
    elif kind == 3:
        body = b'{"inputs": {' + b",".join(b'"a%d": 1' % i for i in range(20_000)) + b"}}"
    elif kind == 4:
        body = _image(b"GIF89a\xff\xff\xff\xff\x00\x00\x00" + chance.randbytes(200))
    else:
        body = b'{"inputs": {"question": "' + b"a" * 7_500_000 + b'"}}'
    return Attack("bombs", post("/v1/predict", body))


def damaged(chance: random.Random, good: bytes) -> Attack:
    """A picture with some bytes changed or missing."""
    inputs = json.loads(good)["inputs"]
    content = bytearray(base64.b64decode(inputs["image"]))
    for _ in range(chance.randrange(1, 20)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    content = content[: chance.randrange(len(content))] if chance.random() < 0.3 else content
    start = chance.choice([b"", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"II*\0", b"%PDF-1.4\n",
                           b"P6\n9999999 9999999\n255\n", b"BM", b"GIF89a"])  # fmt: skip
    return Attack("damaged files", post(chance.choice(PATHS[:3]), _image(start + bytes(content))))


def flipped(chance: random.Random, good: bytes) -> Attack:
    body = bytearray(good)
    for _ in range(chance.randrange(1, 8)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return Attack("flipped bytes", post(chance.choice(PATHS[:3]), bytes(body)))


def forms(chance: random.Random, _: bytes) -> Attack:
    boundary = chance.choice(["b", "x" * 300, "é", ""])
    kind = chance.choice([f"multipart/form-data; boundary={boundary}", "multipart/form-data",
                          "multipart/mixed; boundary=b"])  # fmt: skip
    name = chance.choice(["image", "question", "../../x", 'a"b', "é" * 50, ""])
    part = (f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="../../etc/passwd"\r\n\r\n').encode() + chance.randbytes(50)  # fmt: skip
    body = part * chance.choice([1, 3, 300])
    if chance.random() < 0.5:
        body += f"\r\n--{boundary}--\r\n".encode()
    kind = kind.encode("latin-1").decode("latin-1")
    head = f"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n".encode("latin-1")
    return Attack("forms", head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)


def lines(chance: random.Random, good: bytes) -> Attack:
    parts = [good, b"{}", b"nonsense", b"\xff\xff", b"[" * 1000, b"null", b'{"inputs":{}}', b""]
    body = b"\n".join(chance.choice(parts) for _ in range(chance.randrange(1, 12)))
    if chance.random() < 0.1:
        body = b"x" * 5_200_000
    return Attack("lines", post("/v1/predict/batch", body, "application/x-ndjson"))


def protocol(chance: random.Random, good: bytes) -> Attack:
    raw = chance.choice([
        b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 9\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n{}\r\n0\r\n\r\n",
        b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n", b"\0" * 100, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ])  # fmt: skip
    return Attack("protocol", raw, malformed=True)


def too_much(chance: random.Random, good: bytes) -> Attack:
    if chance.random() < 0.5:
        return Attack("too much", post("/v1/predict", b"{}", length=10**chance.randrange(8, 20)),
                      malformed=True)  # fmt: skip
    chunk = b"10000\r\n" + b"a" * 65_536 + b"\r\n"
    head = (b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n")  # fmt: skip
    return Attack("too much", head, *[chunk] * 130, malformed=True)


def leaving(chance: random.Random, good: bytes) -> Attack:
    return Attack("leaves at once", post(chance.choice(PATHS[:3]), good), leaves=True)


def slow(chance: random.Random, good: bytes) -> Attack:
    if chance.random() > 0.1:  # each takes seconds
        return leaving(chance, good)
    if chance.random() < 0.5:
        return Attack("slow header", b"POST /v1/pre", b"dict HTTP/1.1\r\nHo", b"st: x\r\n",
                      pause=0.5, leaves=True)  # fmt: skip
    whole = post("/v1/predict", good[:100], length=len(good))
    return Attack("slow body", whole, malformed=True)


KINDS: list[Callable[[random.Random, bytes], Attack]] = [
    truncated, wrong_types, tricks, addresses, numbers, texts, bombs, damaged, flipped, forms,
    lines, protocol, too_much, leaving, slow,
]  # fmt: skip


async def attack(
    port: int, count: int, chance: random.Random, good: bytes, *, clients: int = 16
) -> tuple[Counter[str], list[str]]:
    """Send so many hostile requests.

    Args:
        port: of the server.
        count: of requests.
        chance: the only source of it.
        good: the body of a request that is answered.
        clients: at once.

    Returns:
        Answers by status, and what must not have happened.
    """
    statuses: Counter[str] = Counter()
    bad: list[str] = []
    source = attacks(chance, good)
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            one = next(source)
            try:
                async with asyncio.timeout(PATIENCE):
                    status = await _sent(port, one)
            except TimeoutError:
                status = -1
            statuses[str(status) if status > 0 else "no answer"] += 1
            silent = status <= 0 and not (one.leaves or one.malformed)
            if silent or status == -1 or (status >= 500 and status not in ALLOWED):
                bad.append(f"{one.kind}: {status or 'no answer'}: {one.parts[0][-200:]!r}")

    await asyncio.gather(*(client() for _ in range(clients)))
    return statuses, bad


async def _sent(port: int, one: Attack) -> int:
    """The status of the answer; 0 where the connection was closed without one."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        for part in one.parts:
            writer.write(part)
            await writer.drain()
            if one.pause:
                await asyncio.sleep(one.pause)
        if one.leaves:
            return 0
        line = await reader.readline()
        status = int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
        if status == 200 and one.kind == "lines":
            while b"0\r\n" not in (last := await reader.readline()) and last:
                pass
        return status
    except (ConnectionError, asyncio.IncompleteReadError, IndexError, ValueError):
        return await _last_word(reader)
    finally:
        writer.close()


async def _last_word(reader: asyncio.StreamReader) -> int:
    """What the server had said before it closed the connection on us."""
    try:
        line = await reader.readline()
        return int(line.split()[1]) if line.startswith(b"HTTP/1.1 ") else 0
    except (ConnectionError, ValueError, IndexError):
        return 0


def _anything(chance: random.Random, depth: int) -> object:
    kind = chance.randrange(9 if depth else 6)
    if kind == 0:
        return None
    if kind == 1:
        return chance.random() < 0.5
    if kind == 2:
        return chance.randrange(-(10**12), 10**12)
    if kind == 3:
        return chance.uniform(-1e308, 1e308)
    if kind in (4, 5):
        return chance.choice([*TEXTS[:10], *TRICKS, "", "AAAA", "a" * 200])
    if kind == 6:
        return [_anything(chance, depth - 1) for _ in range(chance.randrange(4))]
    return {chance.choice("abc"): _anything(chance, depth - 1) for _ in range(chance.randrange(3))}


def _image(content: bytes) -> bytes:
    encoded = base64.b64encode(content).decode()
    return json.dumps({"inputs": {"image": encoded, "question": "what is it?"}}).encode()


def _png(width: int, height: int, raw: bytes) -> bytes:
    """A PNG whose header says more than is good for anybody."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    file = io.BytesIO()
    for part in (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(raw, 1)), chunk(b"IEND", b"")):
        file.write(part)
    return b"\x89PNG\r\n\x1a\n" + file.getvalue()
