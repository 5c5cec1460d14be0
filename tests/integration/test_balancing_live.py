"""Load balancing on live traffic: whose turn it is, where a key goes, and what changes when somebody goes."""

from collections import Counter
from contextlib import AsyncExitStack

import pytest

from tests.support.caller import ZONE, Caller
from tests.support.metrics import measured
from tests.support.readiness import Condition, until
from tests.support.upstream import Answer, ScriptedUpstream, Send, response

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


async def test_calls_stay_in_the_callers_zone(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        one, other = await upstreams(stack, 2)
        ports, zones = (one.port, other.port), {one.port: {ZONE: "a"}, other.port: {ZONE: "b"}}
        await caller.may_call("local", *ports, labels=zones, loadBalancing={"policy": "RoundRobin"})
        assert [(await caller.get("local")).status for _ in range(10)] == [200] * 10
        assert (len(one.requests), len(other.requests)) == (10, 0)
        everywhere = {"policy": "RoundRobin", "locality": "Ignore"}
        await caller.may_call("local", *ports, labels=zones, loadBalancing=everywhere)

        async def is_shared() -> bool:
            await caller.get("local")
            return len(other.requests) > 2

        await until(is_shared)
