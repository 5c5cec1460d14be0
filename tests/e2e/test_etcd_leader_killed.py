"""etcd's leader is killed again and again while policies are written: nothing acknowledged is lost."""

from pathlib import Path

import pytest

from tests.support.etcd import Options
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.trial import trial
from tests.support.faults.writes import judge_kept, writing

BLOCKED_SECONDS = 3
AS_SHIPPED = Options(heartbeat_ms=100, election_ms=1000, is_synced=True)


@pytest.mark.fault("F9 etcd leader killed")
@pytest.mark.timeout(400)
async def test_killing_leaders_loses_no_acknowledged_write(
    tmp_path: Path, judge: Judge, lengths: Lengths
) -> None:
    async with trial(tmp_path, judge, etcd=AS_SHIPPED) as running:
        etcd = running.stand.etcd
        async with writing(running.stand.planes) as writes:
            for _ in range(lengths.leader_kills):
                leader = await etcd.leader()
                await leader.process.kill()
                await running.traffic.more(lengths.leader_rest / 2)
                await leader.process.start()
                await leader.ready()
                await running.traffic.more(lengths.leader_rest / 2)
        what = f"writes blocked, longest of {lengths.leader_kills} kills"
        judge.at_most(what, writes.longest_gap, BLOCKED_SECONDS)
        await judge_kept(judge, writes, running.stand.planes)
