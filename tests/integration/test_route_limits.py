"""Limits of routes and of named rules on live traffic, at those who are called and at those who call."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.documents import Target, backend, external, http_route, rate_limit, service
from tests.support.fleet import named
from tests.support.governed import route_target, under
from tests.support.limited import Limited
from tests.support.rawclient import fetch
from tests.support.refusal import refusal
from tests.support.upstream import ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")
MINUTE = 60


def hourly(name: str, requests: int, **more: Any) -> dict[str, Any]:
    """A limit that nothing refills while a test runs."""
    return {
        "name": name,
        "algorithm": "FixedWindow",
        "aligned": False,
        "requests": requests,
        "per": "1h",
        **more,
    }


def limit(name: str, target: Target, *limits: Mapping[str, Any], **spec: Any) -> Mapping[str, Any]:
    return rate_limit(name, target, limits=list(limits), **spec)


async def statuses(limited: Limited, path: str, count: int, host: str = "limited") -> list[int]:
    """The statuses of so many requests from outside."""
    return [(await fetch(limited.sidecar.inbound, path, host=host)).status for _ in range(count)]


async def test_limits_of_rule_route_and_service_add_up_at_those_who_are_called(limited: Limited) -> None:
    fleet = limited.caller.fleet
    api = http_route("api", service("limited"), under("/get", "get"), under("/put"))
    web = http_route("web", service("limited"), under("/web"))
    await fleet.put("routes", api, web)
    assert (await limited.caller.get("limited", "/web")).status == 200
    await fleet.put(
        "limits-of-all",
        limit("of-rule", route_target("api", "get"), hourly("rule", 2)),
        limit("of-route", route_target("api"), hourly("route", 5)),
        limit("of-service", service("limited"), hourly("service", 9)),
    )
    limited.arrivals.clear()

    assert await statuses(limited, "/get/1", 4) == [200, 200, 429, 429]
    assert await statuses(limited, "/put/1", 5) == [200] * 3 + [429] * 2
    assert await statuses(limited, "/web", 3) == [200] * 3
    assert await statuses(limited, "/elsewhere", 3) == [200, 429, 429], "what no rule is for"
    assert len(limited.arrivals) == 9
    answer = await fleet.ask("ListLimits", {"service": named("test/limited")})
    left = {
        (one["limit"]["limit"], one["limit"]["route"]): one["limit"]["remaining"] for one in answer["limits"]
    }
    assert left == {("rule", "test/api/get"): "0", ("route", "test/api"): "0", ("service", ""): "0"}

    ends = ("--from", "test/caller", "--to", "test/limited")
    told = await breakwater("explain", *ends, "--path", "/get/1", admin=fleet.plane.admin)
    assert "rule test/api/get" in told.out
    assert "limit test/of-rule/rule of route test/api/get: 0 left of 2" in told.out
    shown = await breakwater("limits", "test/limited", admin=fleet.plane.admin)
    assert "test/of-rule/rule (route test/api/get)" in shown.out
    described = await breakwater("describe", "route", "test/api", admin=fleet.plane.admin)
    assert "limit test/of-rule/rule" in described.out
    assert "RateLimitPolicy test/of-rule (rule api/get)" in described.out
    await fleet.remove("limits-of-all")
    assert await statuses(limited, "/get/1", 3) == [200] * 3
    await fleet.remove("routes")


async def test_a_policy_of_a_route_and_a_rule_of_it_counts_each_request_once(limited: Limited) -> None:
    fleet = limited.caller.fleet
    await fleet.put("twice", http_route("twice", service("limited"), under("/a", "a"), under("/b", "b")))
    targets = service("limited"), route_target("twice"), route_target("twice", "a")
    await fleet.put("twice-limits", rate_limit("twice", *targets, limits=[hourly("all", 2)]))

    assert await statuses(limited, "/a", 3) == [200, 200, 429]
    assert await statuses(limited, "/b", 3) == [200, 200, 429]
    assert await statuses(limited, "/c", 3) == [200, 200, 429]
    await fleet.remove("twice-limits")
    await fleet.remove("twice")


async def test_what_a_route_of_another_service_leads_here_is_told_by_its_name(limited: Limited) -> None:
    fleet = limited.caller.fleet
    async with ScriptedUpstream() as other:
        await limited.caller.may_call("facade", other.port)
        to_limited = [{"kind": "Service", "name": "limited", "port": 80}]
        await fleet.put(
            "facade-route",
            http_route(
                "facade", external("facade"), under("/here", "here", backendRefs=to_limited), under("/")
            ),
            limit("of-facade", route_target("facade", "here"), hourly("here", 2)),
        )
        assert await statuses(limited, "/here", 3, host="facade") == [200, 200, 429]
        assert await statuses(limited, "/here", 3) == [200] * 3, "a call of the service itself"
        assert await statuses(limited, "/other", 3, host="facade") == [200] * 3
        await fleet.remove("facade-route")


async def test_callers_count_a_route_over_all_that_it_leads_to(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        old, new = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        await caller.may_call("limit-old", old.port)
        await caller.may_call("limit-new", new.port)
        split = {"backendRefs": [backend("limit-old", 1), backend("limit-new", 1)]}
        await caller.fleet.put(
            "limit-route",
            http_route("limit-split", external("limit-old"), under("/api", "api", **split), under("/")),
        )
        await caller.fleet.put(
            "limit-split",
            limit("split", route_target("limit-split", "api"), hourly("route", 6)),
            limit("of-new", external("limit-new"), hourly("backend", 2)),
        )
        got = [await caller.get("limit-old", "/api") for _ in range(20)]
        assert [one.status for one in got].count(200) == 6
        assert (len(old.requests), len(new.requests)) == (4, 2), (
            "a refusal of one takes nothing from the other"
        )
        assert refusal(got[-1]).policy in {"test/split", "test/of-new"}
        assert {(await caller.get("limit-old", "/other")).status for _ in range(8)} == {200}
        assert {(await caller.get("limit-new", "/api")).status for _ in range(2)} == {429}
        await caller.fleet.remove("limit-split")


async def test_who_is_refused_by_a_route_waits_for_where_it_leads_too(caller: Caller) -> None:
    async with AsyncExitStack() as stack:
        ways = [await stack.enter_async_context(ScriptedUpstream()) for _ in range(2)]
        for name, one in zip(("longest", "longest-to"), ways, strict=True):
            await caller.may_call(name, one.port)
        to_other = {"backendRefs": [backend("longest-to", 1)]}
        await caller.fleet.put(
            "longest-route", http_route("longest-split", external("longest"), under("/", "all", **to_other))
        )
        bucket = {"requests": 1, "burst": 1}
        await caller.fleet.put(
            "longest-limits",
            limit(
                "of-route", route_target("longest-split", "all"), {"name": "short", **bucket, "per": "10s"}
            ),
            limit("of-other", external("longest-to"), {"name": "long", **bucket, "per": "10m"}),
        )
        assert (await caller.get("longest")).status == 200
        told = refusal(await caller.get("longest"))
        assert told.policy == "test/of-route"
        assert told.retry_after is not None
        assert told.retry_after > MINUTE
