"""Load balancing on live traffic: whose turn it is, where a key goes, and what changes when somebody goes."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.support.caller import ZONE, Caller
from tests.support.fleet import named
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, that, until
from tests.support.upstream import OK, Answer, ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEYS = [f"user-{number}" for number in range(40)]
HASHED = ("RingHash", "Maglev")


async def upstreams(stack: AsyncExitStack, count: int) -> list[ScriptedUpstream]:
    """So many upstreams, each answering with its own port."""
    found = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(count)]
    for one in found:
        one.answer = saying(str(one.port))
    return found


def saying(text: str) -> Answer:
    """An answer of 200 with this body."""
    return lambda _: (Send(response(body=text.encode())),)


def ready(caller: Caller, name: str, count: int) -> Condition:
    """Whether so many endpoints of a service may be called."""
    labels = {"service": f"test/{name}", "state": "ready"}
    return measured(caller.sidecar.http, "breakwater_endpoints", count, **labels)


async def owners(caller: Caller, name: str) -> dict[str, bytes]:
    """Which endpoint answers for each key."""
    return {key: (await caller.get(name, **{"x-user": key})).body for key in KEYS}


async def test_round_robin_is_exact(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        three = await upstreams(stack, 3)
        await caller.may_call("turns", *(one.port for one in three), loadBalancing={"policy": "RoundRobin"})
        answers = [(await caller.get("turns")).body for _ in range(12)]
        assert [len(one.requests) for one in three] == [4, 4, 4]
        assert all(len(set(answers[at : at + 3])) == 3 for at in range(9))


@pytest.mark.parametrize("policy", ["PeakEwma", "LeastRequest", "Random"])
async def test_every_algorithm_uses_everybody(caller: Caller, policy: str) -> None:
    name = f"all-{policy.lower()}"
    async with AsyncExitStack() as stack:
        three = await upstreams(stack, 3)
        await caller.may_call(name, *(one.port for one in three), loadBalancing={"policy": policy})

        async def has_used_all() -> bool:
            await caller.get(name)
            return all(one.requests for one in three)

        await until(has_used_all)


async def test_least_request_goes_where_less_is_under_way(caller: Caller) -> None:
    gate = asyncio.Event()
    async with AsyncExitStack() as stack:
        one, other = await upstreams(stack, 2)
        await caller.may_call("busy", one.port, other.port, loadBalancing={"policy": "LeastRequest"})
        one.answer = other.answer = lambda _: (Until(gate), *OK)
        held = await stack.enter_async_context(RawClient(caller.sidecar.outbound))
        await held.ask(host="busy")
        await until(that(lambda: len(one.requests) + len(other.requests) == 1))
        busy, free = (one, other) if one.requests else (other, one)
        free.answer = saying("free")
        assert [(await caller.get("busy")).body for _ in range(10)] == [b"free"] * 10
        assert len(busy.requests) == 1
        gate.set()
        assert (await held.response()).status == 200


@pytest.mark.parametrize("asks", [b"", b"Retry-After: 300\r\n"])
async def test_peak_ewma_leaves_who_failed_alone_for_a_while(caller: Caller, asks: bytes) -> None:
    name = "failed-once" if not asks else "asked-for-rest"
    async with AsyncExitStack() as stack:
        one, other = await upstreams(stack, 2)
        for endpoint in (one, other):
            endpoint.answer = lambda _: (Send(response(503, fields=asks)),)
        await caller.may_call(name, one.port, other.port, loadBalancing={"policy": "PeakEwma"})
        assert (await caller.get(name)).status == 503
        failed, well = (one, other) if one.requests else (other, one)
        well.answer = saying("well")
        assert [(await caller.get(name)).body for _ in range(10)] == [b"well"] * 10
        assert len(failed.requests) == 1


@pytest.mark.parametrize("policy", HASHED)
async def test_a_key_sticks_and_only_those_of_an_endpoint_that_goes_move(caller: Caller, policy: str) -> None:
    name, balancing = (
        f"sticky-{policy.lower()}",
        {"policy": policy, "hashOn": {"header": "x-user"}, "slowStart": "0s"},
    )
    async with AsyncExitStack() as stack:
        ports = [one.port for one in await upstreams(stack, 4)]
        await caller.may_call(name, *ports, loadBalancing=balancing)
        before = await owners(caller, name)
        assert len(set(before.values())) == 4
        assert await owners(caller, name) == before

        await caller.may_call(name, *ports[1:], loadBalancing=balancing)
        await until(ready(caller, name, 3))
        after = await owners(caller, name)
        gone = str(ports[0]).encode()
        moved = {key for key in KEYS if before[key] != after[key]}
        owned = {key for key in KEYS if before[key] == gone}
        # Maglev moves a few more, to keep everybody's part of the table equal.
        assert owned <= moved
        assert len(moved - owned) <= (0 if policy == "RingHash" else len(KEYS) // 10)


async def test_cookies_are_keys_and_who_has_none_goes_anywhere(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        three = await upstreams(stack, 3)
        balancing = {"policy": "Maglev", "hashOn": {"cookie": "session"}}
        await caller.may_call("sessions", *(one.port for one in three), loadBalancing=balancing)
        sticky = {(await caller.get("sessions", cookie="a=b; session=one")).body for _ in range(10)}
        assert len(sticky) == 1

        async def has_used_all() -> bool:
            await caller.get("sessions")
            return all(one.requests for one in three)

        await until(has_used_all)


async def test_a_key_moves_while_its_endpoint_is_an_outlier(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        three = await upstreams(stack, 3)
        await caller.may_call(
            "moving",
            *(one.port for one in three),
            loadBalancing={"policy": "RingHash", "hashOn": {"header": "x-user"}},
            outlierDetection={"consecutiveFailures": 3, "ejection": {"base": "1h", "max": "1h"}},
        )
        owner = int((await caller.get("moving", **{"x-user": "ann"})).body)
        bad = next(one for one in three if one.port == owner)
        bad.answer = lambda _: (Send(response(500)),)
        statuses = [(await caller.get("moving", **{"x-user": "ann"})).status for _ in range(10)]
        assert statuses == [500] * 3 + [200] * 7
        assert len(bad.requests) == 4


async def test_an_endpoint_that_joins_takes_a_tenth_of_its_turns(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        old, new = await upstreams(stack, 2)
        balancing = {"policy": "Random", "slowStart": "1h"}
        await caller.may_call("growing", old.port, loadBalancing=balancing)
        assert (await caller.get("growing")).status == 200
        await caller.may_call("growing", old.port, new.port, loadBalancing=balancing)
        await until(ready(caller, "growing", 2))
        answers = Counter([(await caller.get("growing")).body for _ in range(200)])
        assert 0 < answers[str(new.port).encode()] < 40  # 10 of 200 on average, 100 without a slow start


async def test_an_endpoint_has_as_many_turns_as_it_weighs(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        light, heavy = await upstreams(stack, 2)
        weights = {light.port: {"weight": 2}, heavy.port: {"weight": 6}}
        balancing = {"policy": "RoundRobin"}
        await caller.may_call("heavy", light.port, heavy.port, fields=weights, loadBalancing=balancing)
        answers = [(await caller.get("heavy")).body for _ in range(20)]
        of_light = [answer == str(light.port).encode() for answer in answers]
        assert all(sum(of_light[at : at + 4]) == 1 for at in range(17))
        told = await caller.fleet.ask("ListCalledEndpoints", {"service": named("test/heavy")})
        assert sorted(one["endpoint"]["weight"] for one in told["endpoints"]) == [1, 3]


@pytest.mark.parametrize("said", ["zone", "label"])
async def test_calls_stay_in_the_callers_zone(caller: Caller, said: str) -> None:
    async with AsyncExitStack() as stack:
        one, other = await upstreams(stack, 2)
        ports = (one.port, other.port)
        in_zone = {port: {"zone": zone} for port, zone in zip(ports, "ab", strict=True)}
        labelled = {port: {"labels": {ZONE: zone}} for port, zone in zip(ports, "ab", strict=True)}
        zones = in_zone if said == "zone" else labelled
        await caller.may_call("local", *ports, fields=zones, loadBalancing={"policy": "RoundRobin"})
        assert [(await caller.get("local")).status for _ in range(10)] == [200] * 10
        assert (len(one.requests), len(other.requests)) == (10, 0)
        everywhere = {"policy": "RoundRobin", "locality": "Ignore"}
        await caller.may_call("local", *ports, fields=zones, loadBalancing=everywhere)

        async def is_shared() -> bool:
            await caller.get("local")
            return len(other.requests) > 2

        await until(is_shared)
