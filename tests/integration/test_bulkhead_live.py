"""A bulkhead runs exactly what it says, in order of arrival, judged by what a scripted upstream saw."""

import asyncio

import pytest

from tests.support.caller import Caller
from tests.support.framing import Message
from tests.support.metrics import scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, that, until
from tests.support.refusal import reason
from tests.support.upstream import OK, ScriptedUpstream, Until

pytestmark = pytest.mark.asyncio(loop_scope="module")


def running(upstream: ScriptedUpstream, count: int) -> Condition:
    return that(lambda: len(upstream.requests) >= count)


async def test_a_full_bulkhead_runs_and_queues_exactly_its_share_and_refuses_the_rest(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, asyncio.TaskGroup() as tasks:
        bulkhead = {"maxConcurrent": 3, "maxQueue": 2, "queueTimeout": "30s"}
        await caller.may_call("exact", upstream.port, bulkhead=bulkhead, timeouts={"request": "60s"})
        calls = [tasks.create_task(caller.get("exact")) for _ in range(9)]
        await until(that(lambda: sum(call.done() for call in calls) >= 4))
        await until(running(upstream, 3))
        refused = [call.result() for call in calls if call.done()]
        assert [(one.status, reason(one)) for one in refused] == [(503, "bulkhead.full")] * 4
        assert upstream.requests[3:] == ()
        gate.set()
        assert sorted([(await call).status for call in calls]) == [200] * 5 + [503] * 4
        assert len(upstream.requests) == 5
        await caller.rests("exact")


async def test_waiters_run_in_order_of_arrival(caller: Caller) -> None:
    gates = {f"/{place}": asyncio.Event() for place in range(4)}

    async with (
        ScriptedUpstream(lambda request: (Until(gates[path_of(request)]), *OK)) as upstream,
        asyncio.TaskGroup() as tasks,
    ):
        bulkhead = {"maxConcurrent": 1, "maxQueue": 3, "queueTimeout": "30s"}
        await caller.may_call("fair", upstream.port, bulkhead=bulkhead, timeouts={"request": "60s"})
        for path in gates:
            tasks.create_task(caller.get("fair", path))
            await until(running(upstream, 1))
            await scrape(caller.sidecar.http)  # answered by the worker, after what it got before
        for place, (path, gate) in enumerate(gates.items()):
            await until(running(upstream, place + 1))
            assert path_of(upstream.requests[-1]) == path
            gate.set()


def path_of(request: Message) -> str:
    return request.start_line.split(b" ")[1].decode()


async def test_who_waits_too_long_is_refused(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: (Until(asyncio.Event()),)) as upstream:
        bulkhead = {"maxConcurrent": 1, "maxQueue": 5, "queueTimeout": "100ms"}
        await caller.may_call("patient", upstream.port, bulkhead=bulkhead, timeouts={"request": "60s"})
        async with RawClient(caller.sidecar.outbound) as first:
            await first.ask(host="patient")
            await until(running(upstream, 1))
            response = await caller.get("patient")
        assert (response.status, reason(response)) == (503, "bulkhead.wait_timeout")
        assert len(upstream.requests) == 1


async def test_bulkheads_of_one_name_share_their_permits(caller: Caller) -> None:
    shared = {"maxConcurrent": 1, "maxQueue": 0, "sharedName": "database"}
    async with ScriptedUpstream(lambda _: (Until(asyncio.Event()),)) as upstream:
        await caller.may_call("left", upstream.port, bulkhead=shared, timeouts={"request": "60s"})
        await caller.may_call("right", upstream.port, bulkhead=shared, timeouts={"request": "60s"})
        async with RawClient(caller.sidecar.outbound) as first:
            await first.ask(host="left")
            await until(running(upstream, 1))
            response = await caller.get("right")
        assert (response.status, reason(response)) == (503, "bulkhead.full")
