"""Dynamic batching: rows of different requests go through the network together."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batcher(Generic[Question, Answer]):
    """Answers questions in batches, on a thread of its own, one batch after the other.

    While one batch is computed, the next forms of what has arrived. A batch waits for more only
    while others are on their way, so that a lone request waits for nobody.

    Args:
        answer: all answers of a batch, in the order of the questions; called on the thread.
        most: questions of a batch.
        wait: seconds that a batch is held open for questions that are on their way.
        coming: how many questions are on their way, but not here yet.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Question]], Sequence[Answer]],
        *,
        most: int,
        wait: float,
        coming: Callable[[], int] = lambda: 0,
    ) -> None:
        self._answer, self.most, self.wait, self._coming = answer, most, wait, coming
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="polymodal engine")
        self._task: asyncio.Task[None] | None = None
        self.sizes: deque[int] = deque(maxlen=1000)
        """Rows of the latest batches."""
        self.seconds_per_row = 0.01
        """How long the network takes for a row, of late."""
        self.seen: Callable[[int, float], None] = lambda rows, seconds: None
        """Told the size of each batch, and how long it took."""

    def __len__(self) -> int:
        """The number of questions that wait."""
        return len(self._waiting)

    def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._run())

    async def ask(self, question: Question) -> Answer:
        """The answer; one who stops waiting for it leaves the queue."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        self._arrived.set()
        return await future

    async def close(self) -> None:
        """Stop; what still waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for _, future in self._waiting:
            future.cancel()
        self._thread.shutdown()

    async def _run(self) -> None:
        while True:
            await self._form()
            batch = self._take()
            if batch:
                await self._compute(batch)

    async def _form(self) -> None:
        """Until a batch is full, or nobody else comes, or it has waited long enough."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        until = time.monotonic() + self.wait
        while len(self._waiting) < self.most and self._coming() > 0:
            left = until - time.monotonic()
            if left <= 0:
                return
            self._arrived.clear()
            try:
                async with asyncio.timeout(left):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _take(self) -> list[tuple[Question, asyncio.Future[Answer]]]:
        batch: list[tuple[Question, asyncio.Future[Answer]]] = []
        while self._waiting and len(batch) < self.most:
            question, future = self._waiting.popleft()
            if not future.done():
                batch.append((question, future))
        return batch

    async def _compute(self, batch: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        before = time.monotonic()
        loop = asyncio.get_running_loop()
        questions = [question for question, _ in batch]
        try:
            answers = await loop.run_in_executor(self._thread, self._answer, questions)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except Exception as error:  # an edge: who asked is told, the server goes on
            if len(batch) == 1 and not batch[0][1].done():
                batch[0][1].set_exception(error)
            elif len(batch) > 1:  # one question must not spoil the answers of the others
                for one in batch:
                    await self._compute([one])
            return
        seconds = time.monotonic() - before
        self.seconds_per_row += 0.1 * (seconds / len(batch) - self.seconds_per_row)
        self.seen(len(batch), seconds)
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
