"""The deadline is one instant: it bounds every wait, travels with the request, and is only ever shortened."""

import asyncio

import grpc
import pytest

from tests.support.caller import Caller
from tests.support.documents import external, external_service, resilience, service
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, HOLD, call, grpc_app
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.refusal import reason, refusal
from tests.support.relay import relay
from tests.support.upstream import NO_ANSWER, ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE = "breakwater-deadline-ms"
ROUNDED_UP = 1.05  # gRPC clients send a timeout in few digits, rounded up
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def deadline_ms(request: Message) -> int:
    return int(request.text(DEADLINE) or -1)


async def closed(upstream: ScriptedUpstream) -> None:
    """Return once the upstream got a request, and has no open connection any more."""
    await until(
        that(lambda: bool(upstream.requests) and not any(log.is_open for log in upstream.connections))
    )


async def test_an_answer_that_takes_too_long_is_given_up_and_cancelled(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        await caller.may_call("late", upstream.port, timeouts={"request": "200ms"})
        refused = refusal(await caller.get("late"))
        assert (refused.status, refused.reason, refused.policy) == (504, "timeout.request", "test/late")
        assert refused.retry_after is None
        await closed(upstream)
        await caller.rests("late")


async def test_the_upstream_is_told_what_is_left(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("told", upstream.port, timeouts={"request": "5s"})
        await caller.get("told")
        assert 0 < deadline_ms(upstream.requests[0]) <= 5000 - 2


async def test_a_caller_can_only_shorten_the_deadline(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("clamped", upstream.port, timeouts={"request": "5s"})
        await caller.get("clamped", breakwater_deadline_ms="1000")
        await caller.get("clamped", breakwater_deadline_ms="99999999")
        shortened, clamped = upstream.requests
        assert 0 < deadline_ms(shortened) <= 1000 - 2
        assert 1000 < deadline_ms(clamped) <= 5000 - 2


async def test_what_arrives_with_nothing_left_does_no_work(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("exhausted", upstream.port, timeouts={"request": "5s"})
        response = await caller.get("exhausted", breakwater_deadline_ms="0")
        assert (response.status, reason(response)) == (504, "deadline.exhausted")
        assert upstream.received == b""


async def test_each_attempt_has_its_own_bound_within_the_whole(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        timeouts = {"request": "30s", "perTry": "100ms"}
        retry = {"attempts": 2, "when": ["PerTryTimeout"], "strategy": "Immediate"}
        await caller.may_call("tried", upstream.port, timeouts=timeouts, retry=retry)
        response = await caller.get("tried")
        assert response.status == 504
        assert response.text("breakwater-attempts") == "3"
        assert len(upstream.requests) == 3


async def test_the_bound_of_an_attempt_ends_with_its_head(caller: Caller) -> None:
    gate = asyncio.Event()
    whole = response(body=b"x" * 1_000)
    script = (Send(whole[:-500]), Until(gate), Send(whole[-500:]))
    async with ScriptedUpstream(lambda _: script) as upstream, RawClient(caller.sidecar.outbound) as client:
        retry = {"attempts": 2, "when": ["PerTryTimeout", "Reset"]}
        await caller.may_call(
            "headed", upstream.port, timeouts={"request": "1h", "perTry": "2s"}, retry=retry
        )
        await client.ask(host="headed")
        await asyncio.sleep(2.2)  # longer than an attempt may be without its head
        gate.set()
        answer = await client.response()
        assert (answer.status, len(answer.body), answer.text("breakwater-attempts")) == (200, 1_000, None)
        assert len(upstream.requests) == 1


async def test_a_retry_that_cannot_begin_in_time_is_not_waited_for(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        timeouts = {"request": "30m", "perTry": "100ms"}  # nobody would wait for either
        retry = {
            "attempts": 2,
            "when": ["PerTryTimeout"],
            "strategy": "Fixed",
            "backoff": {"base": "1h", "max": "1h"},
        }
        await caller.may_call("hopeless", upstream.port, timeouts=timeouts, retry=retry)
        assert (await caller.get("hopeless")).status == 504
        assert len(upstream.requests) == 1


async def test_time_in_the_queue_counts(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        bulkhead = {"maxConcurrent": 1, "queueTimeout": "30s"}
        await caller.may_call("queued", upstream.port, timeouts={"request": "300ms"}, bulkhead=bulkhead)
        async with RawClient(caller.sidecar.outbound) as first:
            await first.ask(host="queued")
            refused = refusal(await caller.get("queued", breakwater_deadline_ms="100"))
            assert refused.status == 504
            assert len(upstream.requests) == 1


async def test_calls_of_an_application_inherit_the_deadline_of_its_trace(caller: Caller) -> None:
    async with ScriptedUpstream() as last, relay("last") as middle:
        beside = await caller.fleet.join("test/middle", app_port=middle.port)
        middle.outbound = beside.outbound
        await caller.fleet.put(
            "chain",
            external_service("last", last.port),
            resilience("last", external("last"), timeouts={"request": "20s"}),
            resilience("middle", service("middle"), timeouts={"request": "4s"}),
        )
        assert (await caller.get("middle", traceparent=TRACE)).status == 200
        assert 0 < deadline_ms(last.requests[0]) <= 4000 - 2
        assert (await caller.get("middle")).status == 200
        assert 0 < deadline_ms(last.requests[1]) <= 4000 - 2  # the sidecar began a trace where there was none


async def test_grpc_timeouts_are_lowered_and_never_added(caller: Caller) -> None:
    async with grpc_app() as app:
        await caller.may_call("rpc", app.port, protocol="GRPC", timeouts={"request": "5s"})
        for patience in (60.0, 2.0, None):
            answer = await call(caller.sidecar.outbound, ECHO, host="rpc", timeout_seconds=patience)
            assert answer.code is grpc.StatusCode.OK
        clamped, shorter, none = app.seconds_left
        assert clamped is not None
        assert 2 < clamped <= 5 * ROUNDED_UP
        assert shorter is not None
        assert 0 < shorter <= 2 * ROUNDED_UP
        assert none is None or none > 3600


async def test_a_grpc_call_past_its_time_ends_as_deadline_exceeded(caller: Caller) -> None:
    async with grpc_app() as app:
        await caller.may_call("rpc-late", app.port, protocol="GRPC", timeouts={"request": "200ms"})
        answer = await call(caller.sidecar.outbound, HOLD, host="rpc-late", timeout_seconds=30)
        assert answer.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await caller.rests("rpc-late")
