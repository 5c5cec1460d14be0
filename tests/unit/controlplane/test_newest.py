"""The newest value, for those who wait for it."""

import asyncio

from controlplane.newest import Newest


async def test_waiting_ends_with_the_first_value_that_will_do() -> None:
    newest = Newest(0)
    waiting = asyncio.create_task(newest.until(lambda value: value >= 2))
    for value in (1, 2):
        await asyncio.sleep(0)
        newest.set(value)
    assert await waiting == 2


async def test_what_holds_already_is_not_waited_for() -> None:
    assert await Newest(3).until(lambda value: value == 3) == 3


async def test_slow_reader_skips_what_it_missed() -> None:
    newest = Newest("a")
    watching = newest.watch()
    seen = [await anext(watching)]
    for value in ("b", "c"):
        newest.set(value)
    seen.append(await anext(watching))
    assert seen == ["a", "c"]
