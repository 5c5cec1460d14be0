"""ResiliencePolicies in shadow: calls go on as without them, and it is told what would have been."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc
import pytest

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.documents import external, external_service, resilience
from tests.support.fleet import named
from tests.support.grpcapp import ECHO, HOLD, call, grpc_app
from tests.support.metrics import measured, scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, that, until
from tests.support.upstream import OK, ScriptedUpstream, Send, Until, response, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRIPS = {"service": {"trip": {"consecutiveFailures": 2}, "open": {"base": "1h", "max": "1h"}}}
FAILS = (Send(response(503)),)


@asynccontextmanager
async def shadowed(caller: Caller, name: str, **spec: Any) -> AsyncIterator[ScriptedUpstream]:
    """Have a service that a policy in shadow governs."""
    async with ScriptedUpstream() as upstream:
        policy = resilience(name, external(name), mode="Shadow", **spec)
        await caller.fleet.put(name, external_service(name, upstream.port), policy)
        yield upstream


async def would_refuse(caller: Caller, name: str, reason: str, times: int) -> None:
    """Return once it was told so often that calls would have been refused, in the metric and in the log."""
    labels = {"service": f"test/{name}", "reason": reason}
    await until(measured(caller.sidecar.http, "breakwater_shadow_refusals_total", times, **labels))
    told = f"{reason} policy=test/{name}"
    line = await accesslog.line(caller.sidecar.process, dst=f"test/{name}", would_refuse=told)
    assert line["reason"] is None


async def test_a_breaker_in_shadow_opens_and_refuses_nobody(caller: Caller) -> None:
    async with shadowed(caller, "failing", breaker=TRIPS) as upstream:
        upstream.answer = lambda _: FAILS
        assert [(await caller.get("failing")).status for _ in range(5)] == [503] * 5
        assert len(upstream.requests) == 5
        await would_refuse(caller, "failing", "breaker.open", 3)
        asked = {"from": named("test/caller"), "to": named("test/failing")}
        answer = await caller.fleet.ask("Explain", asked)
        assert answer["forwarded"]
        [step] = [one for one in answer["hops"][0]["answer"]["steps"] if one["stage"] == "in shadow"]
        assert step["text"].startswith("breaker: open: 2 failures")
        assert step["text"].endswith("would be refused, breaker.open, were it not in shadow")
        measures = await scrape(caller.sidecar.http)
        labels = {"service": "test/failing"}
        assert measures.total("breakwater_breaker_transitions_total", **labels) == 0
        assert (await caller.fleet.ask("ListBreakers", {"service": named("test/failing")}))["breakers"] == []


async def test_a_bulkhead_in_shadow_counts_who_runs_and_turns_nobody_away(caller: Caller) -> None:
    bulkhead = {"maxConcurrent": 1, "maxQueue": 1, "queueTimeout": "1ms"}
    async with shadowed(caller, "crowded", bulkhead=bulkhead) as upstream, AsyncExitStack() as calls:
        gate = asyncio.Event()
        upstream.answer = lambda _: (Until(gate), *OK)
        clients = [await calls.enter_async_context(RawClient(caller.sidecar.outbound)) for _ in range(3)]
        for place, client in enumerate(clients, 1):
            await client.ask(host="crowded")
            await until(arrived(upstream, place))
        await would_wait(caller, "crowded", 1)
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 3
        await would_refuse(caller, "crowded", "bulkhead.full", 1)
        assert (await caller.get("crowded")).status == 200
        await would_refuse(caller, "crowded", "bulkhead.full", 1)


async def test_a_pool_in_shadow_counts_the_connections_in_use_and_holds_nobody_up(caller: Caller) -> None:
    figures: dict[str, Any] = {"connectionPool": {"maxConnections": 1}, "timeouts": {"connect": "10ms"}}
    async with shadowed(caller, "pooled", **figures) as upstream, RawClient(caller.sidecar.outbound) as held:
        gate = asyncio.Event()
        upstream.answer = lambda _: (Until(gate), *OK)
        await held.ask(host="pooled")
        await until(arrived(upstream, 1))
        upstream.answer = lambda _: slow(0.05)
        assert (await caller.get("pooled")).status == 200
        await would_wait(caller, "pooled", 1)
        await would_refuse(caller, "pooled", "bulkhead.connections", 1)
        gate.set()
        assert (await held.response()).status == 200
        assert [(await caller.get("pooled")).status for _ in range(3)] == [200] * 3
        await would_wait(caller, "pooled", 1)


async def test_calls_that_share_a_connection_are_one_to_a_pool_in_shadow(caller: Caller) -> None:
    figures: dict[str, Any] = {"mode": "Shadow", "connectionPool": {"maxConnections": 1}}
    async with grpc_app() as app, asyncio.TaskGroup() as tasks:
        await caller.may_call("streams", app.port, protocol="GRPC", **figures)
        assert (await call(caller.sidecar.outbound, ECHO, host="streams")).code is grpc.StatusCode.OK
        held = [tasks.create_task(call(caller.sidecar.outbound, HOLD, host="streams")) for _ in range(3)]
        await until(measured(caller.sidecar.http, "breakwater_inflight", 3, service="test/streams"))
        measures = await scrape(caller.sidecar.http)
        assert measures.total("breakwater_shadow_waits_total", service="test/streams") == 0
        for one in held:
            one.cancel()


def arrived(upstream: ScriptedUpstream, count: int) -> Condition:
    return that(lambda: len(upstream.requests) == count)


async def would_wait(caller: Caller, name: str, times: int) -> None:
    labels = {"service": f"test/{name}"}
    await until(measured(caller.sidecar.http, "breakwater_shadow_waits_total", times, **labels))


async def test_timeouts_in_shadow_cut_nothing_off(caller: Caller) -> None:
    async with shadowed(caller, "slow", timeouts={"request": "1s", "perTry": "20ms"}) as upstream:
        upstream.answer = lambda _: slow(0.05)
        assert (await caller.get("slow")).status == 200
        await would_refuse(caller, "slow", "timeout.per_try", 1)
    async with shadowed(caller, "late", timeouts={"request": "20ms"}) as upstream:
        upstream.answer = lambda _: slow(0.05)
        assert (await caller.get("late")).status == 200
        await would_refuse(caller, "late", "timeout.request", 1)


async def test_retries_in_shadow_are_counted_and_not_made(caller: Caller) -> None:
    retry = {"attempts": 2, "strategy": "Immediate", "budget": {"percent": 100}}
    async with shadowed(caller, "tried", retry=retry) as upstream:
        upstream.answer = lambda _: FAILS
        answer = await caller.get("tried")
        assert (answer.status, answer.text("breakwater-attempts")) == (503, None)
        assert len(upstream.requests) == 1
        labels = {"service": "test/tried"}
        await until(measured(caller.sidecar.http, "breakwater_shadow_retries_total", 1, **labels))


async def test_admission_control_in_shadow_keeps_nobody_back(caller: Caller) -> None:
    async with shadowed(caller, "kept", admissionControl={"maxRejectPercent": 100}) as upstream:
        upstream.answer = lambda _: FAILS
        statuses = {(await caller.get("kept")).status for _ in range(60)}
        assert statuses == {503}
        assert len(upstream.requests) == 60
        line = await accesslog.line(
            caller.sidecar.process, dst="test/kept", would_refuse="admission.rate policy=test/kept"
        )
        assert line["status"] == 503


async def test_what_acts_is_as_it_would_be_without_shadow(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILS) as upstream:
        await caller.fleet.put(
            "both",
            external_service("both", upstream.port),
            resilience("both-acts", external("both"), breaker=TRIPS),
            resilience(
                "both-tries",
                external("both"),
                mode="Shadow",
                merge="PatchOverrides",
                breaker={"service": {"trip": {"consecutiveFailures": 1}}},
            ),
        )
        statuses = [await caller.get("both") for _ in range(3)]
        assert len(upstream.requests) == 2
        assert "breaker.open" in (statuses[2].text("proxy-status") or "")
        labels = {"service": "test/both", "reason": "breaker.open"}
        await until(measured(caller.sidecar.http, "breakwater_shadow_refusals_total", 1, **labels))
