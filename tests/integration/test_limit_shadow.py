"""Limits in shadow decide on state of their own, tell what they would refuse, and change nothing."""

import asyncio

import pytest

from tests.support import accesslog
from tests.support.fleet import named
from tests.support.limited import Limited
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

TWO = {"name": "two", "requests": 1, "per": "1h", "burst": 2}


async def count(limited: Limited, limit: str, expected: int) -> None:
    """Return once so many requests would have been refused by a limit."""
    labels = {"policy": f"test/{limited.policy}", "limit": limit, "result": "shadow"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", expected, **labels))


async def test_answers_are_as_without_the_policy_and_refusals_are_told(limited: Limited) -> None:
    plain = await limited.get()
    await limited.by(TWO, mode="Shadow")
    answers = [await limited.get() for _ in range(5)]
    assert all((one.status, one.fields, one.body) == (200, plain.fields, plain.body) for one in answers)
    await count(limited, "two", 3)
    told = f"ratelimit.token policy=test/{limited.policy} limit=two"
    line = await accesslog.line(limited.sidecar.process, would_refuse=told)
    assert (line["status"], line["reason"]) == (200, None)
    assert (await limited.caller.get("limited.test")).status == 200  # only whom it calls a sidecar knows
    answer = await limited.caller.fleet.ask(
        "Explain", {"from": named("test/caller"), "to": named("test/limited")}
    )
    assert answer["forwarded"]
    assert "would be refused, were it not in shadow" in str(answer)


async def test_what_was_counted_in_shadow_decides_once_it_is_enforced(limited: Limited) -> None:
    await limited.by(TWO, mode="Shadow")
    assert await limited.statuses(3) == [200] * 3
    await limited.edit(TWO)
    assert await limited.statuses(1) == [429]


async def test_nobody_waits_in_a_line_in_shadow(limited: Limited) -> None:
    line = {
        "name": "line",
        "algorithm": "LeakyBucket",
        "requests": 1,
        "per": "1m",
        "queue": 2,
        "maxWait": "10m",
    }
    await limited.by(line, mode="Shadow")
    assert await limited.statuses(5) == [200] * 5
    await count(limited, "line", 2)
    evicting = {**line, "name": "evicting", "evict": "Oldest"}
    await limited.by(evicting, mode="Shadow")
    gone = asyncio.Event()
    with limited.held(gone):
        calls = [asyncio.create_task(limited.get()) for _ in range(5)]
        await until(limited.arrived(5))
        gone.set()
        assert [(await call).status for call in calls] == [200] * 5
    await count(limited, "evicting", 2)
    waits = "breakwater_shadow_waits_total"
    await until(measured(limited.sidecar.http, waits, 6, service="test/limited"))


async def test_places_in_shadow_come_back_too(limited: Limited) -> None:
    await limited.by({"name": "in-flight", "concurrency": 2}, mode="Shadow")
    gone = asyncio.Event()
    with limited.held(gone):
        calls = [asyncio.create_task(limited.get()) for _ in range(5)]
        await until(limited.arrived(5))
        gone.set()
        assert [(await call).status for call in calls] == [200] * 5
    await count(limited, "in-flight", 3)
    await until(limited.left(in_flight=2))


async def test_connections_in_shadow_are_served(limited: Limited) -> None:
    await limited.by({"name": "sockets", "connections": {"concurrent": 1}}, mode="Shadow")
    async with RawClient(limited.sidecar.inbound) as first:
        await first.ask(host="limited")
        await first.response()
        assert await limited.statuses(2) == [200] * 2
    await count(limited, "sockets.concurrent", 2)
