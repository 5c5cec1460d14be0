"""Active health checks on live traffic: who is asked, what decides, and who is called meanwhile."""

from collections.abc import Sequence
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from tests.support.caller import Caller
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.grpcapp import grpc_health
from tests.support.metrics import measured
from tests.support.readiness import Condition, until
from tests.support.upstream import OK, Answer, Script, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFTEN = {"interval": "100ms", "timeout": "100ms"}


def answering(status: int) -> Answer:
    """Answer 200 to requests, and this status to probes."""
    return lambda request: (Send(response(status)),) if is_probe(request) else OK


def is_probe(request: Message) -> bool:
    return request.start_line.startswith(b"GET /healthz ")


def served(upstream: ScriptedUpstream) -> Sequence[Message]:
    """The requests that were no probes."""
    return [request for request in upstream.requests if not is_probe(request)]


def are(caller: Caller, name: str, state: str, count: int) -> Condition:
    labels = {"service": f"test/{name}", "state": state}
    return measured(caller.sidecar.http, "breakwater_endpoints", count, **labels)


async def told(caller: Caller, name: str) -> list[str]:
    answer = await caller.fleet.ask("ListEvents", {"service": named(f"test/{name}")})
    return [one["event"]["reason"] for one in answer["events"] if one["event"]["kind"] == "health"]


async def endpoints(caller: Caller, name: str) -> list[dict[str, Any]]:
    """The endpoints as the caller sees them, by the way that `breakwater proxy-config` takes."""
    answer = await caller.fleet.ask("ListCalledEndpoints", {"service": named(f"test/{name}")})
    return [one["endpoint"] for one in answer["endpoints"]]


async def test_an_endpoint_that_answers_badly_is_left_out_and_taken_back(caller: Caller) -> None:
    async with ScriptedUpstream(answering(200)) as good, ScriptedUpstream(answering(503)) as bad:
        check = {**OFTEN, "http": {}, "unhealthyAfter": 2, "healthyAfter": 2}
        await caller.may_call("probed", good.port, bad.port, healthCheck=check)
        await caller.get("probed")
        await until(are(caller, "probed", "unhealthy", 1))
        before = len(served(bad))
        assert [(await caller.get("probed")).status for _ in range(20)] == [200] * 20
        assert len(served(bad)) == before
        [left_out] = [one for one in await endpoints(caller, "probed") if not one["ready"]]
        assert left_out["address"].endswith(f":{bad.port}")
        assert (left_out["health"], left_out["probedHere"]) == ("unhealthy", True)
        bad.answer = answering(204)
        await until(are(caller, "probed", "ready", 2))

        async def is_told() -> bool:
            return await told(caller, "probed") == ["unhealthy", "healthy"]

        await until(is_told)


async def test_an_endpoint_that_is_healthy_again_is_called_at_once(caller: Caller) -> None:
    async with ScriptedUpstream(answering(200)) as good, ScriptedUpstream(answering(200)) as bad:
        check = {**OFTEN, "http": {}, "unhealthyAfter": 1, "healthyAfter": 1}
        await caller.may_call("cured", good.port, bad.port, healthCheck=check)
        bad.answer = lambda _: (Send(response(500)),)
        while not served(bad):
            await caller.get("cured")
        await until(are(caller, "cured", "unhealthy", 1))
        bad.answer = answering(200)
        await until(are(caller, "cured", "ready", 2))
        before = len(served(bad))

        async def is_called() -> bool:
            await caller.get("cured")
            return len(served(bad)) > before + 10

        await until(is_called)


async def test_the_first_answer_decides_at_once_and_later_ones_in_rows(caller: Caller) -> None:
    def script(request: Message) -> Script:
        probes = sum(map(is_probe, flaky.requests))
        return (Send(response(503 if probes % 3 == 1 else 200)),) if is_probe(request) else OK

    async with ScriptedUpstream(answering(200)) as good, ScriptedUpstream(script) as flaky:
        check = {**OFTEN, "http": {"expect": ["200"]}, "unhealthyAfter": 2, "healthyAfter": 2}
        await caller.may_call("rows", good.port, flaky.port, healthCheck=check)
        await caller.get("rows")
        # The first answer is bad, the next two are good; from then on there are never two bad ones in a row.
        await until(are(caller, "rows", "unhealthy", 1))
        await until(are(caller, "rows", "ready", 2))

        async def was_asked_often() -> bool:
            return sum(map(is_probe, flaky.requests)) >= 12

        await until(was_asked_often)
        assert await told(caller, "rows") == ["unhealthy", "healthy"]


async def test_while_nobody_is_healthy_everybody_is_called(caller: Caller) -> None:
    async with ScriptedUpstream(answering(500)) as one, ScriptedUpstream(answering(500)) as other:
        check = {**OFTEN, "http": {}, "unhealthyAfter": 1}
        await caller.may_call("desperate", one.port, other.port, healthCheck=check)
        await caller.get("desperate")

        async def are_told() -> bool:
            return await told(caller, "desperate") == ["unhealthy", "unhealthy"]

        await until(are_told)
        assert [(await caller.get("desperate")).status for _ in range(5)] == [200] * 5


async def test_a_connection_is_enough_for_tcp(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream() as gone:
        check = {**OFTEN, "tcp": {}, "unhealthyAfter": 1}
        await caller.may_call("connected", good.port, gone.port, healthCheck=check)
        await caller.get("connected")
        await until(are(caller, "connected", "ready", 2))
        await gone.end()
        await until(are(caller, "connected", "unhealthy", 1))
        assert [(await caller.get("connected")).status for _ in range(10)] == [200] * 10


async def test_grpc_servers_are_asked_for_a_service(caller: Caller) -> None:
    async with grpc_health("shop.Cart") as (port, servicer), grpc_health("shop.Cart") as (other, _):
        check = {**OFTEN, "grpc": {"service": "shop.Cart"}, "unhealthyAfter": 1, "healthyAfter": 1}
        await caller.may_call("serving", port, other, protocol="GRPC", healthCheck=check)
        await caller.get("serving")
        await until(are(caller, "serving", "ready", 2))
        await servicer.set("shop.Cart", health_pb2.HealthCheckResponse.NOT_SERVING)
        await until(are(caller, "serving", "unhealthy", 1))
        await servicer.set("shop.Cart", health_pb2.HealthCheckResponse.SERVING)
        await until(are(caller, "serving", "ready", 2))
