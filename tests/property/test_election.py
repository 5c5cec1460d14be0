"""Candidates that lose the store and get it back: never two leaders, never a write past its fence."""

import asyncio
from contextlib import AsyncExitStack
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.config import SqliteLocation
from registry.election import Election, Leadership, stand
from registry.errors import NotLeaderError
from registry.sqlite import open_sqlite
from registry.store import Store, Write
from tests.support.clock import FakeClock
from tests.support.flaky_store import FlakyStore

Step = tuple[Literal["lose", "regain", "wait", "write"], int]

CANDIDATES = 3
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("lose", "regain", "write")), st.integers(0, CANDIDATES - 1)),
        st.tuples(st.just("wait"), st.integers(1, 20)),
    ),
    max_size=12,
)


class Site:
    """Candidates, each with a way to the store of its own, and everything that anyone ever led by."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.ways: list[FlakyStore] = []
        self.candidates: list[Election] = []
        self.seen: list[Leadership | None] = [None] * CANDIDATES
        self.newest = 0

    async def start(self, store: Store, block: AsyncExitStack) -> None:
        for number in range(CANDIDATES):
            self.ways.append(FlakyStore(store))
            candidate = stand(self.ways[-1], str(number), clock=self.clock)
            self.candidates.append(await block.enter_async_context(candidate))

    async def take(self, step: Step) -> None:
        match step:
            case "lose", number:
                self.ways[number].lose()
            case "regain", number:
                self.ways[number].regain()
            case "write", number:
                await self.write(number)
            case _, seconds:
                for _ in range(seconds):
                    await self.clock.advance(1)
                    self.judge()

    def judge(self) -> None:
        """At most one leads by the clock."""
        leading = [one.leadership for one in self.candidates]
        assert sum(lead is not None for lead in leading) <= 1
        self.seen = [new or old for new, old in zip(leading, self.seen, strict=True)]

    async def write(self, number: int) -> None:
        """Writes by the newest lead that a candidate ever had, as one that was paused since."""
        if lead := self.seen[number]:
            direct = Leadership(store=self.ways[number]._store, key=lead.key, fence=lead.fence)
            try:
                await direct.commit([Write(key="/work", value=b"")])
            except NotLeaderError:
                return
            assert lead.fence >= self.newest
            self.newest = lead.fence


@settings(max_examples=settings().max_examples // 15)  # few, since the clock waits for threads
@given(STEPS)
def test_writes_of_leaders_never_go_back_to_an_earlier_one(steps: list[Step]) -> None:
    async def run() -> None:
        clock = FakeClock()
        async with open_sqlite(SqliteLocation(path=None), clock=clock) as store, AsyncExitStack() as block:
            site = Site(clock)
            await site.start(store, block)
            for step in steps:
                await site.take(step)

    asyncio.run(run())
