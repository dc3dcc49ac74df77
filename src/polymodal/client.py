"""A client of `polymodal serve`: rows with local files in, answers out. Needs only httpx."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polymodal.errors import MissingExtra, PolymodalError

if TYPE_CHECKING:
    import httpx

ROWS_AT_ONCE = 64
BYTES_AT_ONCE = 8_000_000


class ServerProblem(PolymodalError):
    """What a server answered in place of an answer.

    Args:
        problem: as the server sent it (RFC 9457).
    """

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or problem))
        self.problem = dict(problem)


class Client:
    """Asks a server for answers.

    Cells of columns that are files may be paths: the client reads them, the server never does.

    Args:
        address: of the server, as `polymodal serve` prints it.
        key: an API key, where the server asks for one.
        model: which model, where the server has several; None takes the first.
        timeout: seconds to wait for an answer.
        transport: what carries the requests, for tests.

    Raises:
        MissingExtra: httpx is not installed.

    Example:
        ::

            with Client("http://127.0.0.1:8000") as client:
                print(client.predict({"photo": "a.jpg", "age": 54})["answers"])
    """

    def __init__(
        self,
        address: str,
        *,
        key: str | None = None,
        model: str | None = None,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtra("httpx", "client") from error
        if "://" not in address:
            address = f"http://{address}"
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(
            base_url=address.rstrip("/"), headers=headers, timeout=timeout, transport=transport
        )
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        self._place = "/v1" if model is None else f"/v1/models/{model}"
        self._files: dict[str, bool] | None = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def predict(
        self, row: Mapping[str, Any], *, folder: Path | str = ".", skip_broken: bool = False
    ) -> dict[str, Any]:
        """The answers for one row.

        Args:
            row: column -> cell; of files a path or bytes.
            folder: where relative paths start.
            skip_broken: treat cells that cannot be used as missing.

        Raises:
            ServerProblem: the server does not answer it; the message says why.
            PolymodalError: a file cannot be read, or no server is there.
        """
        return self._ask("predict", row, folder, skip_broken)

    def explain(
        self, row: Mapping[str, Any], *, folder: Path | str = ".", skip_broken: bool = False
    ) -> dict[str, Any]:
        """The answers for one row, and how they change without each input; see :meth:`predict`."""
        return self._ask("explain", row, folder, skip_broken)

    def embed(
        self, row: Mapping[str, Any], *, folder: Path | str = ".", skip_broken: bool = False
    ) -> dict[str, Any]:
        """One row as a vector, under ``embedding``; see :meth:`predict`."""
        return self._ask("embed", row, folder, skip_broken)

    def predict_many(
        self,
        rows: Iterable[Mapping[str, Any]],
        *,
        folder: Path | str = ".",
        skip_broken: bool = False,
    ) -> Iterator[dict[str, Any]]:
        """The answers for many rows, in their order, while they come.

        A row that cannot be answered is ``{"row": …, "error": …}``; the others go on.

        Args:
            rows: column -> cell; of files a path or bytes. Columns that the model does not read
                are left out.
            folder: where relative paths start.
            skip_broken: treat cells that cannot be used as missing.

        Raises:
            ServerProblem: the server refuses all of them.
            PolymodalError: a file cannot be read, or no server is there.
        """
        known = self._known()
        lines = (
            json.dumps({"inputs": self._encoded(_only(row, known), Path(folder))}).encode()
            for row in rows
        )
        first = 0
        for block in _blocks(lines):
            with self._explained():
                response = self._http.post(
                    f"{self._place}/predict/batch",
                    content=b"\n".join(block),
                    headers={"Content-Type": "application/x-ndjson"},
                    params={"broken": "treat_as_missing"} if skip_broken else None,
                )
            if response.status_code != 200:
                raise ServerProblem(_content(response))
            for line in response.text.splitlines():
                answer = json.loads(line)
                yield answer | {"row": first + answer["row"]}
            first += len(block)

    def schema(self) -> dict[str, Any]:
        """What the model reads and what it answers."""
        return self._get(f"{self._place}/schema")

    def health(self) -> dict[str, Any]:
        """Whether the server is ready, and which versions it has."""
        return self._get("/readyz")

    def _ask(
        self, task: str, row: Mapping[str, Any], folder: Path | str, skip_broken: bool
    ) -> dict[str, Any]:
        body = {"inputs": self._encoded(row, Path(folder))}
        params = {"broken": "treat_as_missing"} if skip_broken else None
        with self._explained():
            response = self._http.post(f"{self._place}/{task}", json=body, params=params)
        return _answer(response)

    def _get(self, path: str) -> dict[str, Any]:
        with self._explained():
            response = self._http.get(path)
        return _answer(response)

    def _known(self) -> dict[str, bool]:
        """Field -> whether it is a file."""
        if self._files is None:
            self._files = {field["name"]: field["file"] for field in self.schema()["inputs"]}
        return self._files

    def _encoded(self, row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        known = self._known()
        return {
            name: _encode(cell, folder, name) if known.get(name) else _plain(cell)
            for name, cell in row.items()
            if cell is not None
        }

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise PolymodalError(
                f"No answer from {self._http.base_url}: {error or type(error).__name__}. Is the "
                "server running there (polymodal serve RUN)?"
            ) from error


def read_row(text: str) -> dict[str, Any]:
    """A row written as JSON, or the content of a .json file.

    Raises:
        PolymodalError: it is neither.

    >>> read_row('{"age": 54}')
    {'age': 54}
    """
    try:
        content = text if text.lstrip().startswith("{") else Path(text).read_text("utf-8")
        row = json.loads(content)
    except (OSError, ValueError) as error:
        raise PolymodalError(
            f'{text[:80]!r} is no row: {error}. Write it as JSON: {{"photo": "a.jpg", "age": 54}}.'
        ) from error
    if not isinstance(row, dict):
        raise PolymodalError(f"A row is an object in JSON, not a {type(row).__name__}.")
    return row


def _only(row: Mapping[str, Any], known: Mapping[str, bool]) -> dict[str, Any]:
    return {name: cell for name, cell in row.items() if name in known}


def _encode(cell: Any, folder: Path, name: str) -> Any:
    """A file's content in base64; lists of numbers as they are."""
    if isinstance(cell, Mapping):  # as `datasets` keeps a picture or sound
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, str | Path):
        try:
            cell = (folder / cell).read_bytes()
        except (OSError, ValueError) as error:
            raise PolymodalError(
                f"Column {name!r}: the file {str(cell)[:200]!r} cannot be read: {error}."
            ) from error
    if isinstance(cell, bytes):
        return base64.b64encode(cell).decode()
    if isinstance(cell, list | tuple):
        return [_encode(part, folder, name) for part in cell]
    return _plain(cell)


def _plain(cell: Any) -> Any:
    """As JSON has it; dates and times as text."""
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    if isinstance(cell, list | tuple):
        return [_plain(part) for part in cell]
    if isinstance(cell, Mapping):
        return {str(key): _plain(part) for key, part in cell.items()}
    return cell.tolist() if hasattr(cell, "tolist") else str(cell)


def _blocks(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Some lines at a time: answers are read before more is sent."""
    block: list[bytes] = []
    size = 0
    for line in lines:
        if block and (len(block) == ROWS_AT_ONCE or size + len(line) > BYTES_AT_ONCE):
            yield block
            block, size = [], 0
        block.append(line)
        size += len(line)
    if block:
        yield block


def _answer(response: httpx.Response) -> dict[str, Any]:
    content = _content(response)
    if response.status_code != 200:
        raise ServerProblem(content)
    return content


def _content(response: httpx.Response) -> dict[str, Any]:
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        return {"detail": f"{response.status_code}, and no JSON. Is it a polymodal server?"}
    return content
