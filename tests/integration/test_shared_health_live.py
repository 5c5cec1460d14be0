"""Health checks shared among callers: a few of them probe each endpoint, and all of them know."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TypeAlias

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
SERVICES = {"shared": (1, 2), "known": (2, 1), "alone": (2, 1)}
"""How many endpoints each has, and how many callers are to probe each of them."""

SOME = 4
SETTLE_SECONDS = 40
"""Several reports, for those who check a service to be known to all."""

Upstreams: TypeAlias = dict[str, tuple[ScriptedUpstream, ...]]


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


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def upstreams(callers: tuple[Caller, ...]) -> AsyncIterator[Upstreams]:
    """The endpoints of each service, which all call from the start: they agree on all services meanwhile."""
    async with AsyncExitStack() as running:
        found = {}
        for name, (endpoints, probers) in SERVICES.items():
            found[name] = tuple(
                [await running.enter_async_context(ScriptedUpstream(probed(200))) for _ in range(endpoints)]
            )
            check = {**OFTEN, "http": {}, "probers": probers}
            await callers[0].may_call(name, *(one.port for one in found[name]), healthCheck=check)
            await all_call(callers, name)
        yield found


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


def probed_by(callers: tuple[Caller, ...], name: str, *counts: int) -> Condition:
    """Return the condition that one of so many callers probe a service."""

    async def holds() -> bool:
        return await probers(callers, name) in counts

    return holds


def are(caller: Caller, name: str, state: str, count: int) -> Condition:
    labels = {"service": f"test/{name}", "state": state}
    return measured(caller.sidecar.http, "breakwater_endpoints", count, **labels)


async def all_find(callers: tuple[Caller, ...], name: str, state: str, count: int) -> None:
    """Return once so many endpoints are in this state for everybody."""
    for caller in callers:
        await until(are(caller, name, state, count), timeout_seconds=SETTLE_SECONDS)


def are_spared(callers: tuple[Caller, ...], name: str, upstream: ScriptedUpstream) -> Condition:
    """Return the condition that none of many calls meets an endpoint: probes may still be changing hands."""

    async def holds() -> bool:
        before = sum(not is_probe(request) for request in upstream.requests)
        for _ in range(5):
            await all_call(callers, name)
        return sum(not is_probe(request) for request in upstream.requests) == before

    return holds


async def test_as_many_callers_probe_an_endpoint_as_the_policy_says(
    callers: tuple[Caller, ...], upstreams: Upstreams
) -> None:
    assert len(upstreams["shared"]) == 1
    await until(probed_by(callers, "shared", 2), timeout_seconds=SETTLE_SECONDS)


async def test_every_caller_knows_what_one_found(callers: tuple[Caller, ...], upstreams: Upstreams) -> None:
    _, bad = upstreams["known"]
    await until(probed_by(callers, "known", 1, 2), timeout_seconds=SETTLE_SECONDS)
    bad.answer = probed(503)
    await all_find(callers, "known", "unhealthy", 1)
    await until(are_spared(callers, "known", bad), timeout_seconds=SETTLE_SECONDS)
    bad.answer = probed(200)
    await all_find(callers, "known", "ready", 2)


async def test_without_a_control_plane_everybody_probes_for_himself(
    callers: tuple[Caller, ...], upstreams: Upstreams
) -> None:
    _, bad = upstreams["alone"]
    await until(probed_by(callers, "alone", 1, 2), timeout_seconds=SETTLE_SECONDS)
    await callers[0].fleet.plane.process.kill()
    await until(probed_by(callers, "alone", len(callers)), timeout_seconds=2 * SETTLE_SECONDS)
    bad.answer = probed(503)
    await all_find(callers, "alone", "unhealthy", 1)
    await all_call(callers, "alone")
