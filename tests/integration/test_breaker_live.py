"""Breakers on live traffic: what opens them, what they refuse, and how they close again."""

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.metrics import scrape
from tests.support.readiness import Condition, that, until
from tests.support.refusal import reason, refusal
from tests.support.upstream import OK, ScriptedUpstream, Send, Until, response, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING = (Send(response(500)),)
FOR_EVER = {"base": "1h", "max": "1h", "jitter": 0}
BRIEFLY = {"base": "300ms", "multiplier": 1, "jitter": 0}


def trips_after(
    failures: int, *, open_for: dict[str, object] = FOR_EVER, **rules: object
) -> dict[str, object]:
    return {"trip": {"consecutiveFailures": failures}, "open": open_for, **rules}


def answering(caller: Caller, name: str, status: int) -> Condition:
    async def holds() -> bool:
        return (await caller.get(name)).status == status

    return holds


async def transitions(caller: Caller, name: str) -> list[tuple[str, str]]:
    answer = await caller.fleet.ask("ListEvents", {"service": named(f"test/{name}")})
    events = [one["event"] for one in answer["events"] if one["event"]["kind"] == "breaker"]
    return [(short(event["from"]), short(event["to"])) for event in events]


def short(state: str) -> str:
    return state.removeprefix("BREAKER_STATE_").lower()


async def test_an_open_breaker_refuses_with_the_time_that_is_left(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        await caller.may_call("failing", upstream.port, breaker={"service": trips_after(3)})
        answers = [await caller.get("failing") for _ in range(6)]
        assert [one.status for one in answers] == [500] * 3 + [503] * 3
        for refused in map(refusal, answers[3:]):
            assert (refused.reason, refused.policy) == ("breaker.open", "test/failing")
            assert refused.retry_after is not None
            assert 3500 < refused.retry_after <= 3600
        assert len(upstream.requests) == 3


async def test_a_breaker_opens_probes_and_closes_in_this_order(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        rules = trips_after(3, open_for=BRIEFLY, halfOpen={"successThreshold": 2})
        await caller.may_call("healing", upstream.port, breaker={"service": rules})
        await until(answering(caller, "healing", 503))
        upstream.answer = lambda _: OK
        await until(answering(caller, "healing", 200))
        assert [(await caller.get("healing")).status for _ in range(5)] == [200] * 5

        async def told() -> bool:
            return len(await transitions(caller, "healing")) >= 3

        await until(told)
        found = await transitions(caller, "healing")
    assert found == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    page = await scrape(caller.sidecar.http)
    for state in ("open", "half_open", "closed"):
        assert page.total("breakwater_breaker_transitions_total", service="test/healing", to=state) == 1
    await until(that(lambda: len(logged(caller, "breaker changed", "healing")) == len(found)))
    lines = logged(caller, "breaker changed", "healing")
    assert [(line["from"], line["to"]) for line in lines] == found


async def test_what_moves_a_breaker_is_told_with_what_was_counted(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        window = {"size": 4, "minimumRequests": 4}
        trip = {"slowRate": 50, "slowAfter": "100ms", "consecutiveFailures": 2}
        rules = {"window": window, "trip": trip, "open": FOR_EVER}
        await caller.may_call("counted", upstream.port, breaker={"service": rules})
        upstream.answer = lambda _: slow(0.2)
        answers = [await caller.get("counted") for _ in range(2)]
        upstream.answer = lambda _: OK
        answers += [await caller.get("counted") for _ in range(2)]
        assert [one.status for one in answers] == [200] * 4
        await order(caller, "counted", "CLOSED")
        upstream.answer = lambda _: FAILING
        assert [(await caller.get("counted")).status for _ in range(2)] == [500] * 2

        async def told() -> list[tuple[object, ...]]:
            answer = await caller.fleet.ask("ListEvents", {"service": named("test/counted")})
            events = [one["event"] for one in answer["events"] if one["event"]["kind"] == "breaker"]
            names = "reason", "calls", "failures", "slow", "consecutiveFailures"
            return [tuple(event[name] for name in names) for event in events]

        async def are_told() -> bool:
            return len(await told()) == 3

        await until(are_told)
        found = await told()
    assert found == [
        ("slow_rate", 4, 0, 2, 0),
        ("forced", 4, 0, 2, 0),
        ("consecutive_failures", 2, 2, 0, 2),
    ]
    await until(that(lambda: len(logged(caller, "breaker changed", "counted")) == len(found)))
    assert [line["slow"] for line in logged(caller, "breaker changed", "counted")] == ["2", "2", "0"]


def logged(caller: Caller, event: str, name: str) -> list[dict[str, Any]]:
    """Return what the sidecar's log says of an event of a service, in order."""
    lines = [json.loads(line) for line in caller.sidecar.process.output().splitlines() if line.endswith("}")]
    return [line for line in lines if (line.get("event"), line.get("service")) == (event, f"test/{name}")]


async def test_a_failed_probe_opens_the_breaker_again(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        rules = trips_after(1, open_for=BRIEFLY)
        await caller.may_call("relapsing", upstream.port, breaker={"service": rules})
        await until(answering(caller, "relapsing", 503))
        await until(answering(caller, "relapsing", 500))
        assert reason(await caller.get("relapsing")) == "breaker.open"


async def test_a_half_open_breaker_lets_no_more_through_than_it_probes(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: FAILING) as upstream, asyncio.TaskGroup() as tasks:
        rules = trips_after(1, open_for=BRIEFLY, halfOpen={"successThreshold": 2})
        await caller.may_call("probing", upstream.port, breaker={"service": rules})
        await caller.get("probing")
        upstream.answer = lambda _: (Until(gate), *OK)
        probes = [tasks.create_task(probe(caller, "probing")) for _ in range(2)]

        await until(that(lambda: len(upstream.requests) == 3))
        refused = refusal(await caller.get("probing"))
        assert (refused.reason, refused.retry_after) == ("breaker.half_open_full", None)
        gate.set()
        assert [(await one).status for one in probes] == [200, 200]


async def probe(caller: Caller, name: str) -> Message:
    """Return the first response that is no refusal."""
    answers: list[Message] = []

    async def is_admitted() -> bool:
        answers.append(await caller.get(name))
        return reason(answers[-1]) is None

    await until(is_admitted)
    return answers[-1]


async def test_a_forced_breaker_refuses_until_it_is_given_back(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("forced", upstream.port, breaker={"service": trips_after(5)})
        assert (await caller.get("forced")).status == 200
        await order(caller, "forced", "FORCED_OPEN")
        refused = refusal(await caller.get("forced"))
        assert (refused.reason, refused.retry_after) == ("breaker.forced", None)
        await order(caller, "forced", "CLOSED")
        assert (await caller.get("forced")).status == 200


async def test_an_open_breaker_is_closed_by_a_reset(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        await caller.may_call("pardoned", upstream.port, breaker={"service": trips_after(2)})
        assert [(await caller.get("pardoned")).status for _ in range(3)] == [500, 500, 503]
        await order(caller, "pardoned", "CLOSED")
        assert [(await caller.get("pardoned")).status for _ in range(3)] == [500, 500, 503]

        async def told() -> bool:
            return (await transitions(caller, "pardoned"))[:2] == [("closed", "open"), ("open", "closed")]

        await until(told)


async def order(caller: Caller, name: str, state: str, *, ttl: str = "60s") -> None:
    request = {"service": named(f"test/{name}"), "state": f"BREAKER_STATE_{state}", "ttl": ttl}
    answer = await caller.fleet.ask("ForceBreakers", {"order": request})
    assert len(answer["breakers"]) == 1
    assert answer["unreachable"] == []


async def test_a_decision_ends_with_its_time_although_nobody_calls(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("forgotten", upstream.port, breaker={"service": trips_after(5)})
        assert (await caller.get("forgotten")).status == 200
        await order(caller, "forgotten", "FORCED_OPEN", ttl="0.3s")
        await until(stands(caller, "forgotten", "closed"))
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_breaker_state", service="test/forgotten") == 0


async def test_a_probe_without_an_answer_fails_although_nobody_calls(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: FAILING) as upstream, asyncio.TaskGroup() as tasks:
        rules = trips_after(1, open_for=BRIEFLY, halfOpen={"successThreshold": 1, "maxWait": "300ms"})
        await caller.may_call("silent", upstream.port, breaker={"service": rules})
        await caller.get("silent")
        upstream.answer = lambda _: (Until(gate), *OK)
        late = tasks.create_task(probe(caller, "silent"))
        await until(that(lambda: len(upstream.requests) == 2))
        await until(stands(caller, "silent", "open"))
        gate.set()
        assert (await late).status == 200
        assert await stands(caller, "silent", "open")(), "an answer that comes too late closes nothing"


def stands(caller: Caller, name: str, state: str) -> Condition:
    async def holds() -> bool:
        answer = await caller.fleet.ask("ListBreakers", {"service": named(f"test/{name}")})
        return [short(one["breaker"]["state"]) for one in answer["breakers"]] == [state]

    return holds


async def test_one_bad_endpoint_is_set_aside_and_taken_back(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        rules = trips_after(1, open_for=BRIEFLY, halfOpen={"successThreshold": 2})
        await caller.may_call("mixed", good.port, bad.port, breaker={"endpoint": rules})
        await until(answering(caller, "mixed", 500))
        statuses = Counter([(await caller.get("mixed")).status for _ in range(10)])
        assert statuses[200] >= 9  # but for a probe that its open time let through meanwhile
        bad.answer = lambda _: OK

        async def is_taken_back() -> bool:
            await caller.get("mixed")
            return ("half_open", "closed") in await transitions(caller, "mixed")

        await until(is_taken_back)
        assert len(bad.requests) >= 3  # what set it aside, and two probes
        assert {(await caller.get("mixed")).status for _ in range(10)} == {200}


async def test_explain_names_the_endpoint_that_its_breaker_takes_out(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        await caller.may_call("named", good.port, bad.port, breaker={"endpoint": trips_after(1)})
        await until(answering(caller, "named", 500))
        ends = "--from", "test/caller", "--to", "test/named"
        told = await breakwater("explain", *ends, admin=caller.fleet.plane.admin)
    assert f"1 of 2 endpoints; the breaker of external/test/named/127.0.0.1:{bad.port} is open" in told.out


async def test_an_endpoint_whose_breaker_has_closed_is_called_as_before(caller: Caller) -> None:
    async with ScriptedUpstream() as good, ScriptedUpstream(lambda _: FAILING) as bad:
        rules = trips_after(1, open_for=BRIEFLY, halfOpen={"successThreshold": 1})
        await caller.may_call("healed", good.port, bad.port, breaker={"endpoint": rules})
        await until(answering(caller, "healed", 500))
        bad.answer = lambda _: OK

        async def is_called() -> bool:
            await caller.get("healed")
            return len(bad.requests) > 10

        await until(is_called)


async def test_the_last_endpoint_is_never_set_aside(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as only:
        await caller.may_call("alone", only.port, breaker={"endpoint": trips_after(1)})
        assert [(await caller.get("alone")).status for _ in range(5)] == [500] * 5
        assert len(only.requests) == 5
