"""Limits of what a pod uses: everybody is refused from `enter` until it uses less than `exit`."""

import pytest

from tests.support import accesslog
from tests.support.documents import rate_limit, service
from tests.support.limited import Limited
from tests.support.metrics import measured, scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, that, until
from tests.support.refusal import refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMORY = {"name": "memory", "resource": {"memoryPercent": {"enter": 90, "exit": 80}}}


def answers(limited: Limited, status: int, **headers: str) -> Condition:
    """Return the condition that requests are answered so."""

    async def holds() -> bool:
        return (await limited.get(**headers)).status == status

    return holds


async def test_memory_is_refused_from_enter_until_it_falls_below_exit(limited: Limited) -> None:
    limited.cgroup.memory(89)
    await limited.by(MEMORY)
    await until(limited.left(memory=11))
    assert await limited.statuses(3) == [200] * 3
    limited.cgroup.memory(90)
    await until(answers(limited, 503))
    limited.cgroup.memory(80)
    await until(limited.left(memory=20))
    refused = refusal(await limited.get())
    assert (refused.status, refused.reason, refused.retry_after) == (503, "ratelimit.resource", None)
    assert (refused.policy, refused.problem["status"]) == (f"test/{limited.policy}", 503)
    limited.cgroup.memory(79)
    await until(answers(limited, 200))
    limited.cgroup.memory(0)


async def test_processor_time_and_pressure_are_watched_too(limited: Limited) -> None:
    figures = {"cpuPercent": {"enter": 75}, "pressure": {"enter": 40, "exit": 30}}
    await limited.by({"name": "strain", "resource": figures})
    await until(answers(limited, 200))
    async with limited.cgroup.busy(95):
        await until(answers(limited, 503))
    await until(answers(limited, 200))
    limited.cgroup.pressure(40)
    await until(answers(limited, 503))
    limited.cgroup.pressure(0)
    await until(answers(limited, 200))


async def test_only_what_matches_is_refused_and_nothing_that_is_exempt(limited: Limited) -> None:
    limited.cgroup.memory(95)
    match = [{"headers": [{"name": "x-job", "present": True}]}]
    await limited.by({**MEMORY, "match": match}, exempt=[{"path": {"exact": "/healthz"}}])
    await until(answers(limited, 503, x_job="1"))
    assert (await limited.get()).status == 200
    assert (await limited.get(path="/healthz", x_job="1")).status == 200
    labels = {"policy": f"test/{limited.policy}", "limit": "memory", "result": "exempt"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", 1, **labels))


async def test_a_refusal_takes_nothing_from_other_limits(limited: Limited) -> None:
    limited.cgroup.memory(95)
    await limited.by(MEMORY)
    await until(answers(limited, 503))
    await limited.edit(MEMORY, {"name": "two", "requests": 1, "per": "1h", "burst": 2})
    assert await limited.statuses(5) == [503] * 5
    limited.cgroup.memory(0)
    await until(answers(limited, 200))
    assert await limited.statuses(2) == [200, 429]


async def test_it_counts_as_allowed_what_every_other_limit_allows(limited: Limited) -> None:
    two = {"name": "two", "requests": 1, "per": "1h", "burst": 2}
    await limited.by(MEMORY, two)
    assert await limited.statuses(5) == [200, 200, 429, 429, 429]
    policy = {"policy": f"test/{limited.policy}"}
    for limit, result, count in (("two", "limited", 3), ("two", "allowed", 2), ("memory", "allowed", 2)):
        labels = {**policy, "limit": limit, "result": result}
        await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", count, **labels))


async def test_who_waits_in_a_line_counts_as_allowed_once_it_goes_on(limited: Limited) -> None:
    line = {
        "name": "line",
        "algorithm": "LeakyBucket",
        "requests": 1,
        "per": "30m",
        "queue": 1,
        "maxWait": "1h",
    }
    await limited.by(MEMORY, line)
    assert await limited.statuses(1) == [200]
    async with RawClient(limited.sidecar.inbound) as leaver:
        await leaver.ask(host="limited")
        await until(limited.left(memory=100, line=0))
    await until(limited.left(memory=100, line=1))
    page = await scrape(limited.sidecar.http)
    for limit in ("memory", "line"):
        labels = {"policy": f"test/{limited.policy}", "limit": limit, "result": "allowed"}
        assert page.total("breakwater_ratelimit_decisions_total", **labels) == 1


async def test_in_shadow_it_would_refuse_only_what_those_in_force_admit(limited: Limited) -> None:
    limited.cgroup.memory(95)
    shadow = rate_limit("shadow", service("limited"), limits=[MEMORY], mode="Shadow")
    await limited.caller.fleet.put("shadow", shadow)
    await limited.by({"name": "one", "requests": 1, "per": "1h", "burst": 1})
    await until(limited.left(memory=5, one=1))
    assert await limited.statuses(3) == [200, 429, 429]
    labels = {"policy": "test/shadow", "limit": "memory", "result": "shadow"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", 1, **labels))
    await limited.caller.fleet.remove("shadow")
    limited.cgroup.memory(0)


async def test_in_shadow_it_is_only_told(limited: Limited) -> None:
    limited.cgroup.memory(95)
    await limited.by(MEMORY, mode="Shadow")
    await until(limited.left(memory=5))
    assert await limited.statuses(3) == [200] * 3
    told = f"ratelimit.resource policy=test/{limited.policy} limit=memory"
    await accesslog.line(limited.sidecar.process, would_refuse=told)
    limited.cgroup.memory(0)


async def test_what_cannot_be_measured_refuses_nothing(limited: Limited) -> None:
    limited.cgroup.memory(95)
    await limited.by(MEMORY)
    await until(answers(limited, 503))
    limited.cgroup.forget("memory.current")
    await until(answers(limited, 200))
    complaint = "resource not known, its limits refuse nothing"
    await until(that(lambda: complaint in limited.sidecar.process.output()))
    limited.cgroup.memory(0)
