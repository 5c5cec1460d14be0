"""When a replica sends its sidecars to others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controlplane.peers.handover import PATIENCE_SECONDS, Handover
from tests.support.clock import FakeClock


@dataclass(slots=True)
class Stores:
    """Whether the store answers here and elsewhere, and how often sidecars were sent away."""

    here: bool = True
    elsewhere: bool = True
    dismissals: int = 0
    clock: FakeClock = field(default_factory=FakeClock)

    def dismiss(self) -> int:
        self.dismissals += 1
        return 0

    async def is_elsewhere(self) -> bool:
        return self.elsewhere


@asynccontextmanager
async def watched() -> AsyncIterator[Stores]:
    stores = Stores()
    handover = Handover(
        is_connected=lambda: stores.here, is_elsewhere=stores.is_elsewhere, dismiss=stores.dismiss
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(handover.run(stores.clock))
        yield stores
        running.cancel()


async def test_sidecars_are_sent_away_once_when_only_others_have_the_store() -> None:
    async with watched() as stores:
        stores.here = False
        await stores.clock.advance(PATIENCE_SECONDS - 1)
        assert stores.dismissals == 0
        await stores.clock.advance(10 * PATIENCE_SECONDS)
        assert stores.dismissals == 1


async def test_next_outage_sends_them_away_again() -> None:
    async with watched() as stores:
        for _ in range(2):
            stores.here = False
            await stores.clock.advance(2 * PATIENCE_SECONDS)
            stores.here = True
            await stores.clock.advance(1)
        assert stores.dismissals == 2


async def test_nobody_is_sent_away_while_nobody_has_the_store() -> None:
    async with watched() as stores:
        stores.here = stores.elsewhere = False
        await stores.clock.advance(10 * PATIENCE_SECONDS)
        assert stores.dismissals == 0


async def test_peer_that_regains_the_store_a_little_earlier_is_no_reason() -> None:
    async with watched() as stores:
        stores.here = stores.elsewhere = False
        await stores.clock.advance(10 * PATIENCE_SECONDS)
        stores.elsewhere = True
        await stores.clock.advance(PATIENCE_SECONDS - 1)
        stores.here = True
        await stores.clock.advance(10 * PATIENCE_SECONDS)
        assert stores.dismissals == 0
