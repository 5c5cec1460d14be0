"""Health checks shared among callers: a few of them probe each endpoint, and all of them know."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.caller import Caller, calling
from tests.support.framing import Message
from tests.support.mesh import SIDECAR
from tests.support.metrics import measured, scrape
from tests.support.readiness import Condition, until
from tests.support.upstream import OK, Answer, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFTEN = {"interval": "200ms", "timeout": "200ms", "unhealthyAfter": 1, "healthyAfter": 1}
SOME = 4
SETTLE_SECONDS = 40
"""Several reports, for those who check a service to be known to all."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def callers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Caller, ...]]:
    """Three callers of one mesh, and nobody to tell them apart by what they call."""
    scratch = tmp_path_factory.mktemp("callers")
    async with ScriptedUpstream() as app, calling(scratch) as first:
        others = [
            Caller(first.fleet, await first.fleet.join(f"test/{name}", app_port=app.port, program=SIDECAR))
            for name in ("second", "third")
        ]
        yield (first, *others)


def probed(status: int) -> Answer:
    """Answer 200 to requests, and this status to probes."""
    return lambda request: (Send(response(status)),) if is_probe(request) else OK


def is_probe(request: Message) -> bool:
    return request.start_line.startswith(b"GET /healthz ")


async def all_call(callers: tuple[Caller, ...], name: str) -> None:
    assert [(await caller.get(name)).status for caller in callers] == [200] * len(callers)


async def probes(caller: Caller, name: str) -> float:
    metrics = await scrape(caller.sidecar.http)
    return metrics.total("breakwater_health_probes_total", service=f"test/{name}")


async def probers(callers: tuple[Caller, ...], name: str) -> int:
    """How many of them probe: `SOME` more probes are waited for."""
    before = [await probes(caller, name) for caller in callers]

    async def were_some_made() -> bool:
        return sum([await probes(caller, name) for caller in callers]) >= sum(before) + SOME

    await until(were_some_made)
    after = [await probes(caller, name) for caller in callers]
    return sum(was < now for was, now in zip(before, after, strict=True))


async def test_as_many_callers_probe_an_endpoint_as_the_policy_says(callers: tuple[Caller, ...]) -> None:
    name, count = "shared", 2
    async with ScriptedUpstream(probed(200)) as upstream:
        check = {**OFTEN, "http": {}, "probers": count}
        await callers[0].may_call(name, upstream.port, healthCheck=check)
        await all_call(callers, name)

        async def is_shared() -> bool:
            return await probers(callers, name) == count

        await until(is_shared, timeout_seconds=SETTLE_SECONDS)


async def test_every_caller_knows_what_one_found(callers: tuple[Caller, ...]) -> None:
    async with ScriptedUpstream(probed(200)) as good, ScriptedUpstream(probed(200)) as bad:
        check = {**OFTEN, "http": {}, "probers": 1}
        await callers[0].may_call("known", good.port, bad.port, healthCheck=check)
        await all_call(callers, "known")

        async def are_shared() -> bool:
            return await probers(callers, "known") < len(callers)

        await until(are_shared, timeout_seconds=SETTLE_SECONDS)
        bad.answer = probed(503)
        await asyncio.gather(
            *(
                until(are(caller, "known", "unhealthy", 1), timeout_seconds=SETTLE_SECONDS)
                for caller in callers
            )
        )
        before = sum(not is_probe(request) for request in bad.requests)
        for _ in range(5):
            await all_call(callers, "known")
        assert sum(not is_probe(request) for request in bad.requests) == before
        bad.answer = probed(200)
        await asyncio.gather(
            *(until(are(caller, "known", "ready", 2), timeout_seconds=SETTLE_SECONDS) for caller in callers)
        )


def are(caller: Caller, name: str, state: str, count: int) -> Condition:
    labels = {"service": f"test/{name}", "state": state}
    return measured(caller.sidecar.http, "breakwater_endpoints", count, **labels)


async def test_without_a_control_plane_everybody_probes_for_himself(callers: tuple[Caller, ...]) -> None:
    async with ScriptedUpstream(probed(200)) as good, ScriptedUpstream(probed(200)) as bad:
        check = {**OFTEN, "http": {}, "probers": 1}
        await callers[0].may_call("alone", good.port, bad.port, healthCheck=check)
        await all_call(callers, "alone")

        async def is_shared() -> bool:
            return await probers(callers, "alone") < len(callers)

        await until(is_shared, timeout_seconds=SETTLE_SECONDS)
        await callers[0].fleet.plane.process.kill()

        async def does_everybody_probe() -> bool:
            return await probers(callers, "alone") == len(callers)

        await until(does_everybody_probe, timeout_seconds=2 * SETTLE_SECONDS)
        bad.answer = probed(503)
        for caller in callers:
            await until(
                measured(
                    caller.sidecar.http, "breakwater_endpoints", 1, service="test/alone", state="unhealthy"
                )
            )
        await all_call(callers, "alone")
