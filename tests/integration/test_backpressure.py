"""What stands in front of an application, judged by what the scripted application and its clients saw."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support import accesslog
from tests.support.callee import NAME, Callee, called
from tests.support.documents import (
    NAMESPACE,
    Document,
    Target,
    backpressure,
    http_route,
    rate_limit,
    resilience,
    service,
)
from tests.support.fleet import named
from tests.support.framing import Message
from tests.support.governed import route_target, under
from tests.support.metrics import measured
from tests.support.rawclient import RawClient, fetch
from tests.support.readiness import that, until
from tests.support.refusal import reason, refusal
from tests.support.upstream import OK, Until

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = Path(__file__).parent.parent.parent / "docs" / "policies" / "backpressure.md"
CONNECTIONS = 64
REQUESTS = 10_000
PATHS = ("/", "/put", "/get")
CROWDED = (service(NAME), route_target("crowd"), route_target("crowd", "get"))
FLIGHT = 40
LIMITED = {"ratelimit.concurrency", "ratelimit.leaky_full"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def callee(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callee]:
    async with called(tmp_path_factory.mktemp("callee")) as running:
        yield running


def held(callee: Callee) -> asyncio.Event:
    """Have the application answer nobody until the event is set."""
    gate = asyncio.Event()
    callee.app.answer = lambda _: (Until(gate), *OK)
    for log in callee.app.connections:
        log.requests.clear()
    return gate


def path_of(request: Message) -> str:
    return request.start_line.split(b" ")[1].decode()


async def test_a_queue_runs_and_holds_exactly_its_share_and_refuses_the_rest(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 2}, queue={"capacity": 3})
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls, f"/{place}") for place in range(5)]
        await callee.waiting(3)
        refused = refusal(await callee.get())
        assert (refused.status, refused.reason) == (503, "queue.full")
        assert (refused.error, refused.policy) == ("http_request_denied", "test/callee")
        assert refused.retry_after is None
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 5
    assert sorted(map(path_of, callee.app.requests)) == [f"/{place}" for place in range(5)]
    await callee.rests()
    measures = await callee.measures()
    labels = {"service": "test/callee", "priority": "default"}
    assert measures.total("breakwater_admitted_total", **labels) == 5
    assert measures.total("breakwater_shed_total", **labels, reason="queue.full") == 1
    assert measures.total("breakwater_concurrency_limit", service="test/callee") == 2
    assert measures.total("breakwater_queue_capacity", service="test/callee") == 3
    assert measures.total("breakwater_queue_wait_seconds_count", service="test/callee") == 5


async def test_classes_decide_who_goes_first_and_who_makes_room(callee: Callee) -> None:
    job = {"criticality": "background", "match": [{"headers": [{"name": "x-job", "present": True}]}]}
    checkout = {"criticality": "critical", "match": [{"path": {"prefix": "/checkout"}}]}
    await callee.admits(concurrency={"limit": 1}, queue={"capacity": 2}, classes=[checkout, job])
    gate = held(callee)
    async with AsyncExitStack() as calls:
        await callee.ask(calls, "/first")
        await until(that(lambda: len(callee.app.requests) == 1))
        shed = await callee.ask(calls, "/job", **{"x-job": "1", "breakwater-criticality": "critical"})
        await callee.waiting(1)
        plain = await callee.ask(calls, "/plain")
        await callee.waiting(2)
        critical = await callee.ask(calls, "/checkout/7")
        assert reason(await shed.response()) == "shed.class"
        gate.set()
        assert (await critical.response()).status == (await plain.response()).status == 200
    order = [path_of(request) for log in callee.app.connections for request in log.requests]
    assert order == ["/first", "/checkout/7", "/plain"]
    await callee.rests()


async def test_it_is_always_the_user_who_asks_most_that_makes_room(callee: Callee) -> None:
    await callee.admits(
        concurrency={"limit": 1}, queue={"capacity": 3}, fairness={"by": [{"header": "x-user"}]}
    )
    gate = held(callee)
    async with AsyncExitStack() as calls:
        await callee.ask(calls, "/first")
        await until(that(lambda: len(callee.app.requests) == 1))
        greedy = []
        for place in range(3):
            greedy.append(await callee.ask(calls, f"/greedy-{place}", **{"x-user": "greedy"}))
            await callee.waiting(place + 1)
        for user, shed in (("a", greedy[2]), ("b", greedy[1])):
            await callee.ask(calls, f"/{user}", **{"x-user": user, "cookie": f"of={user}"})
            assert reason(await shed.response()) == "shed.fairness"
        again = await callee.ask(calls, "/greedy-3", **{"x-user": "greedy"})
        assert reason(await again.response()) == "queue.full"
        gate.set()
        assert (await greedy[0].response()).status == 200
        await callee.waiting(0)
    order = [path_of(request) for log in callee.app.connections for request in log.requests]
    assert order == ["/first", "/greedy-0", "/a", "/b"]
    await callee.rests()


async def test_a_caller_counts_refusals_for_load_where_its_policy_says_so(callee: Callee) -> None:
    caller = await callee.fleet.join("test/caller", app_port=callee.app.port)
    await callee.admits(concurrency={"limit": 1}, queue={"capacity": 1})
    trips = {"trip": {"consecutiveFailures": 1}, "overloadTrips": True, "overloadOpen": "1h"}
    breaker = resilience("caller", service(NAME), breaker={"service": trips})
    await callee.fleet.put("caller", breaker)
    gate = held(callee)
    async with AsyncExitStack() as calls:
        for _ in range(2):
            await callee.ask(calls)
        await callee.waiting(1)
        assert reason(await fetch(caller.outbound, host=NAME)) == "queue.full"
        assert reason(await fetch(caller.outbound, host=NAME)) == "breaker.open"
        gate.set()
    await callee.rests()


async def test_a_caller_keeps_to_itself_what_a_throttled_peer_does_not_admit(callee: Callee) -> None:
    caller = await callee.fleet.join("test/keeper", app_port=callee.app.port)
    await callee.admits(
        concurrency={"limit": 1}, queue={"capacity": 4, "mode": "Throttle", "throttleFrom": 25}
    )
    gate = held(callee)
    before = len(callee.app.requests)
    async with AsyncExitStack() as calls:
        await callee.ask(calls)
        await until(that(lambda: len(callee.app.requests) == before + 1))
        for waiting in (1, 2):
            await callee.ask(calls)
            await callee.waiting(waiting)
        refused = await callee.get()
        assert reason(refused) == "queue.throttled"
        assert 0 <= float(refused.text("breakwater-admit-rate") or "none") < 1

        async def is_kept() -> bool:
            answer = await fetch(caller.outbound, host=NAME)
            assert answer.text("breakwater-admit-rate") is None
            return reason(answer) == "admission.rate"

        await until(is_kept)
        assert len(callee.app.requests) == before + 1
        gate.set()
    await callee.rests()


async def test_a_policy_in_shadow_tells_what_it_would_refuse(callee: Callee) -> None:
    await callee.admits(mode="Shadow", concurrency={"limit": 1}, queue={"capacity": 1})
    gate = held(callee)
    before = len(callee.app.requests)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls) for _ in range(4)]
        await until(that(lambda: len(callee.app.requests) == before + 4))
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 4
    await until(measured(callee.sidecar.http, "breakwater_shadow_shed_total", 2, reason="queue.full"))
    line = await accesslog.line(callee.sidecar.process, would_refuse="queue.full policy=test/callee")
    assert line["status"] == 200


async def test_without_its_policy_who_waits_or_is_held_goes_on_at_once(callee: Callee) -> None:
    await callee.admits(concurrency={"limit": 1}, queue={"capacity": 1, "mode": "Block", "blockFor": "1h"})
    gate = held(callee)
    async with AsyncExitStack() as calls:
        clients = [await callee.ask(calls) for _ in range(3)]
        await callee.waiting(2)
        assert len(callee.app.requests) == 1
        await callee.fleet.remove(NAME)
        await until(that(lambda: len(callee.app.requests) == 3))
        gate.set()
        assert [(await client.response()).status for client in clients] == [200] * 3
    await callee.rests()


async def test_the_worked_example_of_the_documentation(callee: Callee) -> None:
    example = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    await callee.fleet.write(NAME, example.replace("shop", NAMESPACE).replace("cart", NAME))
    for last, newcomer, outcome in (("/", "/", "queue.full"), ("/job", "/checkout/7", None)):
        gate = held(callee)
        async with AsyncExitStack() as calls:
            for place in range(4):
                await callee.ask(calls, f"/{place}")
            await callee.waiting(2)
            waiting = await callee.ask(calls, last, **({"x-job": "1"} if last == "/job" else {}))
            await callee.waiting(3)
            arriving = await callee.ask(calls, newcomer)
            refused, served = (arriving, waiting) if outcome else (waiting, arriving)
            assert reason(await refused.response()) == (outcome or "shed.class")
            gate.set()
            assert (await served.response()).status == 200
        await callee.rests()


@pytest.mark.parametrize(
    ("mode", "reasons"),
    [
        ({"mode": "DropNewest"}, {None, "queue.full"}),
        ({"mode": "DropOldest", "discipline": "Codel"}, {None, "queue.evicted", "queue.codel"}),
        ({"mode": "Block", "blockFor": "20ms"}, {None, "queue.full", "queue.blocked"}),
        ({"mode": "Buffer", "maxCapacity": 16}, {None, "queue.full"}),
        ({"mode": "Throttle"}, {None, "queue.throttled"}),
    ],
)
async def test_no_permit_is_lost_however_clients_leave(
    callee: Callee, mode: dict[str, object], reasons: set[str | None]
) -> None:
    queue = {"capacity": 8, **mode}
    await callee.admits(concurrency={"limit": 4}, queue=queue)
    await callee.fleet.put("crowd", *of_a_route_and_a_rule(queue), *of_all(*CROWDED))
    callee.app.answer = lambda _: OK
    before = len(callee.app.requests)
    draw = random.Random(7)  # noqa: S311 (no secret)
    seen: Counter[str | None] = Counter()
    share = REQUESTS // 5 // CONNECTIONS
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(ask_and_leave(callee, share, draw, seen))
    await callee.rests()
    assert seen.keys() <= reasons | LIMITED
    assert seen[None] <= len(callee.app.requests) - before <= CONNECTIONS * share
    assert seen.total() > 0
    assert await left(callee, "flight") == {"": FLIGHT, "test/crowd": FLIGHT, "test/crowd/get": FLIGHT}
    assert [(await callee.get(path)).status for path in PATHS] == [200] * len(PATHS)
    await callee.fleet.remove("crowd")


def of_a_route_and_a_rule(queue: dict[str, object]) -> list[Document]:
    """A route and a rule of it with queues of their own; what neither is for has the service's."""
    return [
        http_route("crowd", service(NAME), under("/put"), under("/get", "get")),
        backpressure("crowd", route_target("crowd"), concurrency={"limit": 3}, queue=queue),
        backpressure("crowd-get", route_target("crowd", "get"), concurrency={"limit": 2}),
    ]


def of_all(*targets: Target) -> list[Document]:
    """Limits that many are over, those in flight and those that come, of each of these."""
    line = {"name": "line", "algorithm": "LeakyBucket", "requests": 600, "per": "1s", "queue": 16}
    limits = [{"name": "flight", "concurrency": FLIGHT}, line]
    return [rate_limit(f"crowd-{place}", target, limits=limits) for place, target in enumerate(targets)]


async def left(callee: Callee, limit: str) -> dict[str, int]:
    """Return how much is left of the limit of this name, by route."""
    answer = await callee.fleet.ask("ListLimits", {"service": named("test/callee")})
    found = [one["limit"] for one in answer["limits"]]
    return {one["route"]: int(one["remaining"]) for one in found if one["limit"] == limit}


async def ask_and_leave(callee: Callee, count: int, draw: random.Random, seen: Counter[str | None]) -> None:
    """Ask so often, and leave at a random point of every third exchange."""
    while count > 0:
        with suppress(TimeoutError):
            async with RawClient(callee.sidecar.inbound) as client:
                while count > 0:
                    count -= 1
                    await client.ask(draw.choice(PATHS), host=NAME)
                    if draw.random() < 1 / 3:
                        await asyncio.sleep(draw.random() / 100)
                        client.reset()
                        break
                    seen[reason(await client.response())] += 1
