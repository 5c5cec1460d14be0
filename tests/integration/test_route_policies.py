"""Rehearsals of routes and of rules, and the breakers that these have for themselves, on live traffic."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.documents import (
    backend,
    external,
    fault,
    grpc_route,
    http_route,
    rate_limit,
    resilience,
)
from tests.support.fleet import named
from tests.support.governed import route_target, under
from tests.support.metrics import measured, scrape
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.refusal import reason
from tests.support.upstream import OK, ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")


def tripping(failures: int) -> dict[str, Any]:
    """A breaker of the service that opens after so many failures in a row."""
    return {"service": {"trip": {"consecutiveFailures": failures}}}


async def breakers(caller: Caller, name: str) -> dict[str, str]:
    """The states of the breakers of a service, by the route that has each for itself."""
    answer = await caller.fleet.ask("ListBreakers", {"service": named(f"test/{name}")})
    return {one["breaker"]["route"]: one["breaker"]["state"] for one in answer["breakers"]}


async def test_a_rehearsal_of_a_rule_or_route_is_met_by_its_requests_alone(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        await caller.may_call("drill-one", one.port)
        await caller.may_call("drill-other", other.port)
        split = {"backendRefs": [backend("drill-one"), backend("drill-other")]}
        rules = under("/abort", "abort", **split), under("/slow", "slow"), under("/")
        await caller.fleet.put("drill-route", http_route("drill", external("drill-one"), *rules))
        await caller.fleet.put(
            "drill-faults",
            fault("of-rule", route_target("drill", "abort"), abort={"status": 418}),
            fault("of-service", external("drill-other"), abort={"status": 503}),
            fault("everywhere", route_target("drill"), external("drill-one"), delay="1ms"),
        )
        assert [(await caller.get("drill-one", "/abort")).status for _ in range(4)] == [418] * 4
        assert (one.requests, other.requests) == ((), ())
        answer = await caller.get("drill-one", "/slow")
        mark = answer.text("breakwater-fault")
        assert (answer.status, mark) == (200, 'delay;policy="test/everywhere"'), (
            "once, where it is said twice"
        )
        assert (await caller.get("drill-other")).status == 503
        shown = await breakwater("describe", "route", "test/drill", admin=caller.fleet.plane.admin)
        assert "FaultPolicy test/of-rule (rule drill/abort)" in shown.out
        await caller.fleet.remove("drill-faults")
        assert [(await caller.get("drill-one", "/abort")).status for _ in range(4)] == [200] * 4


async def test_who_waits_at_the_bulkhead_of_a_rule_goes_on_when_that_is_taken_away(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, AsyncExitStack() as calls:
        await caller.may_call("lined", upstream.port)
        await caller.fleet.put("lined-route", http_route("lined", external("lined"), under("/a", "a")))
        line = {"maxConcurrent": 1, "queueTimeout": "60s"}
        await caller.fleet.put(
            "lined-policy", resilience("lined-a", route_target("lined", "a"), bulkhead=line)
        )
        clients = []
        for waiting in range(2):
            client = await calls.enter_async_context(RawClient(caller.sidecar.outbound))
            await client.ask("/a", host="lined")
            labels = {"direction": "outbound", "service": "test/lined"}
            await until(measured(caller.sidecar.http, "breakwater_queue_depth", waiting, **labels))
            await until(that(lambda: len(upstream.requests) == 1))
            clients.append(client)
        await caller.fleet.remove("lined-policy")
        await until(that(lambda: len(upstream.requests) == 2))
        gate.set()
        assert [(await client.response()).status for client in clients] == [200, 200]


async def test_the_breaker_of_a_route_is_shown_forced_and_counted_by_its_name(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("guarded", upstream.port)
        await caller.fleet.put(
            "guarded-policies",
            http_route("guarded-api", external("guarded"), under("/a", "a"), under("/b", "b")),
            http_route("guarded-web", external("guarded"), under("/web")),
            resilience("of-all", external("guarded"), breaker=tripping(2)),
            resilience("of-web", route_target("guarded-web"), breaker=tripping(3)),
            resilience("of-b", route_target("guarded-api", "b"), breaker=tripping(4)),
        )
        assert (await caller.get("guarded", "/a")).status == 200
        closed = "BREAKER_STATE_CLOSED"
        assert await breakers(caller, "guarded") == {
            "": closed,
            "test/guarded-api/b": closed,
            "test/guarded-web": closed,
        }

        admin = caller.fleet.plane.admin
        order = "breakers", "force-open", "test/guarded", "--for", "10m", "--route", "test/guarded-web"
        assert "FORCED_OPEN" in (await breakwater(*order, admin=admin)).out
        refused = await caller.get("guarded", "/web")
        assert (refused.status, reason(refused)) == (503, "breaker.forced")
        assert [(await caller.get("guarded", path)).status for path in ("/a", "/b")] == [200, 200]
        page = await scrape(caller.sidecar.http)
        states = {
            route: page.total("breakwater_breaker_state", service="test/guarded", route=route)
            for route in ("", "test/guarded-api/b", "test/guarded-web")
        }
        assert states == {"": 0, "test/guarded-api/b": 0, "test/guarded-web": 2}
        await breakwater("breakers", "reset", "test/guarded", "--route", "test/guarded-web", admin=admin)
        assert (await caller.get("guarded", "/web")).status == 200

        upstream.answer = lambda _: (Send(response(500)),)
        assert [(await caller.get("guarded", "/b")).status for _ in range(5)] == [500] * 4 + [503]
        assert (await caller.get("guarded", "/web")).status == 500
        states_now = await breakers(caller, "guarded")
        assert states_now["test/guarded-api/b"] == "BREAKER_STATE_OPEN"
        assert {states_now[""], states_now["test/guarded-web"]} == {closed}
        shown = await breakwater("describe", "route", "test/guarded-api", admin=admin)
        rows = [" ".join(line.split()[:5]) for line in shown.out.splitlines()]
        assert "breaker.route test/guarded-api/b of test/guarded (state)" in rows
        assert "breaker.service of test/guarded (state) CLOSED" in rows
        shown = await breakwater("describe", "route", "test/guarded-web", admin=admin)
        assert "breaker.route test/guarded-web of test/guarded (state)" in shown.out
        assert "breaker.service of" not in shown.out, "it has one for itself"
        unknown = await breakwater(*order[:-1], "nobody", admin=admin)
        assert unknown.code != 0


async def test_the_breaker_of_a_route_outlasts_edits_of_its_rules(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        for name in ("shifted", "shifted-next"):
            await caller.may_call(name, upstream.port)
        policy = resilience("shifted", external("shifted"), breaker={"service": {"key": "Route"}})

        async def put(*rules: Any) -> None:
            route = http_route("shifted-api", external("shifted"), *rules)
            await caller.fleet.put("shifted-policies", route, policy)

        def split(old: int, new: int) -> Any:
            return under("/", backendRefs=[backend("shifted", old), backend("shifted-next", new)])

        await put(split(1, 0))
        assert (await caller.get("shifted")).status == 200
        order = "breakers", "force-open", "test/shifted", "--for", "10m", "--route", "test/shifted-api"
        assert "FORCED_OPEN" in (await breakwater(*order, admin=caller.fleet.plane.admin)).out
        await put(split(3, 1))
        found = [reason(await caller.get("shifted")) for _ in range(4)]
        assert sorted(map(str, found)) == ["None", *["breaker.forced"] * 3]
        await put(under("/next", backendRefs=[backend("shifted-next")]), split(3, 1))
        assert (await caller.get("shifted", "/next")).status == 200
        found = [reason(await caller.get("shifted")) for _ in range(4)]
        assert sorted(map(str, found)) == ["None", *["breaker.forced"] * 3]


async def test_the_retry_budget_is_one_for_all_routes_of_a_service(caller: Caller) -> None:
    budget = {"percent": 0, "interval": "1h", "minRetryRate": {"count": 4, "interval": "1h"}}
    rules = {"when": ["503"], "strategy": "Immediate", "budget": budget}
    async with ScriptedUpstream(lambda _: (Send(response(503)),)) as upstream:
        await caller.may_call("thrifty", upstream.port)
        await caller.fleet.put(
            "thrifty-policies",
            http_route("thrifty-a", external("thrifty"), under("/a")),
            http_route("thrifty-b", external("thrifty"), under("/b")),
            resilience("thrifty-a", route_target("thrifty-a"), retry={**rules, "attempts": 1}),
            resilience("thrifty-b", route_target("thrifty-b"), retry={**rules, "attempts": 2}),
        )
        answers = [await caller.get("thrifty", path) for path in ("/a", "/b") * 4]
        assert [one.status for one in answers] == [503] * 8
        assert len(upstream.requests) == 8 + 4


async def test_breakers_of_routes_of_two_kinds_and_one_name_take_orders_apart(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        for name in ("twin-end", "twin-web", "twin-calls"):
            await caller.may_call(name, upstream.port)
        there = {"backendRefs": [backend("twin-end")]}
        await caller.fleet.put(
            "twin-policies",
            http_route("twin", external("twin-web"), there),
            grpc_route("twin", external("twin-calls"), there),
            resilience("twin-web", route_target("twin"), breaker=tripping(2)),
            resilience("twin-calls", {**route_target("twin"), "kind": "GRPCRoute"}, breaker=tripping(3)),
        )
        assert (await caller.get("twin-web")).status == 200
        assert (await caller.get("twin-calls")).status == 404, "that is no call of gRPC"
        closed = "BREAKER_STATE_CLOSED"
        assert await breakers(caller, "twin-end") == dict.fromkeys(
            ("test/twin", "test/twin+GRPCRoute"), closed
        )
        admin = caller.fleet.plane.admin
        order = "breakers", "force-open", "test/twin-end", "--for", "10m", "--route", "test/twin+GRPCRoute"
        assert "FORCED_OPEN" in (await breakwater(*order, admin=admin)).out
        assert (await caller.get("twin-web")).status == 200
        shown = await breakwater("describe", "route", "test/twin", "--kind", "GRPCRoute", admin=admin)
        own = [line.split()[1] for line in shown.out.splitlines() if "breaker.route" in line]
        assert own == ["test/twin+GRPCRoute"]


async def test_the_bulkhead_of_a_rule_is_measured_by_its_name(caller: Caller) -> None:
    gate = asyncio.Event()
    narrow = {"maxConcurrent": 1, "maxQueue": 1, "queueTimeout": "60s"}
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(ScriptedUpstream(lambda _: (Until(gate), *OK)))
        await caller.may_call("narrow", upstream.port)
        await caller.fleet.put(
            "narrow-policies",
            http_route("narrow", external("narrow"), under("/a", "a"), under("/b", "b")),
            resilience("of-narrow", external("narrow"), bulkhead={"maxConcurrent": 5}),
            resilience("of-a", route_target("narrow", "a"), bulkhead=narrow),
        )
        clients = [await stack.enter_async_context(RawClient(caller.sidecar.outbound)) for _ in range(3)]
        for client, path in zip(clients, ("/a", "/a", "/b"), strict=True):
            await client.ask(path, host="narrow")
        for name, expected, labels in (
            ("breakwater_queue_depth", 1, {"route": "test/narrow/a"}),
            ("breakwater_bulkhead_inflight", 1, {"route": "test/narrow/a"}),
            ("breakwater_bulkhead_inflight", 1, {"route": ""}),
        ):
            await until(measured(caller.sidecar.http, name, expected, service="test/narrow", **labels))
        ends = ("--from", "test/caller", "--to", "test/narrow")
        told = await breakwater("explain", *ends, "--path", "/a", admin=caller.fleet.plane.admin)
        assert "1 of 1 running, 1 of 1 waiting" in told.out
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 3
        page = await scrape(caller.sidecar.http)
        labels = {"direction": "outbound", "service": "test/narrow"}
        for route, requests in (("test/narrow/a", 2), ("test/narrow/b", 1)):
            count = page.total("breakwater_request_duration_seconds_count", route=route, **labels)
            attempts = page.total("breakwater_attempts_total", service="test/narrow", route=route)
            assert (count, attempts) == (requests, requests)


async def test_explain_tells_a_caller_the_limits_and_rehearsals_of_a_rule(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("told", upstream.port)
        await caller.may_call("told-on", upstream.port)
        on = {"backendRefs": [backend("told-on")]}
        hourly = {"name": "few", "algorithm": "FixedWindow", "requests": 2, "per": "1h"}
        await caller.fleet.put(
            "told-policies",
            http_route("told", external("told"), under("/a", "a", **on), under("/b", "b")),
            rate_limit("of-a", route_target("told", "a"), limits=[{**hourly, "aligned": False}]),
            fault("drill", route_target("told", "b"), abort={"status": 418}),
        )
        assert [(await caller.get("told", path)).status for path in ("/a", "/b")] == [200, 418]
        ends = ("--from", "test/caller", "--to", "test/told")
        admin = caller.fleet.plane.admin
        [of_a, of_b] = [
            (await breakwater("explain", *ends, "--path", path, admin=admin)).out for path in ("/a", "/b")
        ]
        assert "limit test/of-a/few of route test/told/a: 1 left of 2" in of_a
        assert "test/drill" not in of_a
        assert "test/drill" in of_b
        assert "418" in of_b
        assert "of-a" not in of_b


async def test_the_rules_that_a_sidecar_goes_by_are_shown_with_what_is_in_force(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("held", upstream.port)
        await caller.may_call("held-next", upstream.port)
        split = {"backendRefs": [backend("held", 3), backend("held-next", 1)]}
        await caller.fleet.put(
            "held-policies",
            http_route("held", external("held"), under("/a", "a", **split), under("/b", "b")),
            resilience("of-held", external("held"), timeouts={"request": "5s"}),
            resilience("held-a", route_target("held", "a"), retry={"attempts": 2}),
            fault("held-drill", route_target("held", "b"), delay="1ms", mode="Shadow"),
        )
        assert [(await caller.get("held", "/a")).status for _ in range(4)] == [200] * 4
        answer = await caller.fleet.ask("ListAppliedRoutes", {"service": named("test/held")})
        [instance] = {one["instance"] for one in answer["routes"]}
        admin = caller.fleet.plane.admin
        asked = "proxy-config", "routes", instance, "--service", "test/held"
        shown = await breakwater(*asked, admin=admin)
        rows = [" ".join(line.split()) for line in shown.out.splitlines()[1:]]
        drill = "FaultPolicy test/held-drill (fault in shadow)"
        of_a, of_held = "ResiliencePolicy test/held-a (retry)", "ResiliencePolicy test/of-held (timeouts)"
        assert rows == [
            f"test/held outbound test/held/a /a* test/held:80 x3 {of_a}, {of_held} {instance}",
            f"test/held outbound test/held/a /a* test/held-next:80 x1 {of_a} {instance}",
            f"test/held outbound test/held/b /b* test/held x1 {drill}, {of_held} {instance}",
        ]
        told = json.loads((await breakwater(*asked, "-o", "json", admin=admin)).out)
        assert [one["route"]["rule"] for one in told["items"]] == ["a", "b"]
        nobody = await breakwater("proxy-config", "routes", "nobody", admin=admin)
        assert "no sidecar goes by a rule" in nobody.out + nobody.talk
