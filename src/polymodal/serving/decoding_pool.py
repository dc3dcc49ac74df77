"""Worker processes that decode: rows in, arrays out; a worker that hangs or dies is replaced."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import pickle
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from polymodal.data.modalities import Modality
from polymodal.errors import PolymodalError
from polymodal.serving.decoded_rows import DecodedRows, Remark, Row
from polymodal.serving.decoding_worker import READY, work
from polymodal.serving.limits import Limits, bounded
from polymodal.serving.problem import Problem

TOGETHER = 8  # rows that go to a worker at once, where so many wait
START_SECONDS = 60.0
MOST_FAILURES = 3  # of the first start
PRELOADED = "polymodal.serving.decoding_worker"
log = logging.getLogger("polymodal.serving")


@dataclass
class _Job:
    row: Mapping[str, Any]
    done: asyncio.Future[tuple[Row, tuple[Remark, ...]]]
    alone: bool = False  # the rows it travelled with did not come back: which one is to blame?


@dataclass
class PoolCounts:
    """What happened to the workers so far."""

    started: int = 0
    died: int = 0
    timed_out: int = 0


@dataclass
class _Worker:
    process: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, message: bytes) -> bytes:
        self.writer.write(len(message).to_bytes(8, "big") + message)
        await self.writer.drain()
        return await self.answer()

    async def answer(self) -> bytes:
        size = int.from_bytes(await self.reader.readexactly(8), "big")
        return await self.reader.readexactly(size)

    def end(self) -> None:
        self.writer.close()
        with suppress(ValueError):  # it is closed already
            if self.process.is_alive():
                self.process.kill()


@dataclass
class DecodingPool:
    """Processes that decode the rows of one model.

    They are forked from a small server process that has loaded the code once, so that a new one
    is there within a fraction of a second.

    Args:
        modalities: input column -> fitted modality.
        limits: of sizes and times.
        workers: processes.
    """

    modalities: Mapping[str, Modality]
    limits: Limits
    workers: int
    counts: PoolCounts = field(default_factory=PoolCounts)

    def __post_init__(self) -> None:
        self._bounded = bounded(self.modalities, self.limits)
        self._jobs: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: list[Any] = []
        self._context = multiprocessing.get_context("forkserver")
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the workers; they are warm when this returns."""
        self._context.set_forkserver_preload([PRELOADED])
        ready = [asyncio.get_running_loop().create_future() for _ in range(self.workers)]
        self._tasks = [asyncio.create_task(self._run(told)) for told in ready]
        await asyncio.gather(*ready)

    async def decode(self, row: Mapping[str, Any]) -> tuple[Row, tuple[Remark, ...]]:
        """One row decoded, and what is to be said of its cells.

        Args:
            row: input column -> cell; absent ones may be left out.

        Raises:
            Problem: decoding took too long, or broke the worker.
        """
        job = _Job(row, asyncio.get_running_loop().create_future())
        self._put(job)
        return await job.done

    async def close(self) -> None:
        """End the workers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for job in self._jobs:
            job.done.cancel()

    @property
    def processes(self) -> list[int]:
        """The process ids of the workers that are alive."""
        return [process.pid for process in self._processes if process.is_alive()]

    def _put(self, job: _Job) -> None:
        self._jobs.append(job)
        self._arrived.set()

    async def _run(self, told: asyncio.Future[None]) -> None:
        """Keep one worker alive and busy."""
        worker, failures = None, 0
        try:
            while True:
                try:
                    worker, failures = worker or await self._start(), 0
                except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                    failures += 1
                    log.error("a decoding worker did not start: %s", error)
                    if failures == MOST_FAILURES and not told.done():
                        told.set_exception(PolymodalError(f"No decoding worker starts: {error}."))
                        return
                    await asyncio.sleep(0.5)
                    continue
                if not told.done():
                    told.set_result(None)
                jobs = await self._next()
                if jobs and not await self._decode(worker, jobs):
                    worker.end()
                    worker = None
        finally:
            if worker is not None:
                worker.end()

    async def _start(self) -> _Worker:
        ours, theirs = socket.socketpair()
        try:
            process = await self._forked(theirs)
            reader, writer = await asyncio.open_connection(sock=ours, limit=1 << 22)
        except BaseException:
            ours.close()  # a worker that may be there nevertheless ends when it sees that
            raise
        worker = _Worker(process, reader, writer)
        try:
            said = await asyncio.wait_for(worker.answer(), START_SECONDS)
            assert said == READY
        except BaseException:
            worker.end()
            raise
        self.counts.started += 1
        return worker

    async def _forked(self, theirs: socket.socket) -> Any:
        async with self._starting:
            process = self._context.Process(
                target=work,
                args=(theirs, self._bounded, self.limits.worker_megabytes),
                daemon=True,
                name="polymodal decoding worker",
            )
            with theirs:
                await asyncio.to_thread(process.start)
            self._processes = [p for p in self._processes if p.is_alive()] + [process]
        return process

    async def _next(self) -> list[_Job]:
        """The rows that go to a worker next; those of clients that have left are dropped."""
        while not self._jobs:
            self._arrived.clear()
            await self._arrived.wait()
        jobs: list[_Job] = []
        most = TOGETHER if self.limits.batch > 1 else 1
        while self._jobs and len(jobs) < most and not (jobs and self._jobs[0].alone):
            job = self._jobs.popleft()
            if not job.done.done():
                jobs.append(job)
            if job.alone:
                break
        return jobs

    async def _decode(self, worker: _Worker, jobs: Sequence[_Job]) -> bool:
        """Whether the worker is still there afterwards."""
        try:
            message = pickle.dumps([job.row for job in jobs], pickle.HIGHEST_PROTOCOL)
            async with asyncio.timeout(self.limits.decode_seconds):
                decoded = DecodedRows.from_bytes(await worker.ask(message))
        except TimeoutError:
            self.counts.timed_out += 1
            self._blame(jobs, _took_too_long(self.limits.decode_seconds))
            return False
        except (OSError, asyncio.IncompleteReadError, ValueError):
            self.counts.died += 1
            log.warning("a decoding worker ended unexpectedly; another one takes its place")
            self._blame(jobs, _crashed())
            return False
        except asyncio.CancelledError:
            for job in jobs:
                job.done.cancel()
            raise
        for number, job in enumerate(jobs):
            if not job.done.done():
                remarks = tuple(r for r in decoded.remarks if r.row == number)
                job.done.set_result((Row(decoded.pack, number), remarks))
        return True

    def _blame(self, jobs: Sequence[_Job], problem: Problem) -> None:
        """The only row is to blame; of several, each is tried again by itself."""
        for job in jobs:
            if job.done.done():
                continue
            if len(jobs) == 1:
                job.done.set_exception(problem)
            else:
                job.alone = True
                self._put(job)


def _took_too_long(seconds: float) -> Problem:
    return Problem(
        422,
        "too-slow-to-decode",
        f"Decoding what was sent took longer than {seconds:g} s and was ended. Send smaller or "
        "shorter media.",
    )


def _crashed() -> Problem:
    return Problem(
        422,
        "decoder-crashed",
        "The process that decoded what was sent ended unexpectedly. Other requests are not "
        "affected. If it happens again with the same file, that file is damaged: save it anew.",
    )
