"""Routes on live traffic: which rule a request falls under, where that sends it, and in which turns."""

import json
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.documents import (
    backend,
    external,
    external_service,
    grpc_route,
    http_route,
    resilience,
)
from tests.support.fleet import named
from tests.support.grpc_shapes import SERVICE, grpc_shapes
from tests.support.metrics import measured
from tests.support.readiness import Condition, until
from tests.support.refusal import reason
from tests.support.upstream import Answer, ScriptedUpstream, Send, response, slow

pytestmark = pytest.mark.asyncio(loop_scope="module")


def saying(text: str) -> Answer:
    """An answer of 200 with this body."""
    return lambda _: (Send(response(body=text.encode())),)


async def services(caller: Caller, stack: AsyncExitStack, *names: str) -> list[ScriptedUpstream]:
    """A service of each name, which answers with it."""
    found = [await stack.enter_async_context(ScriptedUpstream(saying(name))) for name in names]
    for name, one in zip(names, found, strict=True):
        await caller.may_call(name, one.port)
        assert (await caller.get(name)).body == name.encode()
        one.forget()
    return found


async def route(caller: Caller, name: str, parent: str, *rules: Mapping[str, Any]) -> None:
    """A route of that name for calls of `parent`, in force."""
    await caller.fleet.put(name, http_route(name, external(parent), *rules))


async def explained(caller: Caller, name: str, path: str) -> str:
    """What `explain` says of the rule that a call falls under."""
    ends = {"from": {"namespace": "test", "name": "caller"}, "to": {"namespace": "test", "name": name}}
    told = await caller.fleet.ask("Explain", {**ends, "method": "GET", "path": path})
    steps = [step for hop in told["hops"] for step in hop["answer"]["steps"]]
    return str(next(step["text"] for step in steps if step["stage"] == "rule"))


def prefix(path: str, **match: Any) -> Mapping[str, Any]:
    return {"path": {"type": "PathPrefix", "value": path}, **match}


def exact(path: str) -> Mapping[str, Any]:
    return {"path": {"type": "Exact", "value": path}}


async def test_a_split_is_exact_over_any_turns(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        old, new = await services(caller, stack, "split-old", "split-new")
        split = {"backendRefs": [backend("split-old", 90), backend("split-new", 30)]}
        await route(caller, "split", "split-old", {"name": "api", "matches": [prefix("/api")], **split}, {})

        assert {(await caller.get("split-old")).body for _ in range(8)} == {b"split-old"}
        told = {"service": "test/split-old", "route": "test/split/1", "code_class": "2xx"}
        await until(measured(caller.sidecar.http, "breakwater_requests_total", 8, **told))
        old.forget()
        answers = [(await caller.get("split-old", "/api/7?page=1")).body for _ in range(40)]
        assert (len(old.requests), len(new.requests)) == (30, 10)
        assert all(answers[at : at + 4].count(b"split-new") == 1 for at in range(37))
        assert {request.start_line.split()[1] for request in new.requests} == {b"/api/7?page=1"}

        nexts = []
        for _ in range(4):
            foretold = await explained(caller, "split-old", "/api/7")
            assert foretold == await explained(caller, "split-old", "/api/7")
            nexts.append(foretold)
            await caller.get("split-old", "/api/7")
        assert (
            sorted(nexts)
            == ["test/split/api, the next goes to test/split-new"]
            + ["test/split/api, the next goes to test/split-old"] * 3
        )
        assert await explained(caller, "split-old", "/") == "test/split/1, the next goes to test/split-old"


async def test_a_rule_is_found_by_the_canonical_path_and_what_came_is_sent_on(caller: Caller) -> None:
    spellings = ("/checkout/7", "/%63heckout/7", "/cart/../checkout/7", "/./%2E%2E/checkout/7?a=/../b")
    async with AsyncExitStack() as stack:
        _, other = await services(caller, stack, "spelled", "checkout")
        matches = [prefix("/checkout"), exact("/%7Ecaf%c3%a9")]
        rule = {"matches": matches, "backendRefs": [backend("checkout", 1)]}
        await route(caller, "spelled-route", "spelled", rule, {})
        assert (await caller.get("spelled", "/~caf%C3%A9")).body == b"checkout"
        other.forget()
        for path in spellings:
            assert (await caller.get("spelled", path)).body == b"checkout", path
        assert {request.start_line.split()[1].decode() for request in other.requests} == set(spellings)
        assert (await caller.get("spelled", "/checkout%2F7")).body == b"spelled"


async def test_what_no_rule_is_for_is_refused_and_comes_nowhere(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = await services(caller, stack, "only-api")
        await route(caller, "only-api-route", "only-api", {"matches": [prefix("/api")]})

        answer = await caller.get("only-api", "/other")
        assert (answer.status, reason(answer)) == (404, "route.none")
        assert one.requests == ()
        assert await explained(caller, "only-api", "/other") == "no rule of its routes is for such a call"
        assert (await caller.get("only-api", "/api")).status == 200


async def test_a_rule_has_its_own_timeouts_and_the_rest_those_of_the_service(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = await services(caller, stack, "waits")
        one.answer = lambda _: slow(0.6)
        await caller.fleet.put(
            "waits-policy", resilience("waits", external("waits"), timeouts={"request": "5s"})
        )
        quick = {"matches": [prefix("/quick")], "timeouts": {"request": "100ms"}}
        await route(caller, "waits-route", "waits", quick, {})

        answer = await caller.get("waits", "/quick")
        assert (answer.status, reason(answer)) == (504, "timeout.request")
        assert (await caller.get("waits")).status == 200


async def test_a_rule_that_says_zero_has_no_bound_whatever_the_service_says(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = await services(caller, stack, "patient")
        one.answer = lambda _: slow(0.5)
        await caller.fleet.put(
            "patient-policy",
            resilience("patient", external("patient"), timeouts={"request": "200ms", "perTry": "100ms"}),
        )
        endless = {"matches": [prefix("/endless")], "timeouts": {"request": "0s", "backendRequest": "0s"}}
        patient = {"matches": [prefix("/patient")], "timeouts": {"request": "0s"}}
        await route(caller, "patient-route", "patient", endless, patient, {})

        assert (await caller.get("patient", "/endless")).status == 200
        assert reason(await caller.get("patient", "/patient")) == "timeout.per_try"
        assert (await caller.get("patient")).status == 504


def attempts_of(caller: Caller, name: str, expected: dict[str, int]) -> Condition:
    """Return the condition that callers counted so many attempts for each request of a rule lately."""

    async def holds() -> bool:
        asked = {"service": named(f"test/{name}"), "outbound": True, "byRoute": True, "window": "60s"}
        answer = await caller.fleet.ask("ListTraffic", asked)
        return expected == {
            one["route"]: round(one["attemptsPerSecond"] / one["requestsPerSecond"])
            for one in answer["traffic"]
            if one["route"]
        }

    return holds


async def test_policies_of_route_and_rule_go_over_those_of_the_service(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = await services(caller, stack, "merged")
        one.answer = lambda _: (Send(response(503)),)
        retry = {"when": ["503"], "strategy": "Immediate", "budget": {"minRetryRate": {"count": 1000}}}
        await caller.fleet.put(
            "m1", resilience("m-service", external("merged"), retry={**retry, "attempts": 1})
        )
        target = {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "merged-route"}
        await caller.fleet.put("m2", resilience("m-route", target, retry={"attempts": 2}))
        named = {**target, "sectionName": "eager"}
        await caller.fleet.put("m3", resilience("m-rule", named, retry={"attempts": 4}))
        eager = {"name": "eager", "matches": [prefix("/eager")]}
        await route(caller, "merged-route", "merged", eager, {"name": "rest"})

        for path, calls in (("/", 3), ("/eager", 5)):
            one.forget()
            await caller.get("merged", path)
            assert len(one.requests) == calls, path
        shown = await breakwater("describe", "route", "test/merged-route", admin=caller.fleet.plane.admin)
        lines = [line.split() for line in shown.out.splitlines()]
        assert ["rule", "merged-route/rest", "retry.attempts", "2"] in [line[:4] for line in lines]
        assert ["rule", "merged-route/eager", "retry.attempts", "4"] in [line[:4] for line in lines]
        assert "ResiliencePolicy test/m-rule (Rule)" in shown.out
        listed = await breakwater("routes", "test/merged", "-o", "wide", admin=caller.fleet.plane.admin)
        rows = [re.split("  +", line) for line in listed.out.splitlines()[1:]]
        assert [(row[0], row[1], row[14], row[15], row[18]) for row in rows] == [
            ("test/merged-route/eager", "test/merged", "test/merged", "/eager*", "Accepted"),
            ("test/merged-route/rest", "test/merged", "test/merged", "*", "Accepted"),
        ]
        assert [line.count("ResiliencePolicy m-") for line in listed.out.splitlines()[1:]] == [2, 1]
        told = await breakwater("routes", "test/merged", "-o", "json", admin=caller.fleet.plane.admin)
        document = json.loads(told.out)
        assert document["kind"] == "RouteRuleList"
        assert [item["rule"] for item in document["items"]] == ["eager", "rest"]
        await until(
            attempts_of(caller, "merged", {"test/merged-route/eager": 5, "test/merged-route/rest": 3})
        )
        await caller.fleet.remove("m3")
        one.forget()
        await caller.get("merged", "/eager")
        assert len(one.requests) == 3


async def test_a_breaker_by_route_opens_for_its_route_alone(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        one, other = await services(caller, stack, "keyed", "keyed-to")
        trip = {"consecutiveFailures": 2}
        breaker = {"service": {"trip": trip, "key": "Route"}}
        await caller.fleet.put("keyed-policy", resilience("keyed", external("keyed"), breaker=breaker))
        await route(caller, "keyed-a", "keyed", {"matches": [prefix("/a")]})
        await route(caller, "keyed-b", "keyed", {"matches": [prefix("/b")]})

        one.answer = lambda _: (Send(response(500)),)
        assert [(await caller.get("keyed", "/a")).status for _ in range(3)] == [500, 500, 503]
        one.answer = saying("well")
        assert (await caller.get("keyed", "/b")).body == b"well"
        refused = await caller.get("keyed", "/a")
        assert (refused.status, reason(refused)) == (503, "breaker.open")
        assert other.requests == ()


async def test_a_share_that_leads_nowhere_is_refused_and_the_rest_is_served(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        await services(caller, stack, "partly")
        rule = {"matches": [prefix("/")], "backendRefs": [backend("partly", 3), backend("nobody", 1)]}
        await route(caller, "partly-route", "partly", rule)

        answers = [await caller.get("partly") for _ in range(8)]
        assert sorted(one.status for one in answers) == [200] * 6 + [500] * 2
        assert {reason(one) for one in answers if one.status == 500} == {"upstream.no_endpoints"}
        told = {"service": "test/partly", "route": "test/partly-route/0", "reason": "upstream.no_endpoints"}
        await until(measured(caller.sidecar.http, "breakwater_requests_total", 2, **told))
        logged = await accesslog.line(caller.sidecar.process, dst="test/partly", status=500)
        assert (logged["route"], logged["path_template"]) == ("test/partly-route/0", "/*")


async def test_routes_of_both_kinds_stand_side_by_side_at_ports_of_their_own(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        [one] = [await stack.enter_async_context(ScriptedUpstream(saying("both")))]
        [other] = await services(caller, stack, "both-api")
        both = external_service("both", one.port)
        ports = [*both["spec"]["ports"], {"name": "grpc", "port": 9090, "protocol": "GRPC"}]
        rule = {"matches": [prefix("/api")], "backendRefs": [backend("both-api")]}
        by_method = {"matches": [{"method": {"service": SERVICE}}]}
        await caller.fleet.put(
            "both",
            {**both, "spec": {**both["spec"], "ports": ports}},
            http_route("both-http", {**external("both"), "port": 80}, rule),
            grpc_route("both-grpc", {**external("both"), "port": 9090}, by_method),
        )

        assert (await caller.get("both", "/api")).body == b"both-api"
        assert reason(await caller.get("both", f"/{SERVICE}/echo")) == "route.none"
        assert (await caller.get("both:9090", f"/{SERVICE}/echo")).body == b"both"
        assert reason(await caller.get("both:9090", "/api")) == "route.none"
        assert len(other.requests) == 1


async def test_explain_tells_of_services_that_were_never_called(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        for name in ("never-called", "never-led-to"):
            one = await stack.enter_async_context(ScriptedUpstream(saying(name)))
            await caller.may_call(name, one.port)
        rule = {"backendRefs": [backend("never-led-to")]}
        await route(caller, "never-route", "never-called", rule)
        assert await explained(caller, "never-called", "/") == (
            "test/never-route/0, the next goes to test/never-led-to"
        )


async def test_describe_warns_of_tries_that_do_not_fit_into_the_time_of_a_rule(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        await services(caller, stack, "hurried")
        await route(caller, "hurried-route", "hurried", {"timeouts": {"request": "800ms"}})
        policy = {"timeouts": {"perTry": "300ms"}, "retry": {"attempts": 2}}
        await caller.fleet.put("hurried-policy", resilience("hurried", external("hurried"), **policy))
        shown = await breakwater("describe", "route", "test/hurried-route", admin=caller.fleet.plane.admin)
    assert shown.out.splitlines()[-1] == (
        "WARNING  rule hurried-route/0: retry.attempts: 3 attempts of 300ms need 900ms, "
        "and timeouts.request is 800ms (BW0207)"
    )


async def test_hosts_and_cookies_are_what_they_are_in_every_protocol(caller: Caller) -> None:
    by_host = {"headers": [{"name": "Host", "value": "crumbs.test"}]}
    by_cookie = {"headers": [{"name": "cookie", "value": "a=1; b=2"}, *by_host["headers"]]}
    async with AsyncExitStack() as stack:
        await services(caller, stack, "crumbs", "crumbs-some", "crumbs-all")
        some = {"matches": [by_host], "backendRefs": [backend("crumbs-some")]}
        every = {"matches": [by_cookie], "backendRefs": [backend("crumbs-all")]}
        await route(caller, "crumbs-route", "crumbs", some, every, {})

        assert (await caller.get("crumbs")).body == b"crumbs"
        assert (await caller.get("crumbs.test")).body == b"crumbs-some"
        assert (await caller.get("crumbs.test", cookie="a=1; b=2")).body == b"crumbs-all"

    async with grpc_shapes() as some_calls, grpc_shapes() as all_calls:
        await caller.may_call("crumb-calls", some_calls.port, protocol="GRPC")
        await caller.may_call("crumb-calls-all", all_calls.port, protocol="GRPC")
        host = {"name": "host", "value": "crumb-calls.test"}
        cookie = {"name": "cookie", "value": "a=1; b=2"}
        rules = (
            {"matches": [{"headers": [host]}]},
            {"matches": [{"headers": [host, cookie]}], "backendRefs": [backend("crumb-calls-all")]},
        )
        await caller.fleet.put(
            "crumb-calls-route", grpc_route("crumb-calls", external("crumb-calls"), *rules)
        )
        options = (("grpc.default_authority", "crumb-calls.test"),)
        address = f"127.0.0.1:{caller.sidecar.outbound}"
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/echo")
            assert await echo(b"whole") == b"whole"
            assert await echo(b"crumbs", metadata=(("cookie", "a=1"), ("cookie", "b=2"))) == b"crumbs"
        assert (len(some_calls.metadata), len(all_calls.metadata)) == (1, 1)


async def test_calls_of_grpc_go_by_their_methods_over_http2(caller: Caller) -> None:
    async with grpc_shapes() as old, grpc_shapes() as new:
        await caller.may_call("calls-old", old.port, protocol="GRPC")
        await caller.may_call("calls-new", new.port, protocol="GRPC")
        by_method = {"matches": [{"method": {"service": SERVICE, "method": "echo"}}]}
        by_header = {"matches": [{"headers": [{"name": "x-to", "value": "old"}]}]}
        rules = ({**by_method, "backendRefs": [backend("calls-new")]}, by_header)
        await caller.fleet.put("calls", grpc_route("calls", external("calls-old"), *rules))

        options = (("grpc.default_authority", "calls-old.test"),)
        address = f"127.0.0.1:{caller.sidecar.outbound}"
        async with grpc.aio.insecure_channel(address, options=options) as channel:
            echo: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{SERVICE}/echo")
            total: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/{SERVICE}/total")
            assert await echo(b"first") == b"first"
            assert await total(iter([b"12", b"3"]), metadata=(("x-to", "old"),)) == b"3"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await total(iter([b"1"]))
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        assert (len(old.metadata), len(new.metadata)) == (0, 1)
