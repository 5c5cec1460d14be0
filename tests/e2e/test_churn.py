"""Endpoints, policies and streams come and go: in the end everything is back, and nothing has grown."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.documents import resilience, service
from tests.support.faults.churn import Census, census, churn, returned, weights
from tests.support.faults.judge import Judge
from tests.support.faults.lengths import Lengths
from tests.support.faults.stand import PATIENCE, Stand, standing
from tests.support.faults.traffic import ROUTES, traffic
from tests.support.readiness import until

WARM_UP_SECONDS = 10
SETTLES_SECONDS = 10
BACK_SECONDS = 30
GROWTH = 1.05
BRIEF = {**PATIENCE, "timeouts": {"request": "5s", "idle": "3s"}}
"""Connections between sidecars that rest are closed soon, so that descriptors can be counted."""


@pytest.mark.fault("churn, twice the same")
@pytest.mark.timeout(1200)
async def test_churn_leaves_nothing_behind(tmp_path: Path, judge: Judge, lengths: Lengths) -> None:
    async with standing(tmp_path) as stand:
        await stand.apply(*(resilience(name, service(name), **BRIEF) for name in ROUTES))
        await under_traffic(stand, judge, WARM_UP_SECONDS)
        await asyncio.sleep(SETTLES_SECONDS)  # longer than connections rest
        baseline, weighed = await census(stand), []
        for number in (1, 2):
            await under_traffic(stand, judge, lengths.churn)
            seen: list[Census] = []
            with suppress(TimeoutError):
                await until(returned(stand, baseline, seen), timeout_seconds=BACK_SECONDS)
            judge.expect(f"after round {number}: back to {baseline}", seen[0], held=seen == [baseline])
            weighed.append(weights(stand))
        first, second = weighed
        growth, name = max((second[name] / first[name], name) for name in first)
        judge.at_most(f"memory after the second round over the first, most in {name}", growth, GROWTH, "x")
    judge.verdict()


async def under_traffic(stand: Stand, judge: Judge, seconds: float) -> None:
    """Let everything come and go for a while, with traffic that does not notice."""
    async with traffic(stand.clients) as running:
        await churn(stand, seconds)
    judge.expect("0 failed meanwhile", running.failures(), held=running.failed() == 0)
    await stand.converge()
