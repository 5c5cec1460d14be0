"""Limits of what is in flight and of connections: exact, and every place comes back."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from random import Random
from time import monotonic

import pytest

from tests.support.limited import Limited
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.refusal import refusal
from tests.support.upstream import Pause, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_so_many_requests_are_in_flight_and_no_more(limited: Limited) -> None:
    gate = asyncio.Event()
    await limited.by({"name": "in-flight", "concurrency": 2, "by": [{"header": "x-user"}]})
    with limited.held(gate):
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(limited.get(x_user="a")) for _ in range(5)]
            await until(that(lambda: sum(call.done() for call in calls) == 3))
            refused = [refusal(call.result()) for call in calls if call.done()]
            assert [(one.status, one.reason, one.retry_after) for one in refused] == [
                (429, "ratelimit.concurrency", None)
            ] * 3
            other = tasks.create_task(limited.get(x_user="b"))
            await until(limited.arrived(3))
            gate.set()
            assert sorted([(await call).status for call in [*calls, other]]) == [200] * 3 + [429] * 3
    await until(limited.left(in_flight=2))


async def test_who_is_cut_off_gives_its_place_back(limited: Limited) -> None:
    await limited.by({"name": "in-flight", "concurrency": 8})
    chance = Random(6)  # noqa: S311 (the same cuts every time)
    with limited.answering(Pause(0.02), Send(response(body=b"x" * 100_000), step=10_000)):

        async def cut() -> None:
            for _ in range(10):
                async with RawClient(limited.sidecar.inbound) as client:
                    await client.ask(host="limited")
                    await asyncio.sleep(chance.uniform(0, 0.04))

        await asyncio.gather(*(cut() for _ in range(16)))
    await until(limited.left(in_flight=8))
    assert await limited.statuses(9) == [200] * 9


async def test_ten_thousand_requests_over_64_connections_are_counted_exactly(limited: Limited) -> None:
    await limited.by(
        {"name": "all", "requests": 1, "per": "1h", "burst": 5_000},
        {"name": "in-flight", "concurrency": 64},
    )
    left, statuses = iter(range(10_000)), Counter[int]()

    async def ask() -> None:
        async with RawClient(limited.sidecar.inbound, timeout_seconds=30) as client:
            for _ in left:
                await client.ask(host="limited")
                statuses[(await client.response()).status] += 1

    await asyncio.gather(*(ask() for _ in range(64)))
    assert statuses == {200: 5_000, 429: 5_000}
    assert len(limited.arrivals) == 5_000
    await until(limited.left(all=0, in_flight=64))


async def test_connections_beyond_the_figure_are_closed_when_they_are_accepted(limited: Limited) -> None:
    await limited.by({"name": "sockets", "connections": {"concurrent": 2}, "by": [{"sourceIp": True}]})
    async with AsyncExitStack() as open_ones:
        for _ in range(2):
            client = await open_ones.enter_async_context(RawClient(limited.sidecar.inbound))
            await client.ask(host="limited")
            assert (await client.response()).status == 200
        async with RawClient(limited.sidecar.inbound) as third:
            await third.ask(host="limited")
            assert await third.rest() == b""
    await until(limited.left(**{"sockets.concurrent": 2}))
    assert (await limited.get()).status == 200
    labels = {"policy": f"test/{limited.policy}", "limit": "sockets.concurrent", "result": "limited"}
    await until(measured(limited.sidecar.http, "breakwater_ratelimit_decisions_total", 1, **labels))


async def test_new_connections_come_no_faster_than_they_should(limited: Limited) -> None:
    await limited.by({"name": "sockets", "connections": {"perSecond": 3}})
    began, admitted = monotonic(), 0
    for _ in range(30):
        async with RawClient(limited.sidecar.inbound) as client:
            await client.ask(host="limited", connection="close")
            admitted += (await client.rest()).startswith(b"HTTP/1.1 200")
    assert 3 <= admitted <= 3 + 3 * (monotonic() - began)
