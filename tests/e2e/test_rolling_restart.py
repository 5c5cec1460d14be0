"""Control planes restart one after the other: sidecars go over to the other, and nobody waits."""

import time
from pathlib import Path

import pytest

from tests.support.faults.journal import events
from tests.support.faults.judge import Judge
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial

UNSERVED_SECONDS = 5


@pytest.mark.fault("F5 rolling restart")
async def test_a_rolling_restart_leaves_nobody_unserved(tmp_path: Path, judge: Judge) -> None:
    async with trial(tmp_path, judge) as running:
        stand, at = running.stand, time.time()
        for plane in stand.planes:
            status = await plane.process.stop()
            judge.expect("it drains and ends well", f"status {status}", held=status == 0)
            await stand.converge()
            await plane.process.start()
            await plane.ready()
            await running.traffic.more(2)
        gaps = unserved(stand, at)
        judge.at_most("the longest that a sidecar had no stream", max(gaps), UNSERVED_SECONDS)
        judge.expect("streams moved", f"{len(gaps)} times", held=len(gaps) > 0)


def unserved(stand: Stand, since: float) -> list[float]:
    """Return how long each sidecar that left one control plane was without another."""
    entries = [
        entry
        for plane in stand.planes
        for entry in events(plane.process, "sidecar gone", "sidecar connected", since=since)
    ]
    gaps, left_at = [], {}
    for entry in sorted(entries, key=lambda entry: entry.at):
        instance = entry.fields["instance"]
        if entry.event == "sidecar gone":
            left_at[instance] = entry.at
        elif instance in left_at:
            gaps.append(entry.at - left_at.pop(instance))
    return gaps
