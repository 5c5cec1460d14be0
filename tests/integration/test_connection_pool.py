"""Connections to an upstream are pooled, and bounded in number, age, rest and use."""

import asyncio
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.fleet import named
from tests.support.rawclient import fetch
from tests.support.readiness import that, until
from tests.support.refusal import reason
from tests.support.upstream import OK, Close, Script, ScriptedUpstream, Until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_requests_one_after_another_share_a_connection(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("reused", upstream.port)
        for _ in range(5):
            assert (await caller.get("reused")).status == 200
        assert [len(log.requests) for log in upstream.connections] == [5]


async def test_no_more_connections_are_opened_than_allowed_and_everybody_is_served(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, asyncio.TaskGroup() as tasks:
        timeouts = {"connect": "30s", "request": "60s"}
        await caller.may_call("few", upstream.port, connectionPool={"maxConnections": 2}, timeouts=timeouts)
        calls = [tasks.create_task(caller.get("few")) for _ in range(6)]
        await until(that(lambda: len(upstream.requests) == 2))
        gate.set()
        assert [(await call).status for call in calls] == [200] * 6
        assert len(upstream.connections) == 2


async def test_who_gets_no_connection_in_time_is_refused(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, asyncio.TaskGroup() as tasks:
        timeouts = {"connect": "100ms", "request": "60s"}
        await caller.may_call("none", upstream.port, connectionPool={"maxConnections": 1}, timeouts=timeouts)
        first = tasks.create_task(caller.get("none"))
        await until(that(lambda: len(upstream.requests) == 1))
        told = await explained(caller, "none")
        assert told["text"] == "1 of 1 in use, 0 waiting for one; who needs another waits at most 100ms"
        assert told["policy"]["name"] == "none"
        response = await caller.get("none")
        assert (response.status, reason(response)) == (503, "bulkhead.connections")
        gate.set()
        assert (await first).status == 200


async def explained(caller: Caller, name: str) -> dict[str, Any]:
    """What `explain` says of the connections to a service."""
    ends = {"from": named("test/caller"), "to": named(f"test/{name}")}
    told = await caller.fleet.ask("Explain", {**ends, "method": "GET", "path": "/"})
    steps = [step for hop in told["hops"] for step in hop["answer"]["steps"]]
    return next(step for step in steps if step["stage"] == "connections")


async def test_a_connection_ends_after_its_requests(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("worn", upstream.port, connectionPool={"maxRequestsPerConnection": 2})
        for _ in range(5):
            assert (await caller.get("worn")).status == 200
        assert [len(log.requests) for log in upstream.connections] == [2, 2, 1]


async def test_a_connection_that_is_too_old_serves_nobody_any_more(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("aged", upstream.port, connectionPool={"maxAge": "200ms"})

        async def served_by_another() -> bool:
            assert (await caller.get("aged")).status == 200
            return len(upstream.connections) > 1

        await until(served_by_another)


async def test_a_connection_that_rests_too_long_is_closed(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("idle", upstream.port, timeouts={"idle": "200ms"})
        assert (await caller.get("idle")).status == 200
        await until(that(lambda: not upstream.connections[0].is_open))


async def test_a_safe_request_survives_that_its_pooled_connection_was_closed(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        upstream.answer = lambda _: closed_at_second_use(upstream)
        await caller.may_call("stale", upstream.port)
        assert [(await caller.get("stale")).status for _ in range(2)] == [200, 200]
        assert len(upstream.requests) == 3


async def test_an_unsafe_request_is_never_sent_again_on_another_connection(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        upstream.answer = lambda _: closed_at_second_use(upstream)
        await caller.may_call("unsafe", upstream.port)
        await caller.get("unsafe")
        response = await fetch(caller.sidecar.outbound, host="unsafe", method="POST", body="order")
        assert (response.status, reason(response)) == (502, "upstream.reset")
        assert [request.body for request in upstream.requests] == [b"", b"order"]


def closed_at_second_use(upstream: ScriptedUpstream) -> Script:
    return (Close(),) if len(upstream.connections[-1].requests) == 2 else OK
