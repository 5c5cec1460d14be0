"""etcd's disks take 200 ms for each flush: few writes are taken, none waits for ever, nobody else notices."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.etcd import Options
from tests.support.faults.disk import slow_disk
from tests.support.faults.judge import Judge
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial
from tests.support.faults.writes import judge_kept, writing
from tests.support.metrics import scrape

FLUSH_SECONDS = 0.2
SLOW_SECONDS = 20
WRITERS = 4
ANSWER_SECONDS = 5
AS_SHIPPED = Options(heartbeat_ms=100, election_ms=1000, is_synced=True)


@pytest.mark.fault("F14 etcd's disks slow")
async def test_slow_disks_slow_writers_and_nobody_else(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge, etcd=AS_SHIPPED) as running:
        stand = running.stand
        before = await elections(stand)
        disks = [member.process for member in stand.etcd.members]
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(slow_disk(disks, tmp_path, seconds=FLUSH_SECONDS))
            clock = asyncio.get_running_loop()
            began = clock.time()
            all_writes = [
                await stack.enter_async_context(writing(stand.planes, prefix=f"writer-{number}-"))
                for number in range(WRITERS)
            ]
            await running.traffic.more(SLOW_SECONDS)
            taken, seconds = sum(writes.acknowledged for writes in all_writes), clock.time() - began
        rate = taken / seconds
        judge.expect("some writes are taken", f"{rate:.1f} a second", held=rate >= 1)
        slowest = max(one for writes in all_writes for one in writes.answer_seconds)
        judge.at_most("every write answered, the slowest", slowest, ANSWER_SECONDS)
        held = await elections(stand) - before
        judge.expect("elections <= 1", f"{held:g}", held=held <= 1)
        for writes in all_writes:
            await judge_kept(judge, writes, stand.planes)


async def elections(stand: Stand) -> float:
    """Return how often the leader has changed, as the member saw it that saw most."""
    pages = [await scrape(member.place.metrics) for member in stand.etcd.members]
    return max(page.total("etcd_server_leader_changes_seen_total") for page in pages)
