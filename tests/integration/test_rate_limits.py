"""Rate limits on live traffic, by every algorithm: exact counts, and nothing earlier than allowed."""

import asyncio
from time import monotonic
from typing import Any

import pytest

from tests.support.limited import Limited
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.refusal import refusal

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = 3600
JITTER = 1.1


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
    admitted: list[tuple[float, float]] = []
    while len(admitted) < 12:
        sent = monotonic()
        if (await limited.get()).status == 200:
            admitted.append((sent, monotonic()))
    windows = zip(admitted, admitted[3:], strict=False)
    assert min(late[1] - early[0] for early, late in windows) >= 0.5


async def test_a_line_moves_at_its_rate(limited: Limited) -> None:
    figures = {"requests": 1, "per": "300ms", "queue": 2, "maxWait": "1h"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    began = monotonic()
    answers = await asyncio.gather(*(limited.get() for _ in range(3)))
    assert [answer.status for answer in answers] == [200] * 3
    _, second, third = limited.arrivals
    assert second - began >= 0.3
    assert third - began >= 0.6


async def test_a_line_is_no_longer_than_it_should_be(limited: Limited) -> None:
    figures = {"requests": 1, "per": "30m", "queue": 2, "maxWait": "1h"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    assert (await limited.get()).status == 200
    async with RawClient(limited.sidecar.inbound) as first, RawClient(limited.sidecar.inbound) as second:
        for waiting in (first, second):
            await waiting.ask(host="limited")
        await until(limited.left(all=0))
        assert refusal(await limited.get()).reason == "ratelimit.leaky_full"
    assert len(limited.arrivals) == 1


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
    figures = {"requests": 1, "per": "30m", "queue": 1, "maxWait": "1h", "evict": "Oldest"}
    await limited.by({"name": "all", "algorithm": "LeakyBucket", **figures})
    assert (await limited.get()).status == 200
    async with RawClient(limited.sidecar.inbound) as oldest, RawClient(limited.sidecar.inbound) as newcomer:
        await oldest.ask(host="limited")
        await until(limited.left(all=0))
        await newcomer.ask(host="limited")
        evicted = refusal(await oldest.response())
        assert (evicted.status, evicted.reason) == (429, "ratelimit.leaky_evicted")
        await until(limited.left(all=0))  # the newcomer waits in its place
    assert len(limited.arrivals) == 1


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
        await until(limited.left(line=0, wide=8))
        assert refusal(await limited.get()).reason == "ratelimit.leaky_full"
    await until(limited.left(line=1, wide=9))
    assert len(limited.arrivals) == 1


async def test_an_edit_keeps_what_was_used_by_every_algorithm(limited: Limited) -> None:
    for algorithm in ("TokenBucket", "FixedWindow", "SlidingLog", "SlidingWindow"):
        figures: dict[str, Any] = {"name": "all", "algorithm": algorithm, "per": "1h"}
        more = {"burst": 5} if algorithm == "TokenBucket" else {}
        fewer = {"burst": 3} if algorithm == "TokenBucket" else {}
        await limited.by({**figures, **fewer, "requests": 3})
        assert await limited.statuses(4) == [200, 200, 200, 429]
        await limited.edit({**figures, **more, "requests": 5})
        assert await limited.statuses(3) == [200, 200, 429]


async def test_clients_behind_a_trusted_hop_cannot_pass_as_others(limited: Limited) -> None:
    once = {"by": [{"sourceIp": True}], "requests": 1, "per": "1h", "burst": 1}
    await limited.by({"name": "each", **once}, trustedHops=1, exempt=[{"sourceIp": "192.0.2.128/25"}])
    asked = {
        "192.0.2.1": [200, 429],
        "192.0.2.66, 192.0.2.1": [429],
        "192.0.2.200, 192.0.2.1": [429],
        "192.0.2.2": [200, 429],
        "2001:db8::1": [200],
        "2001:db8::2": [429],
        "192.0.2.200": [200, 200, 200],
        "unknown": [200, 429],
    }
    for chain, expected in asked.items():
        assert await limited.statuses(len(expected), x_forwarded_for=chain) == expected, chain
    assert await limited.statuses(1) == [429]


async def test_without_a_trusted_hop_the_connection_tells_the_client(limited: Limited) -> None:
    await limited.by({"name": "each", "by": [{"sourceIp": True}], "requests": 1, "per": "1h", "burst": 1})
    assert await limited.statuses(1, x_forwarded_for="192.0.2.1") == [200]
    assert await limited.statuses(1, x_forwarded_for="192.0.2.2") == [429]
