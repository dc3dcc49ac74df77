"""Batches form of what has arrived; a lone question waits for nobody."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

import pytest

from polymodal.serving.batcher import Batcher


def run(scenario: Callable[[Batcher[int, int], list[int]], Awaitable[None]], **options) -> None:
    """A scenario with a batcher that doubles, and the sizes of its batches."""
    sizes: list[int] = []

    def double(questions: Sequence[int]) -> list[int]:
        sizes.append(len(questions))
        time.sleep(0.02)
        if any(question < 0 for question in questions):
            raise ArithmeticError("negative")
        return [2 * question for question in questions]

    async def whole() -> None:
        batcher = Batcher(double, **{"most": 4, "wait": 0.5, **options})
        batcher.start()
        try:
            await scenario(batcher, sizes)
        finally:
            await batcher.close()

    asyncio.run(whole())


def test_while_one_batch_is_computed_the_next_forms() -> None:
    async def scenario(batcher: Batcher[int, int], sizes: list[int]) -> None:
        answers = await asyncio.gather(*map(batcher.ask, range(11)))
        assert answers == [2 * i for i in range(11)]
        assert sizes == [4, 4, 3]

    run(scenario)


def test_a_lone_question_does_not_wait() -> None:
    async def scenario(batcher: Batcher[int, int], sizes: list[int]) -> None:
        before = time.monotonic()
        assert await batcher.ask(3) == 6
        assert time.monotonic() - before < 0.4

    run(scenario)


def test_a_batch_waits_for_those_on_their_way_but_not_for_ever() -> None:
    coming = 2

    async def scenario(batcher: Batcher[int, int], sizes: list[int]) -> None:
        nonlocal coming
        first = asyncio.create_task(batcher.ask(1))
        await asyncio.sleep(0.05)
        coming = 0
        assert await asyncio.gather(first, batcher.ask(2)) == [2, 4]
        assert sizes == [2]
        coming = 1
        before = time.monotonic()
        assert await batcher.ask(5) == 10
        assert 0.45 < time.monotonic() - before < 5

    run(scenario, coming=lambda: coming)


def test_one_bad_question_does_not_spoil_the_others() -> None:
    async def scenario(batcher: Batcher[int, int], sizes: list[int]) -> None:
        found = await asyncio.gather(*map(batcher.ask, (1, -1, 3)), return_exceptions=True)
        assert found[0] == 2 and found[2] == 6
        assert isinstance(found[1], ArithmeticError)

    run(scenario)


def test_who_leaves_is_not_computed() -> None:
    async def scenario(batcher: Batcher[int, int], sizes: list[int]) -> None:
        busy = asyncio.create_task(batcher.ask(0))
        await asyncio.sleep(0.005)
        leaving = [asyncio.create_task(batcher.ask(i)) for i in range(4)]
        staying = asyncio.create_task(batcher.ask(9))
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        assert await staying == 18
        await busy
        assert sizes == [1, 1]

    run(scenario)


def test_it_computes_on_one_thread_that_is_not_the_loops() -> None:
    threads = set()

    def note(questions: Sequence[int]) -> list[int]:
        threads.add(threading.get_ident())
        return list(questions)

    async def whole() -> None:
        batcher = Batcher(note, most=2, wait=0)
        batcher.start()
        await asyncio.gather(*map(batcher.ask, range(6)))
        await batcher.close()

    asyncio.run(whole())
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


def test_closing_leaves_nobody_waiting() -> None:
    async def whole() -> None:
        batcher: Batcher[int, int] = Batcher(list, most=1, wait=0)
        asked = asyncio.create_task(batcher.ask(1))  # it never started
        await asyncio.sleep(0)
        await batcher.close()
        with pytest.raises(asyncio.CancelledError):
            await asked

    asyncio.run(whole())
