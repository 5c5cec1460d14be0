"""Shadow of what chooses endpoints, of hedging and of fallbacks: calls go where they went, and it is told."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest

from tests.support import accesslog
from tests.support.caller import ZONE, Caller
from tests.support.commandline import breakwater
from tests.support.documents import external, external_service, rate_limit, resilience
from tests.support.fleet import named
from tests.support.metrics import measured, scrape
from tests.support.ports import free_port
from tests.support.readiness import until
from tests.support.upstream import OK, ScriptedUpstream, Send, response, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILS = (Send(response(500)),)
FOR_EVER = {"base": "1h", "max": "1h"}
TURNS = {"policy": "RoundRobin", "locality": "Ignore"}
NONE: Mapping[str, Any] = MappingProxyType({})


@asynccontextmanager
async def two(
    caller: Caller,
    name: str,
    *labels: Mapping[str, str],
    acting: Mapping[str, Any] = NONE,
    **spec: Any,
) -> AsyncIterator[tuple[ScriptedUpstream, ScriptedUpstream]]:
    """Have a service whose two endpoints take turns, and a policy in shadow for it."""
    async with ScriptedUpstream() as one, ScriptedUpstream() as other:
        target, ports = external(name), (one.port, other.port)
        labelled = dict(zip(ports, labels or (NONE, NONE), strict=True))
        await caller.fleet.put(
            name,
            external_service(name, *ports, labels=labelled),
            resilience(f"{name}-acts", target, loadBalancing=TURNS, **acting),
            resilience(name, target, mode="Shadow", merge="PatchOverrides", **spec),
        )
        yield one, other


async def elsewhere(caller: Caller, name: str, cause: str, times: int) -> None:
    """Return once the metric and the log told so often that attempts would have gone elsewhere."""
    labels = {"service": f"test/{name}", "cause": cause}
    await until(measured(caller.sidecar.http, "breakwater_shadow_elsewhere_total", times, **labels))
    told = f"elsewhere.{cause} policy=test/{name}"
    line = await accesslog.line(caller.sidecar.process, dst=f"test/{name}", would_do=told)
    assert (line["would_refuse"], line["reason"], line["policy"]) == (None, None, None)


async def in_shadow(caller: Caller, name: str) -> list[str]:
    """What `explain` tells of policies in shadow."""
    answer = await caller.fleet.ask("Explain", {"from": named("test/caller"), "to": named(f"test/{name}")})
    assert answer["forwarded"]
    steps = answer["hops"][0]["answer"]["steps"]
    return [one["text"] for one in steps if one["stage"] == "in shadow"]


@pytest.mark.parametrize(
    ("cause", "spec"),
    [
        ("outlier", {"outlierDetection": {"consecutiveFailures": 1, "ejection": FOR_EVER}}),
        ("breaker", {"breaker": {"endpoint": {"trip": {"consecutiveFailures": 1}, "open": FOR_EVER}}}),
    ],
)
async def test_who_would_be_set_aside_is_called_and_it_is_told(
    caller: Caller, cause: str, spec: Mapping[str, Any]
) -> None:
    name = f"aside-{cause}"
    async with two(caller, name, **spec) as (good, bad):
        bad.answer = lambda _: FAILS
        statuses = [(await caller.get(name)).status for _ in range(10)]
        assert sorted(statuses) == [200] * 5 + [500] * 5
        assert (len(good.requests), len(bad.requests)) == (5, 5)
        await elsewhere(caller, name, cause, 4)
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_endpoints", service=f"test/{name}", state="ready") == 2
        assert page.total("breakwater_breaker_transitions_total", service=f"test/{name}") == 0
        assert (await caller.fleet.ask("ListEvents", {"service": named(f"test/{name}")}))["events"] == []
        [step] = await in_shadow(caller, name)
        assert step.startswith("endpoint: RoundRobin over 1 of 2 endpoints")


def calls(upstream: ScriptedUpstream) -> int:
    """How many requests were no probes."""
    return sum(b" / " in one.start_line for one in upstream.requests)


async def test_who_probes_find_unhealthy_is_called_and_it_is_told(caller: Caller) -> None:
    check = {"http": {"path": "/healthz"}, "interval": "1s", "timeout": "1s"}
    async with two(caller, "ailing", healthCheck=check) as (good, bad):
        bad.answer = lambda request: FAILS if b" /healthz " in request.start_line else OK

        async def is_found_out() -> bool:
            return any("is unhealthy" in step for step in await in_shadow(caller, "ailing"))

        assert (await caller.get("ailing")).status == 200
        await until(is_found_out)
        page, labels = await scrape(caller.sidecar.http), {"service": "test/ailing"}
        before = page.total("breakwater_shadow_elsewhere_total", **labels)
        called = [calls(upstream) for upstream in (good, bad)]
        assert {(await caller.get("ailing")).status for _ in range(10)} == {200}
        assert [calls(upstream) for upstream in (good, bad)] == [count + 5 for count in called]
        await elsewhere(caller, "ailing", "unhealthy", int(before) + 5)


async def test_what_an_endpoint_brings_that_would_not_be_asked_counts_nowhere(caller: Caller) -> None:
    spec: dict[str, Any] = {
        "outlierDetection": {"consecutiveFailures": 1, "ejection": FOR_EVER},
        "breaker": {"service": {"trip": {"consecutiveFailures": 2}}},
        "retry": {"attempts": 1, "when": ["500"]},
    }
    async with two(caller, "unasked", **spec) as (_, bad):
        bad.answer = lambda _: FAILS
        for _ in range(10):
            await caller.get("unasked")
        await elsewhere(caller, "unasked", "outlier", 4)
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_shadow_retries_total", service="test/unasked") == 1
        assert page.total("breakwater_shadow_refusals_total", service="test/unasked") == 0


async def test_a_group_in_shadow_moves_nobody(caller: Caller) -> None:
    gold = {"header": {"name": "x-tier", "value": "gold"}}
    groups = {
        "groups": {pool: {"matchLabels": {"pool": pool}} for pool in ("bulk", "critical")},
        "assign": [{"group": "critical", "match": gold}],
    }
    labels = ({"pool": "critical"}, {"pool": "bulk"})
    async with two(caller, "grouping", *labels, instanceGroups=groups) as (critical, bulk):
        for _ in range(6):
            await caller.get("grouping", **{"x-tier": "gold"})
        for _ in range(4):
            await caller.get("grouping")
        assert (len(critical.requests), len(bulk.requests)) == (5, 5)
        await elsewhere(caller, "grouping", "group", 3)


async def test_a_hash_in_shadow_tells_whose_key_belongs_elsewhere(caller: Caller) -> None:
    balancing = {"policy": "RingHash", "hashOn": {"header": "x-user"}}
    async with two(caller, "hashing", loadBalancing=balancing) as (one, other):
        for _ in range(10):
            await caller.get("hashing", **{"x-user": "42"})
        assert (len(one.requests), len(other.requests)) == (5, 5)
        await elsewhere(caller, "hashing", "hash", 5)


async def test_a_zone_in_shadow_keeps_nobody_near(caller: Caller) -> None:
    labels = ({ZONE: "a"}, {ZONE: "b"})
    async with two(caller, "zoned", *labels, loadBalancing={"locality": "Prefer"}) as (near, far):
        for _ in range(10):
            await caller.get("zoned")
        assert (len(near.requests), len(far.requests)) == (5, 5)
        await elsewhere(caller, "zoned", "zone", 5)


async def test_a_group_without_endpoints_would_be_refused_and_fall_back(caller: Caller) -> None:
    spec: dict[str, Any] = {
        "instanceGroups": {
            "groups": {"none": {"matchLabels": {"pool": "none"}}},
            "assign": [{"group": "none"}],
            "overflow": "Never",
        },
        "fallback": {"response": {"status": 200}},
    }
    async with two(caller, "nowhere", **spec):
        assert (await caller.get("nowhere")).body == b"ok"
        line = await accesslog.line(caller.sidecar.process, dst="test/nowhere", status=200)
        assert line["would_refuse"] == "upstream.no_endpoints"
        assert line["would_do"] == "fallback policy=test/nowhere"
        assert [text.partition(":")[0] for text in await in_shadow(caller, "nowhere")] == [
            "endpoint",
            "fallback",
        ]


async def test_a_hedge_in_shadow_is_counted_and_not_made(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: slow(0.05)) as upstream:
        policy = resilience("hedged", external("hedged"), mode="Shadow", hedge={"after": "10ms"})
        await caller.fleet.put("hedged", external_service("hedged", upstream.port), policy)
        assert (await caller.get("hedged")).status == 200
        assert len(upstream.requests) == 1
        labels = {"service": "test/hedged"}
        await until(measured(caller.sidecar.http, "breakwater_shadow_hedges_total", 1, **labels))
        line = await accesslog.line(caller.sidecar.process, dst="test/hedged", attempt_count=1)
        assert line["would_do"] == "hedge policy=test/hedged"


async def test_a_hedge_that_is_made_is_no_news(caller: Caller) -> None:
    acting, hedge = {"hedge": {"after": "10ms"}}, {"after": "5ms"}
    async with two(caller, "hedging", acting=acting, hedge=hedge) as (one, other):
        one.answer = other.answer = lambda _: slow(0.05)
        assert (await caller.get("hedging")).status == 200
        assert (len(one.requests), len(other.requests)) == (1, 1)
        page = await scrape(caller.sidecar.http)
        assert page.total("breakwater_shadow_hedges_total", service="test/hedging") == 0


@pytest.mark.parametrize("acts", [False, True])
async def test_a_fallback_in_shadow_answers_nobody(caller: Caller, *, acts: bool) -> None:
    name, instead = f"falling-{acts}".lower(), {"response": {"status": 200, "body": "instead"}}
    acting = [resilience(f"{name}-acts", external(name), fallback=instead)] if acts else []
    policy = resilience(name, external(name), mode="Shadow", fallback=instead)
    await caller.fleet.put(name, external_service(name, free_port()), policy, *acting)
    answer = await caller.get(name)
    assert (answer.status, answer.text("breakwater-fallback") is not None) == (200 if acts else 503, acts)
    line = await accesslog.line(caller.sidecar.process, dst=f"test/{name}", reason="upstream.connect")
    assert line["would_do"] == (None if acts else f"fallback policy=test/{name}")
    page = await scrape(caller.sidecar.http)
    assert page.total("breakwater_shadow_fallbacks_total", service=f"test/{name}") == (0 if acts else 1)


async def test_describe_shows_what_is_in_shadow_and_nothing_that_stays(caller: Caller) -> None:
    target, limit = external("described"), {"name": "all", "requests": 5, "per": "1s"}
    await caller.fleet.put(
        "described",
        external_service("described", free_port()),
        resilience("described-acts", target, timeouts={"request": "3s", "perTry": "1s"}),
        resilience("described", target, mode="Shadow", merge="PatchOverrides", timeouts={"perTry": "2s"}),
        rate_limit("described", target, mode="Shadow", limits=[limit]),
    )
    outcome = await breakwater("describe", "service", "test/described", admin=caller.fleet.plane.admin)
    rows = [line.split("  ") for line in outcome.out.splitlines()]
    told = {cells[0]: [cell.strip() for cell in cells[1:] if cell] for cells in rows}
    assert told["timeouts.perTry"][0] == "1s"
    shadow = {field: cells for field, cells in told.items() if field.endswith("(in shadow)")}
    assert list(shadow) == ["timeouts.perTry (in shadow)", "limit test/described/all (in shadow)"]
    value, origin, *_ = shadow["timeouts.perTry (in shadow)"]
    assert (value, origin) == ("2s", "ResiliencePolicy test/described (Service)")
