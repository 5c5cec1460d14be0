"""etcd has lost its majority: nothing can be written, everything that is known goes on being served."""

import time
from pathlib import Path

import pytest

from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial
from tests.support.faults.writes import judge_kept, writing
from tests.support.readiness import answering, that, until

REFUSED_SECONDS = 5
RECOVERS_SECONDS = 10


@pytest.mark.fault("F10 etcd majority lost")
@pytest.mark.timeout(600)
async def test_what_is_known_is_served_without_a_majority(
    tmp_path: Path, judge: Judge, lengths: Lengths
) -> None:
    async with trial(tmp_path, judge) as running:
        stand, at = running.stand, time.time()
        lost = stand.etcd.members[:2]
        for member in lost:
            await member.process.kill()
        async with writing(stand.planes) as writes:
            await running.traffic.more(lengths.store_outage)
            await judge_reads(judge, stand)
            refused = max(writes.refused_seconds)
            judge.at_most(
                f"{len(writes.refused_seconds)} writes refused, the slowest", refused, REFUSED_SECONDS
            )
            told = dict(writes.refusals)
            judge.expect("as UNAVAILABLE", told, held=all("UNAVAILABLE" in one for one in told))
            for member in lost:
                await member.process.start()
            began, before = time.monotonic(), writes.acknowledged
            await until(that(lambda: writes.acknowledged > before), timeout_seconds=3 * RECOVERS_SECONDS)
            judge.at_most("writes again, with nothing restarted", time.monotonic() - began, RECOVERS_SECONDS)
        gone = sum(len(events(plane.process, "sidecar gone", since=at)) for plane in stand.planes)
        judge.expect("streams stay up", f"{gone} lost", held=gone == 0)
        await judge_kept(judge, writes, stand.planes)


async def judge_reads(judge: Judge, stand: Stand) -> None:
    """Judge that control planes answer from what they know, and say that it may be old."""
    for plane in stand.planes:
        services = (await plane.ask("ListMeshServices"))["services"]
        is_ready = (await plane.ask("GetStatus"))["storeReady"]
        told = f"{len(services)} services, store {'ready' if is_ready else 'not ready'}"
        judge.expect("reads answered, and marked stale", told, held=bool(services) and not is_ready)
        takes = await answering(plane.http, path="/readyz")()
        judge.expect("sidecars that connect are taken", takes, held=takes)
