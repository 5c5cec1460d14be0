"""Rate limits on live traffic, by every algorithm: exact counts, and nothing earlier than allowed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from random import Random
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio

from tests.support.caller import Caller
from tests.support.documents import rate_limit, service
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.mesh import Sidecar
from tests.support.metrics import measured, scrape
from tests.support.rawclient import RawClient, fetch
from tests.support.readiness import Condition, that, until
from tests.support.refusal import refusal
from tests.support.upstream import OK, Pause, Script, ScriptedUpstream, Send, Step, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600
JITTER = 1.1


@dataclass(slots=True)
class Limited:
    """A service behind a sidecar, and the instants at which requests came through."""

    caller: Caller
    sidecar: Sidecar
    upstream: ScriptedUpstream
    arrivals: list[float]
    policies: int = 0

    async def by(self, *limits: dict[str, Any], **spec: Any) -> None:
        """Put these limits in force, in a policy of their own: nothing of them was used before."""
        self.policies += 1
        await self.edit(*limits, **spec)
        self.arrivals.clear()

    async def edit(self, *limits: dict[str, Any], **spec: Any) -> None:
        """Edit the policy in force."""
        await self.caller.fleet.put(
            "limits", rate_limit(self.policy, service("limited"), limits=list(limits), **spec)
        )

    @property
    def policy(self) -> str:
        """The name of the policy in force."""
        return f"limits-{self.policies}"

    @contextmanager
    def answering(self, *script: Step) -> Iterator[None]:
        """Have the application answer so for a while."""
        plainly = self.upstream.answer

        def answer(request: Message) -> Script:
            plainly(request)
            return script

        self.upstream.answer = answer
        yield
        self.upstream.answer = plainly

    async def get(self, **headers: str) -> Message:
        """Return the answer to a request from outside."""
        return await fetch(self.sidecar.inbound, host="limited", **headers)

    async def statuses(self, count: int, **headers: str) -> list[int]:
        """Return the statuses of so many requests, one after the other."""
        return [(await self.get(**headers)).status for _ in range(count)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def limited(caller: Caller) -> AsyncIterator[Limited]:
    arrivals: list[float] = []

    def answer(_: Message) -> Script:
        arrivals.append(monotonic())
        return OK

    async with ScriptedUpstream(answer) as upstream:
        sidecar = await caller.fleet.join("test/limited", app_port=upstream.port)
        yield Limited(caller, sidecar, upstream, arrivals)


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"algorithm": "TokenBucket", "burst": 3}, "ratelimit.token"),
        ({"algorithm": "FixedWindow", "aligned": False}, "ratelimit.fixed"),
        ({"algorithm": "SlidingLog"}, "ratelimit.sliding_log"),
        ({"algorithm": "SlidingWindow", "buckets": 4}, "ratelimit.sliding_window"),
    ],
)
async def test_each_algorithm_admits_its_figure_and_says_when_there_is_more(
    limited: Limited, figures: dict[str, Any], reason: str
) -> None:
    await limited.by({"name": "all", "requests": 3, "per": "1h", **figures})
    assert await limited.statuses(3) == [200] * 3
    refused = refusal(await limited.get())
    assert (refused.status, refused.reason, refused.policy) == (429, reason, f"test/{limited.policy}")
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= HOUR * 1.25 * JITTER + 1
    assert len(limited.arrivals) == 3


async def test_a_fixed_window_of_unix_time_begins_anew_when_it_should(limited: Limited) -> None:
    await limited.by({"name": "all", "algorithm": "FixedWindow", "requests": 2, "per": "2s"})
    refused = None
    while refused is None:
        answer = await limited.get()
        refused = refusal(answer) if answer.status == 429 else None
    assert refused.retry_after in {1, 2, 3}
    await asyncio.sleep(2)
    assert (await limited.get()).status == 200


async def test_a_sliding_log_admits_no_more_in_any_window(limited: Limited) -> None:
    await limited.by({"name": "all", "algorithm": "SlidingLog", "requests": 3, "per": "500ms"})
    began = monotonic()
    while monotonic() - began < 2:
        await limited.get()
    gaps = [late - early for early, late in zip(limited.arrivals, limited.arrivals[3:], strict=False)]
    assert gaps
    assert min(gaps) > 0.45  # requests are forwarded a little after they were admitted


async def test_a_line_moves_at_its_rate_and_is_no_longer_than_it_should_be(limited: Limited) -> None:
    figures = {"requests": 1, "per": "300ms", "queue": 2, "maxWait": "10s"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    answers = await asyncio.gather(*(limited.get() for _ in range(5)))
    refused = [refusal(answer) for answer in answers if answer.status != 200]
    assert [one.reason for one in refused] == ["ratelimit.leaky_full"] * 2
    assert all(one.retry_after == 1 for one in refused)
    first, second, third = limited.arrivals
    assert second - first > 0.25
    assert third - first > 0.55


async def test_one_who_would_wait_too_long_is_refused_at_once(limited: Limited) -> None:
    figures = {"requests": 1, "per": "10s", "queue": 10, "maxWait": "1s"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    assert (await limited.get()).status == 200
    assert refusal(await limited.get()).reason == "ratelimit.leaky_full"
    figures["maxWait"] = "1h"
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    assert (await limited.get()).status == 200
    hurried = await limited.get(breakwater_deadline_ms="2000")
    assert refusal(hurried).reason == "ratelimit.leaky_full"


async def test_the_oldest_makes_room_where_the_policy_says_so(limited: Limited) -> None:
    figures = {"requests": 1, "per": "1s", "queue": 1, "maxWait": "10s", "evict": "Oldest"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    assert (await limited.get()).status == 200
    async with RawClient(limited.sidecar.inbound) as oldest:
        await oldest.ask(host="limited")
        await scrape(limited.sidecar.http)  # answered by the worker, after what it got before
        assert (await limited.get()).status == 200
        evicted = refusal(await oldest.response())
    assert (evicted.status, evicted.reason) == (429, "ratelimit.leaky_evicted")
    assert evicted.retry_after in {1, 2, 3}


async def test_a_waiter_that_leaves_gives_every_charge_back(limited: Limited) -> None:
    line = {
        "name": "line",
        "algorithm": "LeakyBucket",
        "requests": 1,
        "per": "30m",
        "queue": 1,
        "maxWait": "1h",
    }
    await limited.by(line, {"name": "wide", "requests": 1, "per": "1h", "burst": 10})
    assert (await limited.get()).status == 200
    async with RawClient(limited.sidecar.inbound) as leaver:
        await leaver.ask(host="limited")
        await until(that_remain(limited, line=0, wide=8))
        assert refusal(await limited.get()).reason == "ratelimit.leaky_full"
    await until(that_remain(limited, line=1, wide=9))
    assert len(limited.arrivals) == 1


def that_remain(limited: Limited, **expected: int) -> Condition:
    """Return the condition that so much is left of each limit."""

    async def holds() -> bool:
        answer = await limited.caller.fleet.ask("ListLimits", {"service": named("test/limited")})
        found = {one["limit"]["limit"]: int(one["limit"]["remaining"]) for one in answer["limits"]}
        return found == expected

    return holds


async def test_an_edit_keeps_what_was_used_by_every_algorithm(limited: Limited) -> None:
    for algorithm in ("TokenBucket", "FixedWindow", "SlidingLog", "SlidingWindow"):
        figures: dict[str, Any] = {"name": "all", "algorithm": algorithm, "per": "1h"}
        more = {"burst": 5} if algorithm == "TokenBucket" else {}
        fewer = {"burst": 3} if algorithm == "TokenBucket" else {}
        await limited.by({**figures, **fewer, "requests": 3})
        assert await limited.statuses(4) == [200, 200, 200, 429]
        await limited.edit({**figures, **more, "requests": 5})
        assert await limited.statuses(3) == [200, 200, 429]


async def test_so_many_requests_are_in_flight_and_no_more(limited: Limited) -> None:
    gate = asyncio.Event()
    await limited.by({"name": "in-flight", "concurrency": 2, "by": [{"header": "x-user"}]})
    with limited.answering(Until(gate), *OK):
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(limited.get(x_user="a")) for _ in range(5)]
            await until(that(lambda: sum(call.done() for call in calls) == 3))
            refused = [refusal(call.result()) for call in calls if call.done()]
            assert [(one.status, one.reason, one.retry_after) for one in refused] == [
                (429, "ratelimit.concurrency", None)
            ] * 3
            other = tasks.create_task(limited.get(x_user="b"))
            await until(that(lambda: len(limited.arrivals) == 3))
            gate.set()
            assert sorted([(await call).status for call in [*calls, other]]) == [200] * 3 + [429] * 3
    await until(that_remain(limited, **{"in-flight": 2}))


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
    await until(that_remain(limited, **{"in-flight": 8}))
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
    await until(that_remain(limited, **{"all": 0, "in-flight": 64}))


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
    await until(that_remain(limited, **{"sockets.concurrent": 2}))
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
