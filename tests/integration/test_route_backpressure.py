"""What stands in front of an application for the requests of a route or of a rule, on live traffic."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.support.callee import NAME, Callee, called
from tests.support.commandline import breakwater
from tests.support.documents import backpressure, http_route, rate_limit, service
from tests.support.fleet import named
from tests.support.governed import route_target, under
from tests.support.metrics import measured
from tests.support.rawclient import fetch
from tests.support.readiness import Condition, that, until
from tests.support.refusal import reason, refusal
from tests.support.upstream import OK, Until

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMIT_RATE = "breakwater-admit-rate"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def callee(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callee]:
    async with called(tmp_path_factory.mktemp("callee")) as running:
        api = http_route("api", service(NAME), under("/get", "get"), under("/put", "put"))
        await running.fleet.put("routes", api, http_route("web", service(NAME), under("/")))
        yield running


def held(callee: Callee) -> asyncio.Event:
    """Have the application answer nobody until the event is set."""
    gate = asyncio.Event()
    callee.app.answer = lambda _: (Until(gate), *OK)
    callee.app.forget()
    return gate


async def arrived(callee: Callee, count: int) -> None:
    """Return once so many requests came to the application."""
    await until(that(lambda: len(callee.app.requests) == count))


async def waiting(callee: Callee, route: str, count: int) -> None:
    """Return once so many requests of a route wait."""
    await until(measured(callee.sidecar.http, "breakwater_queue_depth", count, route=route))


async def test_a_rule_and_its_route_have_queues_of_their_own(callee: Callee) -> None:
    asker = await callee.fleet.join("test/asker", app_port=callee.app.port)
    assert (await fetch(asker.outbound, "/", host=NAME)).status == 200
    await callee.admits(concurrency={"limit": 1})
    await callee.fleet.put(
        "of-routes",
        backpressure("of-route", route_target("api"), concurrency={"limit": 2}),
        backpressure("of-rule", route_target("api", "get"), queue={"capacity": 1}),
    )
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls, path) for path in ("/get/1", "/get/2", "/put/1", "/put/2", "/")]
        await arrived(callee, 5)
        clients.append(await callee.ask(calls, "/get/3"))
        await waiting(callee, "test/api/get", 1)

        for path, why, policy in (
            ("/get/4", "queue.full", "test/of-rule"),
            ("/put/3", "shed.concurrency", "test/of-route"),
            ("/", "shed.concurrency", "test/callee"),
        ):
            refused = refusal(await callee.get(path))
            assert (refused.status, refused.reason, refused.policy) == (503, why, policy)
        ends = ("--from", "test/asker", "--to", "test/callee")
        told = await breakwater("explain", *ends, "--path", "/get/5", admin=callee.fleet.plane.admin)
        assert "2 of 2 running, 1 of 1 waiting" in told.out

        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 6
    assert len(callee.app.requests) == 6
    await callee.rests()
    page = await callee.measures()
    shed = {
        route: page.total("breakwater_shed_total", service="test/callee", route=route)
        for route in ("", "test/api", "test/api/get")
    }
    assert shed == {"": 1, "test/api": 1, "test/api/get": 1}
    assert page.total("breakwater_concurrency_limit", route="test/api/get") == 2, "what the route says"
    described = await breakwater("describe", "route", "test/api", admin=callee.fleet.plane.admin)
    rows = [" ".join(line.split()) for line in described.out.splitlines()]
    assert "rule api/get queue.capacity 1 BackpressurePolicy test/of-rule (Rule)" in rows
    assert "rule api/get concurrency.limit 2 BackpressurePolicy test/of-route (Route)" in rows
    assert "route api concurrency.limit 2 BackpressurePolicy test/of-route (Route)" in rows
    shown = await breakwater("proxy-config", "routes", admin=callee.fleet.plane.admin)
    rows = [" ".join(line.split()) for line in shown.out.splitlines()]
    of_get = (
        "test/callee inbound test/api/get /get* test/callee x1 BackpressurePolicy test/of-rule (backpressure)"
    )
    assert any(row.startswith(of_get) for row in rows)
    await callee.fleet.remove("of-routes")


async def test_a_rule_of_which_only_classes_are_said_has_the_queue_of_all(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 1}, queue={"capacity": 1})
    critical = [{"criticality": "critical", "match": [{"path": {"prefix": "/"}}]}]
    await callee.fleet.put("classed", backpressure("classed", route_target("api", "put"), classes=critical))
    gate = held(callee)
    async with AsyncExitStack() as calls:
        first = await callee.ask(calls, "/get/1")
        await arrived(callee, 1)
        plain = await callee.ask(calls, "/")
        await callee.waiting(1)
        put = await callee.ask(calls, "/put/1")
        assert reason(await plain.response()) == "shed.class"
        gate.set()
        assert [(await client.response()).status for client in (first, put)] == [200, 200]
    await callee.rests()
    await callee.fleet.remove("classed")


async def test_without_the_policy_of_a_route_all_is_as_before_it(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 1})
    own = backpressure("alone", route_target("api"), concurrency={"limit": 2})
    await callee.fleet.put("alone", own)
    gate = held(callee)
    async with AsyncExitStack() as calls:
        before = [await callee.ask(calls, path) for path in ("/get/1", "/")]
        await arrived(callee, 2)
        await callee.fleet.remove("alone")
        assert reason(await callee.get("/get/2")) == "shed.concurrency"
        gate.set()
        assert [(await client.response()).status for client in before] == [200, 200]
        assert (await callee.get("/get/3")).status == 200
    await callee.rests()


async def test_in_shadow_a_route_has_a_queue_that_only_reports(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 3})
    tried = backpressure("tried", route_target("api", "get"), concurrency={"limit": 1}, mode="Shadow")
    await callee.fleet.put("tried", tried)
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls, path) for path in ("/get/1", "/get/2", "/put/1")]
        await arrived(callee, 3)
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 3
    await callee.rests()
    page = await callee.measures()
    assert page.total("breakwater_shadow_shed_total", route="test/api/get") == 1
    assert page.total("breakwater_shadow_shed_total") == 1
    await callee.fleet.remove("tried")


async def test_an_adaptive_limit_of_a_route_follows_the_queue_of_that_route(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 9}, queue={"capacity": 4})
    adaptive = {"min": 10, "max": 200, "target": {"queuePercent": 25}}
    figure = [{"name": "moving", "concurrency": 100, "adaptive": adaptive}]
    await callee.fleet.put(
        "moving",
        backpressure("narrow", route_target("api", "get"), concurrency={"limit": 1}, queue={"capacity": 4}),
        rate_limit("of-get", route_target("api", "get"), limits=figure),
        rate_limit("of-put", route_target("api", "put"), limits=figure),
        rate_limit("of-all", service(NAME), limits=figure),
    )
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls, f"/get/{number}") for number in range(4)]
        await waiting(callee, "test/api/get", 3)
        await until(moved(callee), timeout_seconds=60)
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 4
    await callee.rests()
    await callee.fleet.remove("moving")


def moved(callee: Callee) -> Condition:
    """Return the condition that the limit of the rule whose queue is full fell, and the others rose."""

    async def holds() -> bool:
        answer = await callee.fleet.ask("ListLimits", {"service": named("test/callee")})
        figures = {one["limit"]["policy"]["name"]: int(one["limit"]["capacity"]) for one in answer["limits"]}
        return figures["of-get"] < 100 < min(figures["of-put"], figures["of-all"])

    return holds


async def test_what_is_throttled_of_a_route_is_told_to_nobody(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 9})
    throttle = {"capacity": 4, "mode": "Throttle", "throttleFrom": 25}
    own = backpressure("throttled", route_target("api", "get"), concurrency={"limit": 1}, queue=throttle)
    await callee.fleet.put("throttled", own)
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls, "/get/1")]
        await arrived(callee, 1)
        for count in (1, 2):
            clients.append(await callee.ask(calls, "/get/2"))
            await waiting(callee, "test/api/get", count)
        refused = await callee.get("/get/3")
        assert (reason(refused), refused.text(ADMIT_RATE)) == ("queue.throttled", None)
        clients.append(await callee.ask(calls, "/put/1"))
        gate.set()
        answers = [await client.response() for client in clients]
    assert [(answer.status, answer.text(ADMIT_RATE)) for answer in answers] == [(200, None)] * 4
    await callee.rests()
    await callee.fleet.remove("throttled")
