"""Workers that are ended, that hang, and that come back."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable

import pytest
from deadly_cells import DeadlyCells

from polymodal.serving.decoded_rows import given
from polymodal.serving.decoding_pool import DecodingPool
from polymodal.serving.limits import Limits
from polymodal.serving.problem import Problem


def run(scenario: Callable[[DecodingPool], Awaitable[None]], **limits: float) -> None:
    async def whole() -> None:
        pool = DecodingPool({"word": DeadlyCells()}, Limits(**limits), workers=2)
        await pool.start()
        try:
            await scenario(pool)
        finally:
            await pool.close()

    asyncio.run(whole())


async def length(pool: DecodingPool, word: str | None) -> int:
    row, _ = await pool.decode({"word": word})
    store = row.pack.stores["word"]
    return int(store.values[store.index[row.number]])


def test_rows_come_back_decoded_each_to_its_own() -> None:
    async def scenario(pool: DecodingPool) -> None:
        words = ["a" * i for i in range(1, 60)]
        assert await asyncio.gather(*(length(pool, w) for w in words)) == list(range(1, 60))
        row, _ = await pool.decode({})
        assert given(row) == []
        assert pool.counts.started == 2

    run(scenario)


def test_a_row_that_ends_its_worker_is_the_only_one_without_an_answer() -> None:
    async def scenario(pool: DecodingPool) -> None:
        words = ["one", "kill", "three", "fours", "kill", "sixsix"]
        asked = (length(pool, word) for word in words)
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [f for f in found if isinstance(f, int)] == [3, 5, 5, 6]
        problems = [f for f in found if isinstance(f, Problem)]
        assert [p.kind for p in problems] == ["decoder-crashed"] * 2
        before = time.monotonic()
        assert await length(pool, "again") == 5
        assert time.monotonic() - before < 5
        assert pool.counts.died >= 2

    run(scenario)


def test_a_row_that_hangs_is_ended() -> None:
    async def scenario(pool: DecodingPool) -> None:
        before = time.monotonic()
        found = await asyncio.gather(
            length(pool, "hang"), length(pool, "four"), return_exceptions=True
        )
        assert isinstance(found[0], Problem) and found[0].kind == "too-slow-to-decode"
        assert found[1] == 4
        assert time.monotonic() - before < 10
        assert pool.counts.timed_out >= 1

    run(scenario, decode_seconds=0.7)


def test_a_row_that_swells_fills_the_worker_not_the_machine() -> None:
    async def scenario(pool: DecodingPool) -> None:
        with pytest.raises(Problem, match="ended unexpectedly"):
            await length(pool, "swell")
        assert await length(pool, "fine") == 4

    run(scenario, worker_megabytes=500)


def test_workers_that_are_killed_from_outside_come_back() -> None:
    async def scenario(pool: DecodingPool) -> None:
        first = pool.processes
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        found = await asyncio.gather(
            *(length(pool, "abc") for _ in range(20)), return_exceptions=True
        )
        assert found.count(3) >= 18  # at most those two that were with a worker, each alone
        assert await length(pool, "abcd") == 4
        assert not set(pool.processes) & set(first)

    run(scenario)


def test_what_a_client_that_left_had_sent_is_not_decoded() -> None:
    async def scenario(pool: DecodingPool) -> None:
        busy = [asyncio.create_task(length(pool, "hang")) for _ in range(2)]
        await asyncio.sleep(0.1)
        leaving = asyncio.create_task(length(pool, "kill"))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(*busy, leaving, return_exceptions=True)
        assert await length(pool, "abc") == 3
        assert pool.counts.died == 0

    run(scenario, decode_seconds=0.5)
