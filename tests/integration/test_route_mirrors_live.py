"""Copies of requests on live traffic: what the other service gets, and that nobody waits for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from tests.support.caller import Caller
from tests.support.documents import external, grpc_route, http_route
from tests.support.framing import Message
from tests.support.grpc_shapes import SERVICE, grpc_shapes
from tests.support.metrics import measured, scrape
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.upstream import NO_ANSWER, Close, Reset, Script, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

COUNT = "breakwater_mirrored_total"
KIB = 1024
# What may become of copies that hang: cut off with their upstream, given up, or never begun.
FATES = ("failed", "timeout", "no_room")


def mirror(to: str, **share: Any) -> Mapping[str, Any]:
    """A filter that copies requests to an external service."""
    return {"type": "RequestMirror", "requestMirror": {"backendRef": {**external(to), "port": 80}, **share}}


@asynccontextmanager
async def mirrored(
    caller: Caller, name: str, *others: Mapping[str, Any], **share: Any
) -> AsyncIterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    """A service, and the one of that name and `-copy` that its calls are copied to."""
    async with ScriptedUpstream() as one, ScriptedUpstream() as copy:
        await caller.may_call(name, one.port)
        await caller.may_call(f"{name}-copy", copy.port)
        rule = {"name": "all", "filters": [*others, mirror(f"{name}-copy", **share)]}
        await caller.fleet.put(f"{name}-route", http_route(f"{name}-route", external(name), rule))
        yield one, copy


async def counted(caller: Caller, name: str, result: str, count: int) -> None:
    """Return once so many requests of a service met that fate, and nothing is under way."""
    labels = {"service": f"test/{name}", "route": f"test/{name}-route/all", "to": f"test/{name}-copy"}
    await until(measured(caller.sidecar.http, COUNT, count, **labels, result=result))
    await until(measured(caller.sidecar.http, "breakwater_mirrors_inflight", 0))


def without_deadline(message: Message) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    fields = [(name, value) for name, value in message.fields if name != b"breakwater-deadline-ms"]
    return message.start_line, sorted(fields), message.body


async def test_a_copy_is_the_request_that_was_sent(caller: Caller) -> None:
    change = {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"set": [{"name": "x-a", "value": "1"}]},
    }
    async with mirrored(caller, "same", change) as (one, copy):
        for _ in range(3):
            assert (await caller.get("same", "/api?page=1")).status == 200
        await counted(caller, "same", "answered", 3)
        assert sorted(map(without_deadline, copy.requests)) == sorted(map(without_deadline, one.requests))
        assert {each.text("x-a") for each in copy.requests} == {"1"}
        assert len(copy.connections) <= 3


@pytest.mark.parametrize("share", [{"percent": 25}, {"fraction": {"numerator": 1, "denominator": 4}}])
async def test_a_share_is_exact(caller: Caller, share: Mapping[str, Any]) -> None:
    name = f"share-{len(share)}-{next(iter(share))}"
    async with mirrored(caller, name, **share) as (one, copy):
        for _ in range(12):
            await caller.get(name)
        await counted(caller, name, "answered", 3)
        assert (len(one.requests), len(copy.requests)) == (12, 3)


async def test_bodies_are_copied_whole_and_large_ones_not_at_all(caller: Caller) -> None:
    async with mirrored(caller, "bodies") as (one, copy), RawClient(caller.sidecar.outbound) as client:
        body = b"x" * 64 * KIB
        await client.send(b"POST / HTTP/1.1\r\nHost: bodies\r\nContent-Length: 65536\r\n\r\n" + body)
        assert (await client.response()).status == 200
        await client.send(b"POST / HTTP/1.1\r\nHost: bodies\r\nContent-Length: 65537\r\n\r\n" + body + b"y")
        assert (await client.response()).status == 200
        await client.send(b"POST / HTTP/1.1\r\nHost: bodies\r\nTransfer-Encoding: chunked\r\n\r\n")
        await client.send(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert (await client.response()).status == 200
        await counted(caller, "bodies", "answered", 2)
        await counted(caller, "bodies", "too_large", 1)
        assert [len(each.body) for each in one.requests] == [65536, 65537, 5]
        assert sorted(each.body for each in copy.requests) == [b"abcde", body]


@pytest.mark.parametrize(
    ("name", "script", "result"),
    [
        ("crashes", (Reset(),), "failed"),
        ("ends", (Close(),), "failed"),
        ("babbles", (Send(b"no answer at all\r\n\r\n"),), "failed"),
        ("fails", (Send(response(500)),), "answered"),
        ("half", (Send(response(body=b"x" * 100)[:-50]), Close()), "answered"),
    ],
)
async def test_whatever_becomes_of_a_copy_the_caller_sees_nothing_of_it(
    caller: Caller, name: str, script: Script, result: str
) -> None:
    async with mirrored(caller, name) as (one, copy):
        copy.answer = lambda _: script
        answers = [await caller.get(name) for _ in range(3)]
        assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok")] * 3
        await counted(caller, name, result, 3)
        assert (len(one.requests), len(copy.requests)) == (3, 3)


async def test_a_service_that_refuses_connections_costs_the_caller_nothing(caller: Caller) -> None:
    async with ScriptedUpstream() as one:
        await caller.may_call("refuses", one.port)
        await caller.may_call("refuses-copy", free_port())
        rule = {"name": "all", "filters": [mirror("refuses-copy")]}
        await caller.fleet.put("refuses-route", http_route("refuses-route", external("refuses"), rule))
        assert [(await caller.get("refuses")).status for _ in range(3)] == [200] * 3
        await counted(caller, "refuses", "failed", 3)


async def test_copies_that_hang_are_few_and_hold_up_nobody(caller: Caller) -> None:
    async with mirrored(caller, "hangs") as (one, copy):
        copy.answer = lambda _: NO_ANSWER
        async with RawClient(caller.sidecar.outbound) as client:
            for _ in range(110):
                await client.ask("/", host="hangs")
                assert (await client.response()).status == 200
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_mirrors_inflight") <= 100
        assert len(one.requests) == 110
    await until(measured(caller.sidecar.http, "breakwater_mirrors_inflight", 0))
    page = await scrape(caller.sidecar.http)
    fates = {name: page.total(COUNT, service="test/hangs", result=name) for name in FATES}
    assert sum(fates.values()) == page.total(COUNT, service="test/hangs") == 110
    assert fates["no_room"] <= 10


async def test_what_is_refused_is_not_copied(caller: Caller) -> None:
    async with mirrored(caller, "refused") as (one, copy):
        one.answer = lambda _: (Reset(),)
        assert (await caller.get("refused")).status == 502
        await counted(caller, "refused", "answered", 1)
        await one.end()
        assert (await caller.get("refused")).status == 503
        await counted(caller, "refused", "unsent", 1)
        assert len(copy.requests) == 1


async def test_a_copy_waits_for_all_of_the_body(caller: Caller) -> None:
    async with mirrored(caller, "early") as (one, copy), RawClient(caller.sidecar.outbound) as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: early\r\nContent-Length: 4\r\n\r\nab")
        await until(that(lambda: len(one.connections) == 1))
        assert not copy.received
        await client.send(b"cd")
        assert (await client.response()).status == 200
        await counted(caller, "early", "answered", 1)
        assert [each.body for each in copy.requests] == [b"abcd"]


async def test_a_reference_that_leads_nowhere_copies_nothing(caller: Caller) -> None:
    async with ScriptedUpstream() as one:
        await caller.may_call("lost", one.port)
        rule = {"filters": [mirror("nobody")]}
        await caller.fleet.put("lost-route", http_route("lost-route", external("lost"), rule))
        assert (await caller.get("lost")).status == 200


async def test_calls_of_grpc_are_copied_with_their_messages(caller: Caller) -> None:
    async with grpc_shapes() as app, grpc_shapes() as copy:
        await caller.may_call("calls", app.port, protocol="GRPC")
        await caller.may_call("calls-copy", copy.port, protocol="GRPC")
        rule = {"name": "all", "filters": [mirror("calls-copy")]}
        await caller.fleet.put("calls-route", grpc_route("calls-route", external("calls"), rule))
        options = (("grpc.default_authority", "calls.test"),)
        address = f"127.0.0.1:{caller.sidecar.outbound}"
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/echo")
            answers = await asyncio.gather(*(echo(b"hello", metadata=(("x-ask", "a"),)) for _ in range(5)))
            assert answers == [b"hello"] * 5
            assert await echo(b"x" * 100 * KIB) == b"x" * 100 * KIB
        await until(that(lambda: len(copy.metadata) == 5))
        labels = {"service": "test/calls", "route": "test/calls-route/all"}
        await until(measured(caller.sidecar.http, COUNT, 1, **labels, result="too_large"))
        await until(measured(caller.sidecar.http, COUNT, 5, **labels, result="answered"))
        assert [each["x-ask"] for each in copy.metadata] == ["a"] * 5
        assert len(app.metadata) == 6
