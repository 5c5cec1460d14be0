"""Limits, a bulkhead and breakers before one crowd, part of it cut off: counts are exact, no permit lost."""

import asyncio

import pytest

from tests.support.caller import Caller
from tests.support.crowd import LEAVING, STAYING, Crowd
from tests.support.documents import external, external_service, rate_limit, resilience
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, FAIL, HOLD, GrpcApp, grpc_app
from tests.support.metrics import Metrics, measured, scrape
from tests.support.readiness import Condition, that, until
from tests.support.refusal import reason
from tests.support.upstream import OK, ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAIN_CONNECTIONS, RPC_CONNECTIONS = 48, 16
PLAIN_REQUESTS, RPC_REQUESTS = 7_000, 3_000
PLAIN_BURST, RPC_BURST = 4_500, 2_000
RUNNING, WAITING = 8, 16
ENOUGH = 50
PHASE_SECONDS = 60
"""For the slowest machine: what is waited for are refusals, and they come as fast as clients ask."""

RULES = {
    "bulkhead": {"maxConcurrent": RUNNING, "maxQueue": WAITING, "queueTimeout": "60s", "sharedName": "crowd"},
    "breaker": {
        "service": {
            "trip": {"consecutiveFailures": 5},
            "open": {"base": "100ms", "multiplier": 1, "jitter": 0},
            "halfOpen": {"successThreshold": 2},
        }
    },
    "timeouts": {"request": "60s"},
}
REASONS = {
    "ratelimit.token",
    "ratelimit.concurrency",
    "bulkhead.full",
    "breaker.open",
    "breaker.half_open_full",
}
FAILING = (Send(response(500)),)
PLAIN_ANSWERS, RPC_ANSWERS = ("200", "500"), ("OK", "UNAVAILABLE")


@pytest.mark.timeout(300)  # 10,000 requests
async def test_counts_are_exact_and_no_permit_is_lost(caller: Caller) -> None:
    gate = asyncio.Event()
    async with ScriptedUpstream(lambda _: (Until(gate), *OK)) as upstream, grpc_app() as app:
        await govern(caller, upstream, app)
        plain = Crowd(caller.sidecar.outbound, "crowd", iter(range(PLAIN_REQUESTS)), shares_names=True)
        rpc = Crowd(caller.sidecar.outbound, "crowd-rpc", iter(range(RPC_REQUESTS)), method=HOLD)
        async with asyncio.TaskGroup() as visits:
            for place in range(PLAIN_CONNECTIONS):
                visits.create_task(plain.visit(place))
            for place in range(RPC_CONNECTIONS):
                visits.create_task(rpc.visit_rpc(place))
            await until(heard("bulkhead.full", plain, rpc), timeout_seconds=PHASE_SECONDS)
            upstream.answer, rpc.method = lambda _: FAILING, FAIL
            plain.shares_names = False
            gate.set()
            app.release.set()
            await until(heard("breaker.open", rpc), timeout_seconds=PHASE_SECONDS)
            rpc.method = ECHO
            await until(heard("breaker.open", plain), timeout_seconds=PHASE_SECONDS)
            upstream.answer = lambda _: OK
        await rests(caller)
        page = await scrape(caller.sidecar.http)
        assert plain.heard["ratelimit.concurrency"] > 0
        counted(plain, page, PLAIN_REQUESTS, PLAIN_BURST, PLAIN_ANSWERS)
        counted(rpc, page, RPC_REQUESTS, RPC_BURST, RPC_ANSWERS)
        reached(plain, [path_of(request) for request in upstream.requests], PLAIN_ANSWERS)
        reached(rpc, [request.decode() for request in app.requests.elements()], RPC_ANSWERS)
        await every_permit_is_there(caller, upstream)


async def govern(caller: Caller, upstream: ScriptedUpstream, app: GrpcApp) -> None:
    """Put both services under the same bulkhead, and each under limits and a breaker of its own."""
    both = [external("crowd"), external("crowd-rpc")]
    await caller.fleet.put(
        "crowd",
        external_service("crowd", upstream.port),
        external_service("crowd-rpc", app.port, protocol="GRPC"),
        resilience("crowd", *both, **RULES),
    )
    pairs = {"name": "pairs", "concurrency": 1, "by": [{"header": "x-client"}]}
    await caller.fleet.put(
        "crowd-limits",
        *(
            rate_limit(target["name"], target, limits=[{**total(burst), "name": "all"}, pairs])
            for target, burst in zip(both, (PLAIN_BURST, RPC_BURST), strict=True)
        ),
    )


def total(burst: int) -> dict[str, object]:
    return {"requests": 1, "per": "24h", "burst": burst}


def heard(refusal: str, *crowds: Crowd) -> Condition:
    return that(lambda: sum(crowd.heard[refusal] for crowd in crowds) >= ENOUGH)


def path_of(request: Message) -> str:
    return request.start_line.split(b" ")[1].decode()


async def rests(caller: Caller) -> None:
    """Return once nothing is in flight, waits or probes."""
    for name in ("crowd", "crowd-rpc"):
        await caller.rests(name)
        await until(measured(caller.sidecar.http, "breakwater_queue_depth", 0, service=f"test/{name}"))


def counted(crowd: Crowd, page: Metrics, offered: int, burst: int, answers: tuple[str, str]) -> None:
    """Whoever stayed heard one answer; the sidecar counted each, and of those that left at most all."""
    assert crowd.heard.total() + crowd.left == offered
    assert set(crowd.heard) <= {*REASONS, *answers}
    assert all(crowd.heard[one] for one in ("ratelimit.token", *answers))
    assert all(crowd.heard[one] <= requests(page, crowd, reason=one) for one in REASONS)
    every = requests(page, crowd)
    assert crowd.heard.total() <= every <= offered
    assert decisions(page, crowd, limit="all", result="allowed") == burst
    assert every == burst + decisions(page, crowd, result="limited")


def requests(page: Metrics, crowd: Crowd, **labels: str) -> float:
    service = f"test/{crowd.host}"
    return page.total("breakwater_requests_total", direction="outbound", service=service, **labels)


def decisions(page: Metrics, crowd: Crowd, **labels: str) -> float:
    return page.total("breakwater_ratelimit_decisions_total", policy=f"test/{crowd.host}", **labels)


def reached(crowd: Crowd, paths: list[str], answers: tuple[str, str]) -> None:
    """Every answer is that of one request that came through, and nobody who stayed was asked for twice."""
    assert paths.count(STAYING) == sum(crowd.heard[one] for one in answers)
    assert paths.count(LEAVING) <= crowd.left


async def every_permit_is_there(caller: Caller, upstream: ScriptedUpstream) -> None:
    """As many run and wait as ever, and not one more."""
    await caller.fleet.remove("crowd-limits")
    await until(answering(caller, 200))
    upstream.forget()
    gate = asyncio.Event()
    upstream.answer = lambda _: (Until(gate), *OK)
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(caller.get("crowd")) for _ in range(RUNNING + WAITING + 5)]
        await until(that(lambda: sum(call.done() for call in calls) == 5))
        await until(that(lambda: len(upstream.requests) == RUNNING))
        assert [reason(call.result()) for call in calls if call.done()] == ["bulkhead.full"] * 5
        gate.set()
    await rests(caller)


def answering(caller: Caller, status: int) -> Condition:
    async def holds() -> bool:
        return (await caller.get("crowd")).status == status

    return holds
