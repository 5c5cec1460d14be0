"""Fallbacks, judged by what the caller got, what the upstreams saw, and what breakers make of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.documents import Document, external, external_service, fault, resilience
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, FAIL, call, grpc_app
from tests.support.metrics import measured
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.refusal import reason
from tests.support.upstream import NO_ANSWER, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARK = "breakwater-fallback"
EMPTY = '{"items":[]}'
STATIC = {"response": {"status": 200, "headers": {"content-type": "application/json"}, "body": EMPTY}}
TRIPS = {"service": {"trip": {"consecutiveFailures": 1}, "open": {"base": "1h", "max": "1h"}}}


async def put(
    caller: Caller, name: str, port: int, *others: Document, protocol: str = "HTTP", **spec: Any
) -> None:
    """Add an external service with a ResiliencePolicy, and what else belongs to it."""
    await caller.fleet.put(
        name,
        external_service(name, port, protocol=protocol),
        resilience(name, external(name), **spec),
        *others,
    )


def is_static(answer: Message, failure: str, policy: str) -> None:
    assert (answer.status, answer.body) == (200, EMPTY.encode())
    assert answer.text("content-type") == "application/json"
    assert answer.text(MARK) == f'{failure};policy="test/{policy}"'
    assert reason(answer) == failure


async def test_nobody_there_is_answered_for_and_stays_a_failure(caller: Caller) -> None:
    await put(caller, "gone", free_port(), fallback=STATIC, breaker=TRIPS)
    is_static(await caller.get("gone"), "upstream.connect", "gone")
    is_static(await caller.get("gone"), "breaker.open", "gone")
    for word in ("upstream.connect", "breaker.open"):
        labels = {"service": "test/gone", "reason": word, "code_class": "2xx"}
        await until(measured(caller.sidecar.http, "breakwater_requests_total", 1, **labels))
    labels = {"service": "test/gone", "by": "response"}
    await until(measured(caller.sidecar.http, "breakwater_fallbacks_total", 2, **labels))
    line = await accesslog.line(caller.sidecar.process, dst="test/gone", reason="breaker.open")
    assert (line["status"], line["fallback"]) == (200, "response")


async def test_what_is_foreseen_tells_of_the_fallback(caller: Caller) -> None:
    await put(caller, "foreseen", free_port(), fallback=STATIC, breaker=TRIPS)
    asked = {"from": named("test/caller"), "to": named("test/foreseen")}
    await caller.get("foreseen")
    answer = await caller.fleet.ask("Explain", asked)
    assert answer["reason"] == "breaker.open"
    step = answer["hops"][0]["answer"]["steps"][-1]
    assert (step["stage"], step["text"]) == ("fallback", "200, always the same, instead")


async def test_a_timeout_and_a_refusal_are_answered_for(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        await put(caller, "slow", upstream.port, timeouts={"request": "50ms"}, fallback=STATIC)
        is_static(await caller.get("slow"), "timeout.request", "slow")
        drill = fault("full", external("full"), abort={"status": 503})
        await put(caller, "full", upstream.port, drill, fallback=STATIC)
        is_static(await caller.get("full"), "fault.injected", "full")


async def test_what_is_not_listed_or_came_from_the_upstream_goes_back_as_it_is(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: (Send(response(503)),)) as upstream:
        await put(caller, "said", upstream.port, fallback=STATIC)
        answer = await caller.get("said")
        assert (answer.status, answer.text(MARK)) == (503, None)
    await put(caller, "unlisted", free_port(), fallback={"when": ["Open"], **STATIC})
    answer = await caller.get("unlisted")
    assert (answer.status, reason(answer), answer.text(MARK)) == (503, "upstream.connect", None)


async def test_what_was_retried_in_vain_is_judged_by_what_failed_last(caller: Caller) -> None:
    retry = {"attempts": 1, "strategy": "Immediate"}
    await put(caller, "tried", free_port(), retry=retry, fallback=STATIC)
    answer = await caller.get("tried")
    is_static(answer, "retry.exhausted", "tried")
    assert answer.text("breakwater-retry") is None


@asynccontextmanager
async def standing_in(caller: Caller, name: str, port: int, **spec: Any) -> AsyncIterator[ScriptedUpstream]:
    """Have a service that is asked instead of another one."""
    async with ScriptedUpstream(lambda _: (Send(response(body=b"static")),)) as upstream:
        await put(caller, f"{name}-static", upstream.port)
        await put(caller, name, port, fallback={"service": {"name": f"{name}-static"}}, **spec)
        yield upstream


async def test_another_service_answers_with_the_whole_request(caller: Caller) -> None:
    async with (
        standing_in(caller, "cart", free_port()) as upstream,
        RawClient(caller.sidecar.outbound) as client,
    ):
        body = "x" * 65_536
        await client.ask("/items?a=1", host="cart", method="POST", body=body)
        answer = await client.response()
        assert (answer.status, answer.body) == (200, b"static")
        mark = 'upstream.connect;policy="test/cart";service="test/cart-static"'
        assert answer.text(MARK) == mark
        [request] = upstream.requests
        assert request.start_line == b"POST /items?a=1 HTTP/1.1"
        assert request.body == body.encode()
        await client.ask("/", host="cart")
        assert (await client.response()).status == 200
    for service, reasons in (("cart", "upstream.connect"), ("cart-static", "")):
        labels = {"service": f"test/{service}", "reason": reasons}
        await until(measured(caller.sidecar.http, "breakwater_requests_total", 2, **labels))
    labels = {"service": "test/cart", "by": "service"}
    await until(measured(caller.sidecar.http, "breakwater_fallbacks_total", 2, **labels))


async def test_a_body_that_was_sent_before_is_sent_again(caller: Caller) -> None:
    async with (
        ScriptedUpstream(lambda _: NO_ANSWER) as silent,
        standing_in(caller, "replayed", silent.port, timeouts={"request": "100ms"}) as upstream,
        RawClient(caller.sidecar.outbound) as client,
    ):
        await client.ask(host="replayed", method="POST", body="y" * 1000)
        assert (await client.response()).body == b"static"
        assert [request.body for request in (*silent.requests, *upstream.requests)] == [b"y" * 1000] * 2


async def test_a_body_too_long_to_be_kept_leaves_the_failure_as_it_is(caller: Caller) -> None:
    async with (
        ScriptedUpstream(lambda _: NO_ANSWER) as silent,
        standing_in(caller, "long", silent.port, timeouts={"request": "100ms"}) as upstream,
        RawClient(caller.sidecar.outbound) as client,
    ):
        await client.ask(host="long", method="POST", body="y" * 65_537)
        answer = await client.response()
        assert (answer.status, reason(answer)) == (504, "timeout.request")
        assert upstream.requests == ()


async def test_callers_own_deadline_holds_for_both(caller: Caller) -> None:
    async with (
        ScriptedUpstream(lambda _: NO_ANSWER) as silent,
        standing_in(caller, "hurried", silent.port) as upstream,
    ):
        answer = await caller.get("hurried", **{"breakwater-deadline-ms": "50"})
        assert (answer.status, reason(answer)) == (504, "timeout.request")
        assert upstream.requests == ()


async def test_when_both_fail_the_first_failure_is_told_and_nobody_asks_in_circles(caller: Caller) -> None:
    for name, other in (("ping", "pong"), ("pong", "ping")):
        await put(caller, name, free_port(), fallback={"service": {"name": other}}, breaker=TRIPS)
    answer = await caller.get("ping")
    assert (answer.status, reason(answer), answer.text(MARK)) == (503, "upstream.connect", None)
    for name in ("ping", "pong"):
        labels = {"service": f"test/{name}"}
        await until(measured(caller.sidecar.http, "breakwater_attempts_total", 1, **labels))


async def test_a_service_that_nobody_knows_leaves_the_failure_as_it_is(caller: Caller) -> None:
    await put(caller, "lonely", free_port(), fallback={"service": {"name": "nobody"}})
    assert reason(await caller.get("lonely")) == "upstream.connect"


async def test_grpc_gets_another_services_answer_or_a_failure_in_its_words(caller: Caller) -> None:
    port = caller.sidecar.outbound
    async with grpc_app() as app:
        await put(caller, "grpc-static", app.port, protocol="GRPC")
        instead = {"service": {"name": "grpc-static"}}
        await put(caller, "grpc-gone", free_port(), protocol="GRPC", fallback=instead)
        answer = await call(port, ECHO, host="grpc-gone")
        assert answer.code is grpc.StatusCode.OK
        assert app.calls["Echo"] == 1
        failed = await call(port, FAIL, host="grpc-gone")
        assert failed.code is grpc.StatusCode.UNAVAILABLE
    sorry = {"response": {"status": 404, "body": "nothing today"}}
    await put(caller, "grpc-sorry", free_port(), protocol="GRPC", fallback=sorry)
    answer = await call(port, ECHO, host="grpc-sorry")
    assert answer.code is grpc.StatusCode.UNIMPLEMENTED
    assert answer.metadata[MARK] == 'upstream.connect;policy="test/grpc-sorry"'
    await put(caller, "grpc-text", free_port(), protocol="GRPC", fallback=STATIC)
    answer = await call(port, ECHO, host="grpc-text")
    assert answer.code is grpc.StatusCode.UNAVAILABLE
    assert MARK not in answer.metadata


async def test_many_fallbacks_at_once_leave_nothing_behind(caller: Caller) -> None:
    async with standing_in(caller, "busy", free_port(), bulkhead={"maxConcurrent": 8, "maxQueue": 0}):

        async def ask_many() -> set[int]:
            async with RawClient(caller.sidecar.outbound) as client:
                statuses = set()
                for _ in range(100):
                    await client.ask(host="busy")
                    statuses.add((await client.response()).status)
                return statuses

        found = await asyncio.gather(*(ask_many() for _ in range(16)))
        assert set.union(*found) == {200}
        await caller.rests("busy")
        await caller.rests("busy-static")
