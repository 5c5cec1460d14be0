"""A policy that changes fifty times a second reaches sidecars bundled, and its last state rightly."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.faults.census import resident_mib
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.stand import Stand
from tests.support.faults.trial import trial
from tests.support.readiness import until

EDITS_PER_SECOND = 50
PUSHES_PER_SECOND = 10
GROWTH = 1.05
FIRST, LAST = 20_000, 30_000


@pytest.mark.fault("F8 policy flaps at 50 Hz")
@pytest.mark.timeout(300)
async def test_a_flapping_policy_is_debounced(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with trial(tmp_path, judge) as running:
        stand = running.stand
        rates, weights = [], []
        for _ in range(2):
            rates.append(await flap(stand, lengths.flapping))
            weights.append(weigh(stand))
        began = time.monotonic()
        await stand.quota(LAST)
        await until(stand.enforces(LAST))
        judge.at_most("the last state is in force", time.monotonic() - began, 1)
        judge.at_most("pushes to one sidecar", max(rates), PUSHES_PER_SECOND, "a second")
        growth = max(after / before for before, after in zip(*weights, strict=True))
        judge.at_most("memory after the second round over that after the first", growth, GROWTH, "x")


async def flap(stand: Stand, seconds: float) -> float:
    """Return the pushes a second that one sidecar got while its policy changed fifty times a second."""
    clock = asyncio.get_running_loop()
    before, began = await pushes(stand), clock.time()
    for edit in range(round(seconds * EDITS_PER_SECOND)):
        await asyncio.sleep(began + edit / EDITS_PER_SECOND - clock.time())
        await stand.quota(FIRST + edit % 1000)
    gaps = await pushes(stand) - before - 1
    return gaps / (clock.time() - began)


async def pushes(stand: Stand) -> int:
    """Return the pushes that the first instance of `shaken` has had on its stream."""
    listed = [one for plane in stand.planes for one in (await plane.ask("ListSidecars"))["sidecars"]]
    return max(int(one["pushes"]) for one in listed if one["instance"] == "shaken-0")


def weigh(stand: Stand) -> list[float]:
    """Return the resident memory of every control plane and sidecar, MiB."""
    pids = [plane.process.pid for plane in stand.planes] + [one.process.pid for one in stand.sidecars]
    return [resident_mib(pid) for pid in pids]
