"""Instance groups on live traffic: who has which endpoints, and when a group uses those of the next."""

from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.fleet import named
from tests.support.metrics import scrape
from tests.support.readiness import until
from tests.support.refusal import reason
from tests.support.upstream import ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILING = (Send(response(500)),)
GOLD = {"x-tier": "gold"}
EJECTING = {"consecutiveFailures": 1, "ejection": {"base": "1h", "max": "1h"}}


def groups(overflow: str) -> dict[str, Any]:
    """Gold customers have group `critical`, everybody else has `bulk`."""
    return {
        "groups": {name: {"matchLabels": {"pool": name}} for name in ("bulk", "critical")},
        "assign": [
            {"group": "critical", "match": {"header": {"name": "x-tier", "value": "gold"}}},
            {"group": "bulk"},
        ],
        "overflow": overflow,
    }


async def serve(
    caller: Caller, name: str, critical: ScriptedUpstream, bulk: ScriptedUpstream, overflow: str
) -> None:
    labels = {critical.port: {"pool": "critical"}, bulk.port: {"pool": "bulk"}}
    await caller.may_call(
        name,
        critical.port,
        bulk.port,
        labels=labels,
        instanceGroups=groups(overflow),
        outlierDetection=EJECTING,
    )


async def test_every_group_has_its_endpoints_for_itself(caller: Caller) -> None:
    async with ScriptedUpstream() as critical, ScriptedUpstream() as bulk:
        await serve(caller, "grouped", critical, bulk, "WhenEmpty")
        for _ in range(5):
            await caller.get("grouped", **GOLD)
        assert (len(critical.requests), len(bulk.requests)) == (5, 0)
        for _ in range(7):
            await caller.get("grouped")
        assert (len(critical.requests), len(bulk.requests)) == (5, 7)


async def test_an_empty_group_spills_into_the_next_and_is_told(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as critical, ScriptedUpstream() as bulk:
        await serve(caller, "spilling", critical, bulk, "WhenEmpty")
        assert [(await caller.get("spilling", **GOLD)).status for _ in range(4)] == [500, 200, 200, 200]
        assert (len(critical.requests), len(bulk.requests)) == (1, 3)

        async def is_told() -> bool:
            answer = await caller.fleet.ask("ListEvents", {"service": named("test/spilling")})
            told = [(one["event"]["kind"], one["event"]["reason"]) for one in answer["events"]]
            return told == [("outlier", "consecutive_failures"), ("group", "critical emptied")]

        await until(is_told)
        page = await scrape(caller.sidecar.http)
        for group, state, count in [
            ("critical", "ejected", 1),
            ("critical", "ready", 0),
            ("bulk", "ready", 1),
        ]:
            labels = {"service": "test/spilling", "group": group, "state": state}
            assert page.total("breakwater_group_endpoints", **labels) == count
        answer = await caller.fleet.ask("ListCalledEndpoints", {"service": named("test/spilling")})
        listed = [one["endpoint"] for one in answer["endpoints"]]
        found = {int(one["address"].rpartition(":")[2]): one["group"] for one in listed}
        assert found == {critical.port: "critical", bulk.port: "bulk"}


async def test_later_groups_never_spill_into_earlier_ones(caller: Caller) -> None:
    async with ScriptedUpstream() as critical, ScriptedUpstream(lambda _: FAILING) as bulk:
        await serve(caller, "one-way", critical, bulk, "WhenEmpty")
        assert (await caller.get("one-way")).status == 500
        assert reason(await caller.get("one-way")) == "upstream.no_endpoints"
        assert len(critical.requests) == 0


async def test_without_overflow_an_empty_group_refuses(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: FAILING) as critical, ScriptedUpstream() as bulk:
        await serve(caller, "strict", critical, bulk, "Never")
        assert (await caller.get("strict", **GOLD)).status == 500
        assert reason(await caller.get("strict", **GOLD)) == "upstream.no_endpoints"
        assert (await caller.get("strict")).status == 200
        assert len(bulk.requests) == 1
