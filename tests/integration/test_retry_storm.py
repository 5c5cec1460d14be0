"""Retries in a chain do not multiply: only the hop nearest the failure retries, and within its budget."""

import sys
import time
import uuid
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.support.app import App, Reply
from tests.support.documents import resilience, service
from tests.support.fleet import fleet
from tests.support.load import Call, offer
from tests.support.mesh import Sidecar
from tests.support.relay import relay

RATE_PER_SECOND, SECONDS = 60, 5
PERCENT, INTERVAL_SECONDS, FLOOR_PER_SECOND = 20, 2, 1

RETRY = {
    "attempts": 2,
    "when": ["5xx"],
    "strategy": "Immediate",
    "budget": {
        "percent": PERCENT,
        "interval": f"{INTERVAL_SECONDS}s",
        "minRetryRate": {"count": FLOOR_PER_SECOND, "interval": "1s"},
    },
}


async def test_a_failing_service_at_the_end_of_a_chain_meets_no_storm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with AsyncExitStack() as running:
        mesh = await running.enter_async_context(fleet(tmp_path))
        last = await running.enter_async_context(App(Reply(status=500)))
        relays = [await running.enter_async_context(relay(name)) for name in ("second", "third")]
        edge = await mesh.join("test/edge", app_port=last.port)
        for name, hop in zip(("first", "second"), relays, strict=True):
            hop.outbound = (await mesh.join(f"test/{name}", app_port=hop.port)).outbound
        await mesh.join("test/third", app_port=last.port)
        targets = [service(name) for name in ("first", "second", "third")]
        await mesh.put("retry", resilience("retry", *targets, retry=RETRY))
        session = await running.enter_async_context(aiohttp.ClientSession())
        began = time.monotonic()
        report = await offer(calling(session, edge), rate_per_second=RATE_PER_SECOND, seconds=SECONDS)
        seconds = time.monotonic() - began
    offered, calls = report.offered, last.calls["/"]
    minimum = FLOOR_PER_SECOND * (
        seconds + INTERVAL_SECONDS
    )  # each interval that was begun may spend its own
    bound = offered * (1 + PERCENT / 100) + minimum
    with capsys.disabled():
        sys.stdout.write(f"\n  {offered} offered, {calls} at the last, at most {bound:.0f} allowed; ")
        sys.stdout.write(f"{27 * offered} without budgets\n")
    assert report.statuses == {500: offered}
    assert offered < calls <= bound


def calling(session: aiohttp.ClientSession, edge: Sidecar) -> Call:
    """Return the call that asks the first service, each time in a trace of its own."""

    async def call() -> int:
        trace = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01"
        headers = {"Host": "first", "traceparent": trace}
        async with session.get(f"http://127.0.0.1:{edge.outbound}/", headers=headers) as answer:
            await answer.read()
            return answer.status

    return call
