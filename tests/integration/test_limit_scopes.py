"""Whose figures a limit states, what a request costs, who enforces, and what callers are told."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import grpc
import pytest

from tests.support.caller import Caller
from tests.support.documents import backpressure, external, external_service, rate_limit, service
from tests.support.fleet import named
from tests.support.grpcapp import ECHO, call, grpc_app
from tests.support.limited import Limited
from tests.support.mesh import Sidecar, sidecar
from tests.support.rawclient import RawClient, fetch
from tests.support.readiness import Condition, until
from tests.support.refusal import refusal
from tests.support.upstream import OK, Pause, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOUR = {"requests": 1, "per": "1h"}
ALGORITHMS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"algorithm": "TokenBucket"}, "ratelimit.token"),
    ({"algorithm": "LeakyBucket"}, "ratelimit.leaky_full"),
    ({"algorithm": "FixedWindow"}, "ratelimit.fixed"),
    ({"algorithm": "SlidingLog"}, "ratelimit.sliding_log"),
    ({"algorithm": "SlidingWindow"}, "ratelimit.sliding_window"),
)


async def test_the_cost_is_read_from_a_header(limited: Limited) -> None:
    cost = {"header": "x-cost", "default": 2}
    await limited.by({"name": "all", **HOUR, "burst": 10, "cost": cost})
    assert [(await limited.get(x_cost=cost)).status for cost in ("7", "nonsense", "2", "1")] == [
        200,
        200,
        429,
        200,
    ]
    never = refusal(await limited.get(x_cost="11"))
    assert (never.reason, never.retry_after) == ("ratelimit.token", None)


@pytest.mark.parametrize(("counts", "status"), [(False, 200), (True, 429)])
async def test_a_limit_is_charged_for_its_refusals_where_it_says_so(
    limited: Limited, counts: bool, status: int
) -> None:
    figures = {"algorithm": "FixedWindow", "aligned": False, "requests": 3, "per": "1h"}
    await limited.by({"name": "all", **figures, "cost": {"header": "x-cost"}, "countRefused": counts})
    assert [(await limited.get(x_cost="2")).status for _ in range(2)] == [200, 429]
    assert (await limited.get(x_cost="1")).status == status


@pytest.mark.parametrize(
    ("told", "statuses"),
    [("ShareOne", [200, 429, 429]), ("Refuse", [429, 429, 429]), ("Allow", [200, 200, 200])],
)
async def test_who_finds_no_room_among_the_keys_is_counted_as_told(
    limited: Limited, told: str, statuses: list[int]
) -> None:
    once = {"requests": 1, "per": "1h", "burst": 1, "by": [{"header": "x-user"}]}
    await limited.by({"name": "each", **once, "maxKeys": 1, "whenKeysFull": told})
    assert await limited.statuses(2, x_user="first") == [200, 429]
    assert [(await limited.get(x_user=user)).status for user in ("second", "third", "second")] == statuses
    assert await limited.statuses(1, x_user="first") == [429]


async def test_a_tuple_tells_subjects_apart_by_all_of_its_parts(limited: Limited) -> None:
    by = [{"path": True}, {"method": True}, {"query": "q"}, {"cookie": "of"}]
    await limited.by({"name": "each", "requests": 1, "per": "1h", "burst": 1, "by": by})
    for path, cookie in (("/?q=1", "of=a"), ("/x?q=1", "of=a"), ("/?q=2", "of=a"), ("/?q=1", "of=b; more=1")):
        assert (await limited.get(path, cookie=cookie)).status == 200
        assert (await limited.get(path, cookie=cookie)).status == 429
    for same in ("/./%78?r=0&q=1", "/x?%71=%31"):
        assert (await limited.get(same, cookie="more=1; of=a")).status == 429


async def test_what_an_answer_says_it_cost_is_charged_then(limited: Limited) -> None:
    cost = {"responseHeader": "x-cost"}
    await limited.by({"name": "all", **HOUR, "burst": 10, "cost": cost})
    with limited.answering(Send(response(fields=b"X-Cost: 4\r\n"))):
        assert await limited.statuses(4) == [200, 200, 200, 429]
    await until(limited.left(all=0))
    await limited.by({"name": "all", **HOUR, "burst": 10, "cost": cost})
    assert await limited.statuses(2) == [200, 200]  # an answer that says nothing cost nothing
    await until(limited.left(all=10))


@pytest.mark.parametrize(("figures", "reason"), ALGORITHMS, ids=[reason for _, reason in ALGORITHMS])
async def test_grpc_callers_are_told_when_to_return_by_every_algorithm(
    caller: Caller, figures: dict[str, Any], reason: str
) -> None:
    async with grpc_app() as app:
        name = f"grpc-{figures['algorithm'].lower()}"
        await caller.may_call(name, app.port, protocol="GRPC")
        limits = [{"name": "all", **HOUR, **figures}]
        await caller.fleet.put(f"{name}-limits", rate_limit(name, external(name), limits=limits))
        first = await call(caller.sidecar.outbound, ECHO, host=name)
        refused = await call(caller.sidecar.outbound, ECHO, host=name)
        assert (first.code, refused.code) == (grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED)
        assert refused.error is not None
        assert refused.error.reason == reason
        assert refused.retry is not None
        pushback = refused.metadata["grpc-retry-pushback-ms"]
        assert refused.retry.retry_delay.ToMilliseconds() == int(pushback) > 0
        assert app.calls["Echo"] == 1


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ("Standard", {"ratelimit", "ratelimit-policy"}),
        ("Legacy", {"x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"}),
        (
            "Both",
            {
                "ratelimit",
                "ratelimit-policy",
                "x-ratelimit-limit",
                "x-ratelimit-remaining",
                "x-ratelimit-reset",
            },
        ),
        ("None", set[str]()),
    ],
)
async def test_quotas_are_told_in_the_form_that_the_policy_says(
    limited: Limited, headers: str, told: set[str]
) -> None:
    await limited.by({"name": "all", **HOUR, "algorithm": "SlidingLog"}, response={"headers": headers})
    for status in (200, 429):
        answer = await limited.get()
        names = {name.decode().lower() for name, _ in answer.fields}
        assert answer.status == status
        assert {name for name in names if "ratelimit" in name} == told


async def test_callers_enforce_the_limits_of_targets_without_sidecars(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.fleet.put(
            "outside",
            external_service("outside", upstream.port),
            rate_limit("outside", external("outside"), limits=[{"name": "all", **HOUR, "burst": 2}]),
        )
        assert [(await caller.get("outside")).status for _ in range(3)] == [200, 200, 429]
        assert len(upstream.requests) == 2


async def test_callers_limit_themselves_where_the_policy_says_so(limited: Limited) -> None:
    await limited.by({"name": "all", **HOUR, "burst": 2}, at="Caller")
    assert [(await limited.caller.get("limited.test")).status for _ in range(3)] == [200, 200, 429]
    assert await limited.statuses(3) == [200] * 3


async def test_an_adaptive_figure_falls_while_the_target_is_missed(limited: Limited) -> None:
    adaptive = {"min": 10, "max": 200, "target": {"p99": "5ms"}}
    await limited.by({"name": "moving", "concurrency": 100, "adaptive": adaptive})
    await until(limited.left(moving=100))
    with limited.answering(Pause(0.02), *OK):

        async def has_fallen() -> bool:
            await limited.statuses(5)
            return await limited.left(moving=75)()

        await until(has_fallen)
    told = (await limited.get()).text("ratelimit-policy") or ""
    assert int(told.removeprefix('"moving";q=').partition(";")[0]) <= 75


def moving(**target: Any) -> dict[str, Any]:
    """Return a limit of 100 that follows a target, in steps of 9."""
    adaptive = {"min": 10, "max": 200, "target": target}
    return {"name": "moving", "concurrency": 100, "adaptive": adaptive}


def leaves(limited: Limited, *, fewest: int = 0, most: int = 200) -> Condition:
    """Return the condition that so much is left of the one limit there is."""

    async def holds() -> bool:
        answer = await limited.caller.fleet.ask("ListLimits", {"service": named("test/limited")})
        return all(fewest <= int(one["limit"]["remaining"]) <= most for one in answer["limits"])

    return holds


async def test_an_adaptive_figure_follows_the_processor_time_used(limited: Limited) -> None:
    await limited.by(moving(cpuPercent=50))
    async with limited.cgroup.busy(80):
        await until(leaves(limited, most=90), timeout_seconds=30)
    await until(leaves(limited, fewest=91), timeout_seconds=60)


async def test_an_adaptive_figure_follows_the_queue_behind_it(limited: Limited) -> None:
    queue = backpressure("queue", service("limited"), concurrency={"limit": 1}, queue={"capacity": 4})
    await limited.caller.fleet.put("queue", queue)
    await limited.by(moving(queuePercent=25))
    gate = asyncio.Event()
    with limited.held(gate):
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task(in_line(limited)) for _ in range(3)]
            await until(leaves(limited, most=90), timeout_seconds=30)
            gate.set()
    assert [call.result() for call in calls] == [200] * 3
    await limited.caller.fleet.remove("queue")


async def in_line(limited: Limited) -> int:
    """Return the status of a request that may wait for long."""
    async with RawClient(limited.sidecar.inbound, timeout_seconds=60) as client:
        await client.ask(host="limited")
        return (await client.response()).status


async def test_members_divide_what_is_the_fleets(caller: Caller) -> None:
    limits = [
        {"name": "all", "requests": 1, "per": "1h", "burst": 6, "scope": "Divided"},
        {"name": "each", "requests": 1, "per": "1h", "burst": 100},
    ]
    async with ScriptedUpstream() as upstream, AsyncExitStack() as members:

        async def join(name: str) -> Sidecar:
            member = await members.enter_async_context(
                sidecar(
                    caller.fleet.scratch,
                    "test/divided",
                    app_port=upstream.port,
                    discovery=caller.fleet.plane.discovery,
                    name=name,
                )
            )
            await member.ready()
            return member

        first, second = await join("divided-a"), await join("divided-b")
        await caller.fleet.put("divided", rate_limit("divided", service("divided"), limits=limits))
        await until(shares(caller, 3, 3))
        for member in (first, second):
            answers = [await fetch(member.inbound, host="divided") for _ in range(4)]
            assert [answer.status for answer in answers] == [200, 200, 200, 429]
        third = await join("divided-c")
        await until(shares(caller, 2, 2, 2))
        await third.process.stop()
        await until(shares(caller, 3, 3))


async def test_callers_divide_what_is_the_fleets_where_they_enforce_it(caller: Caller) -> None:
    limits = [{"name": "all", "requests": 1, "per": "1h", "burst": 6, "scope": "Divided"}]
    async with ScriptedUpstream() as upstream, AsyncExitStack() as callers:
        await caller.may_call("outside", upstream.port)
        other = await callers.enter_async_context(
            sidecar(
                caller.fleet.scratch,
                "test/other-caller",
                app_port=upstream.port,
                discovery=caller.fleet.plane.discovery,
            )
        )
        await other.ready()
        await caller.fleet.put("outside-limits", rate_limit("outside", external("outside"), limits=limits))
        for port in (caller.sidecar.outbound, other.outbound):
            assert (await fetch(port, host="outside")).status == 200
        await until(shares(caller, 3, 3, service="test/outside"), timeout_seconds=30)
        for port in (caller.sidecar.outbound, other.outbound):
            statuses = [(await fetch(port, host="outside")).status for _ in range(4)]
            assert statuses.count(200) <= 3
            assert statuses[-1] == 429


async def test_what_a_later_stage_refuses_stays_charged(limited: Limited) -> None:
    place = backpressure("place", service("limited"), concurrency={"limit": 1})
    await limited.caller.fleet.put("place", place)
    await limited.by({"name": "all", **HOUR, "burst": 5})
    gate = asyncio.Event()
    with limited.held(gate):
        async with asyncio.TaskGroup() as tasks:
            served = tasks.create_task(in_line(limited))
            await until(limited.arrived(1))
            refused = refusal(await limited.get())
            gate.set()
    assert (served.result(), refused.reason) == (200, "shed.concurrency")
    await until(limited.left(all=3))
    await limited.caller.fleet.remove("place")


def shares(caller: Caller, *expected: int, service: str = "test/divided") -> Condition:
    """Return the condition that sidecars have these shares of the limit, by their names."""

    async def holds() -> bool:
        answer = await caller.fleet.ask("ListLimits", {"service": named(service)})
        found = {one["instance"]: one["limit"] for one in answer["limits"] if one["limit"]["limit"] == "all"}
        return [int(found[instance]["capacity"]) for instance in sorted(found)] == list(expected)

    return holds
