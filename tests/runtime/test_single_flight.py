"""Callers of one key share one attempt, its result and its failure; the next caller starts anew."""

import asyncio

import pytest

from runtime.single_flight import SingleFlight


class Work:
    """An attempt that counts itself and ends when it is told to."""

    def __init__(self) -> None:
        self.started = 0
        self.end = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        await self.end.wait()
        return self.started

    async def fail(self) -> int:
        raise ValueError(await self())


async def begun(*calls: asyncio.Task[int]) -> tuple[asyncio.Task[int], ...]:
    await asyncio.sleep(0)
    return calls


async def test_callers_at_the_same_time_share_one_attempt_and_later_ones_make_another() -> None:
    flights, work = SingleFlight[int](), Work()
    calls = await begun(*(asyncio.create_task(flights.run("k", work)) for _ in range(5)))
    work.end.set()
    assert await asyncio.gather(*calls) == [1] * 5
    assert await flights.run("k", work) == 2


async def test_other_keys_do_not_wait() -> None:
    flights, slow, quick = SingleFlight[int](), Work(), Work()
    quick.end.set()
    [waiting] = await begun(asyncio.create_task(flights.run("slow", slow)))
    assert await flights.run("quick", quick) == 1
    slow.end.set()
    assert await waiting == 1


async def test_a_failure_reaches_everybody_and_is_not_kept() -> None:
    flights, work = SingleFlight[int](), Work()
    calls = await begun(*(asyncio.create_task(flights.run("k", work.fail)) for _ in range(3)))
    work.end.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["1"] * 3
    assert await flights.run("k", work) == 2


async def test_a_caller_that_gives_up_does_not_stop_the_others() -> None:
    flights, work = SingleFlight[int](), Work()
    impatient, patient = await begun(*(asyncio.create_task(flights.run("k", work)) for _ in range(2)))
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    work.end.set()
    assert await patient == 1
