"""Hedging on live traffic: who gets a second attempt, what it costs, and what becomes of the slower one."""

import pytest

from tests.support.caller import Caller
from tests.support.framing import Message
from tests.support.metrics import scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.upstream import NO_ANSWER, OK, Answer, Script, ScriptedUpstream, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOON = "50ms"


def in_turn(*scripts: Script) -> tuple[Answer, list[Message]]:
    """Answer by these scripts in turn, then well, over every upstream that has this answer; and what came."""
    came: list[Message] = []

    def answer(request: Message) -> Script:
        came.append(request)
        return scripts[len(came) - 1] if len(came) <= len(scripts) else OK

    return answer, came


def open_connections(*upstreams: ScriptedUpstream) -> int:
    return sum(log.is_open for upstream in upstreams for log in upstream.connections)


async def hedges(caller: Caller, name: str, result: str) -> float:
    metrics = await scrape(caller.sidecar.http)
    return metrics.total("breakwater_hedges_total", service=f"test/{name}", result=result)


async def test_a_slow_endpoint_costs_one_more_call_and_no_time(caller: Caller) -> None:
    answer, came = in_turn(NO_ANSWER)
    async with ScriptedUpstream(answer) as one, ScriptedUpstream(answer) as other:
        await caller.may_call("hedged", one.port, other.port, hedge={"after": SOON})
        said = await caller.get("hedged")
        assert (said.status, said.text("breakwater-attempts")) == (200, "2")
        assert (len(one.requests), len(other.requests)) == (1, 1)
        await until(that(lambda: open_connections(one, other) == 1))
        assert await hedges(caller, "hedged", "won") == 1
        assert len(came) == 2


async def test_a_post_is_never_hedged(caller: Caller) -> None:
    answer, came = in_turn(slow(0.3))
    async with ScriptedUpstream(answer) as upstream:
        await caller.may_call("posted", upstream.port, hedge={"after": SOON})
        async with RawClient(caller.sidecar.outbound) as client:
            await client.ask(host="posted", method="POST")
            said = await client.response()
        assert (said.status, len(came)) == (200, 1)


async def test_hedges_stop_where_the_budget_ends(caller: Caller) -> None:
    answer, came = in_turn(*[slow(0.2)] * 20)
    async with ScriptedUpstream(answer) as one, ScriptedUpstream(answer) as other:
        budget = {"percent": 0, "interval": "1h", "minRetryRate": {"count": 2, "interval": "1h"}}
        await caller.may_call("spent", one.port, other.port, hedge={"after": SOON, "budget": budget})
        assert [(await caller.get("spent")).status for _ in range(5)] == [200] * 5
        assert len(came) == 7
        assert await hedges(caller, "spent", "refused") == 3


async def test_a_percentile_is_learned_from_the_calls_themselves(caller: Caller) -> None:
    answer, came = in_turn(*[OK] * 30, NO_ANSWER)
    async with ScriptedUpstream(answer) as one, ScriptedUpstream(answer) as other:
        await caller.may_call("learned", one.port, other.port, hedge={"after": "p99"})
        said = [await caller.get("learned") for _ in range(31)]
        assert [each.status for each in said] == [200] * 31
        assert "2" in {each.text("breakwater-attempts") for each in said[20:]}
        assert {each.text("breakwater-attempts") for each in said[:20]} == {None}
        assert len(came) >= 32


async def test_nothing_is_left_of_either_attempt_when_the_client_leaves(caller: Caller) -> None:
    answer, came = in_turn(NO_ANSWER, NO_ANSWER)
    async with ScriptedUpstream(answer) as one, ScriptedUpstream(answer) as other:
        bulkhead = {"maxConcurrent": 1, "maxQueue": 0}
        await caller.may_call("left", one.port, other.port, hedge={"after": SOON}, bulkhead=bulkhead)
        async with RawClient(caller.sidecar.outbound) as client:
            await client.ask(host="left")
            await until(that(lambda: len(came) == 2))
        await until(that(lambda: open_connections(one, other) == 0))
        await caller.rests("left")
        assert (await caller.get("left")).status == 200
