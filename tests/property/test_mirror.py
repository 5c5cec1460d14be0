"""A mirror and its readers end up where the store is, whatever happens on the way, and never by a repair."""

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.config import SqliteLocation
from registry.mirror import CHECK_SECONDS, Mirror, mirroring
from registry.sqlite import open_sqlite
from registry.store import Entry, Put, Store
from tests.support.clock import FakeClock
from tests.support.flaky_store import FlakyStore

Step = tuple[Literal["put", "delete", "lose", "regain", "compact", "wait"], int]

PREFIX = "/a/"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("put", "delete")), st.integers(0, 3)),
        st.tuples(st.sampled_from(("lose", "regain", "compact")), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, CHECK_SECONDS)),
    ),
    max_size=20,
)


@dataclass(slots=True)
class Reader:
    """What somebody knows who only reads updates."""

    entries: dict[str, Entry] = field(default_factory=dict)

    async def read(self, mirror: Mirror) -> None:
        with mirror.watch() as updates:
            async for update in updates:
                for change in update.changes:
                    self.entries.pop(change.key, None)
                    if isinstance(change, Put):
                        self.entries[change.key] = change.entry


async def take(step: Step, real: Store, flaky: FlakyStore, clock: FakeClock) -> None:
    match step:
        case "put", number:
            await real.put(f"{PREFIX}{number}", b"")
        case "delete", number:
            await real.delete(f"{PREFIX}{number}")
        case "lose", _:
            flaky.lose()
        case "regain", _:
            flaky.regain()
        case "compact", _:
            flaky.compact()
        case _, seconds:
            await clock.advance(seconds)


@settings(max_examples=settings().max_examples // 5)  # few, since the clock waits for threads
@given(STEPS)
def test_mirror_ends_up_where_the_store_is(steps: list[Step]) -> None:
    async def run() -> None:
        clock, reader = FakeClock(), Reader()
        async with open_sqlite(SqliteLocation(path=None)) as real, asyncio.TaskGroup() as tasks:
            flaky = FlakyStore(real)
            async with mirroring(flaky, PREFIX, clock=clock) as mirror:
                reading = tasks.create_task(reader.read(mirror))
                for step in steps:
                    await take(step, real, flaky, clock)
                flaky.regain()
                await clock.advance(3 * CHECK_SECONDS)
                expected = {entry.key: entry for entry in (await real.list(PREFIX)).entries}
                assert (mirror.entries, reader.entries, mirror.repairs) == (expected, expected, 0)
                reading.cancel()

    asyncio.run(run())
