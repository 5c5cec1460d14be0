"""Rules of retries that only live traffic shows: whom they ask, what they carry, what holds them back."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.support.caller import Caller
from tests.support.grpcapp import FAIL, call, grpc_app
from tests.support.refusal import reason
from tests.support.upstream import Script, ScriptedUpstream, Send, response, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING: Script = (Send(response(503)),)
RETRY = {
    "attempts": 2,
    "when": ["5xx", "Unavailable"],
    "strategy": "Immediate",
    "budget": {"percent": 100, "minRetryRate": {"count": 10, "interval": "1s"}},
}
ENOUGH_TO_KNOW_THE_MEDIAN = 20


async def test_the_endpoint_just_tried_is_avoided_while_another_is_ready(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as bad, ScriptedUpstream() as good:
        spec: dict[str, Any] = {"retry": {**RETRY, "attempts": 1}, "loadBalancing": {"policy": "RoundRobin"}}
        await caller.may_call("avoided", bad.port, good.port, **spec)
        answers = [await caller.get("avoided") for _ in range(6)]
        assert [one.status for one in answers] == [200] * 6
        assert bad.requests
        assert len(good.requests) == 6


async def test_every_attempt_carries_the_same_request_id_and_trace(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        await caller.may_call("same-id", upstream.port, retry=RETRY)
        answer = await caller.get("same-id", x_request_id="one", traceparent=f"00-{'a' * 32}-{'b' * 16}-01")
        assert (answer.status, answer.text("breakwater-attempts")) == (503, "3")
        assert [one.text("x-request-id") for one in upstream.requests] == ["one"] * 3
        traces = [(one.text("traceparent") or "").split("-")[1] for one in upstream.requests]
        assert traces == ["a" * 32] * 3


async def test_no_retry_is_begun_that_half_of_all_attempts_would_not_finish(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: slow(0.2)) as upstream:
        await caller.may_call("hopeless", upstream.port, retry=RETRY)
        known = await asyncio.gather(*(caller.get("hopeless") for _ in range(ENOUGH_TO_KNOW_THE_MEDIAN)))
        assert {one.status for one in known} == {200}
        upstream.answer = lambda _: FAILING
        upstream.forget()
        assert (await caller.get("hopeless", breakwater_deadline_ms="190")).status in {503, 504}
        assert len(upstream.requests) <= 1
        upstream.forget()
        assert (await caller.get("hopeless", breakwater_deadline_ms="60000")).status == 503
        assert len(upstream.requests) == 3


@pytest.mark.parametrize(("pushback", "calls"), [("0", 3), ("-1", 1), ("soon", 1)])
async def test_grpc_pushback_is_obeyed(caller: Caller, pushback: str, calls: int) -> None:
    async with grpc_app() as app:
        name = f"pushback-{pushback.strip('-')}"
        app.trailers = (("grpc-retry-pushback-ms", pushback),)
        await caller.may_call(name, app.port, protocol="GRPC", retry={**RETRY, "methods": ["POST"]})
        answer = await call(caller.sidecar.outbound, FAIL, host=name)
        assert answer.code is grpc.StatusCode.UNAVAILABLE
        assert app.calls.total() == calls


async def test_out_of_time_means_no_search_for_a_configuration_either(caller: Caller) -> None:
    answer = await caller.get("nobody-ever-heard-of", breakwater_deadline_ms="0")
    assert (answer.status, reason(answer)) == (504, "deadline.exhausted")
