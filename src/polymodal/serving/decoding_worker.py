"""The process that decodes what strangers send: it may crash or be ended at any time."""

from __future__ import annotations

import pickle
import signal
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from polymodal.data.media import without_remarks
from polymodal.data.modalities import Modality
from polymodal.data.pack import Pack, pack_some
from polymodal.data.table import Table
from polymodal.errors import CellError
from polymodal.serving.decoded_rows import DecodedRows, Remark, cells_of

READY = b"ready"
MOST_SAID = 200  # characters of a remark


def work(channel: socket.socket, modalities: Mapping[str, Modality], megabytes: int) -> None:
    """Decode what comes through the channel until its other end is closed.

    Args:
        channel: takes pickled rows, gives :class:`DecodedRows` as bytes; see :func:`send`.
        modalities: input column -> fitted modality.
        megabytes: of memory it may take beside what it has now.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server ends its workers itself
    import torch

    torch.set_num_threads(1)
    _bound_memory(megabytes)
    with channel, without_remarks(), suppress(EOFError, ConnectionError):
        send(channel, READY)
        while True:
            rows = pickle.loads(receive(channel))
            send(channel, decode_rows(rows, modalities).to_bytes())


def decode_rows(
    rows: Sequence[Mapping[str, Any]], modalities: Mapping[str, Modality]
) -> DecodedRows:
    """Decode the cells of some rows.

    Args:
        rows: input column -> cell; of media never a path.
        modalities: input column -> fitted modality.
    """
    table = Table(cells_of(rows, list(modalities)))
    for name, modality in modalities.items():
        pathless = not any(isinstance(cell, str) for cell in table.columns[name])
        assert pathless or not modality.media, "a client's string must never be read as a path"
    packed = pack_some(table, modalities)
    return DecodedRows(packed, tuple(_remarks(packed, table, modalities)))


def _remarks(packed: Pack, table: Table, modalities: Mapping[str, Modality]) -> list[Remark]:
    found = []
    for name, kinds in packed.broken.items():
        for row in sorted(row for rows in kinds.values() for row in rows):
            what = _defect(modalities[name], table.cells(name, [row])[0])
            found.append(Remark(row, name, what, usable=False))
    for finding in packed.findings:
        if finding.kind in ("too_long", "partly_read"):
            column = str(finding.column)
            found += [Remark(int(row), column, finding.what, True) for row in finding.rows]
    return found


def _defect(modality: Modality, cell: Any) -> str:
    """Why a cell cannot be decoded: a pack tells it of the first cell of a kind only."""
    try:
        modality.decode(cell)
    except CellError as error:
        return str(error)[:MOST_SAID]
    return "cannot be decoded"


def send(channel: socket.socket, message: bytes) -> None:
    """Send a message with its length before it."""
    channel.sendall(len(message).to_bytes(8, "big") + message)


def receive(channel: socket.socket) -> bytes:
    """Receive what :func:`send` sent.

    Raises:
        EOFError: the other end is closed.
    """
    return bytes(_receive(channel, int.from_bytes(_receive(channel, 8), "big")))


def _receive(channel: socket.socket, size: int) -> bytearray:
    content = bytearray(size)
    view = memoryview(content)
    while view:
        count = channel.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return content


def _bound_memory(megabytes: int) -> None:
    """A picture that swells to more than this is refused by a MemoryError, not by the machine."""
    try:
        import resource
    except ImportError:  # no such thing on this system
        return
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + megabytes * 1_000_000
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
