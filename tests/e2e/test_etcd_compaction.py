"""etcd's history is compacted while control planes cannot watch: they list anew, and miss nothing."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.etcd import Cluster
from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.line import Line, line_to
from tests.support.faults.trial import trial
from tests.support.readiness import until

KEY = "/breakwater/policies/RateLimitPolicy/test/quota"
OTHERS = 100
IN_FORCE_SECONDS = 10


@pytest.mark.fault("F12 etcd compacted under a watch")
async def test_a_compacted_watch_misses_nothing(tmp_path: Path, judge: Judge) -> None:
    lines: list[Line] = []

    @asynccontextmanager
    async def store_door(etcd: Cluster) -> AsyncIterator[str]:
        async with AsyncExitStack() as stack:
            doors = [line_to(member.place.client) for member in etcd.members]
            lines[:] = [await stack.enter_async_context(door) for door in doors]
            yield f"etcd://{','.join(f'127.0.0.1:{line.port}' for line in lines)}"

    async with trial(tmp_path, judge, store_door=store_door) as running:
        stand, at = running.stand, time.time()
        member = stand.etcd.members[0]
        await stand.quota(10_001)
        first = await member.ctl("get", KEY, "--print-value-only")
        await stand.quota(10_002)
        await until(stand.enforces(10_002))
        for line in lines:
            await line.sever()
        for number in range(OTHERS):
            await member.ctl("put", f"/elsewhere/{number % 10}", "value")
        await member.ctl("put", KEY, first.rstrip("\n"))
        await member.compact()
        began = time.monotonic()
        for line in lines:
            line.mend()
        await until(stand.enforces(10_001), timeout_seconds=2 * IN_FORCE_SECONDS)
        judge.at_most("what was written meanwhile is in force", time.monotonic() - began, IN_FORCE_SECONDS)
        for plane in stand.planes:
            anew = len(events(plane.process, "mirror lists anew", since=at))
            judge.expect("the watch is told, and lists anew", f"{anew} times", held=anew > 0)
