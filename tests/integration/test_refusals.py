"""A refusal tells one story, by HTTP and gRPC: in the answer, the metric, the access log and `explain`."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.cgroup import Cgroup
from tests.support.commandline import breakwater
from tests.support.documents import (
    Document,
    backpressure,
    external,
    external_service,
    fault,
    rate_limit,
    resilience,
    service,
)
from tests.support.fleet import Fleet, named
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, FAIL, HOLD, Answer, call, grpc_app
from tests.support.mesh import SIDECAR, Sidecar
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, until
from tests.support.refusal import reason, refusal
from tests.support.upstream import ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROTOCOLS = ("http", "grpc")
HOUR = 3600
JITTER = 1.1  # Retry-After may be up to a tenth later, so that clients do not return all at once


@dataclass(frozen=True, slots=True)
class Told:
    """What a refusal has to say, wherever it is told.

    `held` requests have to be under way for the next one to be refused; without any, one has to be answered,
    unless it refuses `from_the_start`.
    """

    name: str
    reason: str
    error: str
    status: int
    code: grpc.StatusCode
    is_time_known: bool = field(default=False, kw_only=True)
    held: int = field(default=0, kw_only=True)
    is_foreseen: bool = field(default=True, kw_only=True)
    from_the_start: bool = field(default=False, kw_only=True)

    def host(self, protocol: str) -> str:
        """Return the service that refuses so, and the name of its policy."""
        return f"{self.name}-{protocol}"


LIMITED = ("http_request_denied", 429, grpc.StatusCode.RESOURCE_EXHAUSTED)
SHORT = ("http_request_denied", 503, grpc.StatusCode.UNAVAILABLE)
AWAY = ("destination_unavailable", 503, grpc.StatusCode.UNAVAILABLE)
CROWDED = ("connection_limit_reached", 503, grpc.StatusCode.UNAVAILABLE)
REHEARSAL = ("proxy_internal_response", 503, grpc.StatusCode.UNAVAILABLE)
REFUSALS = (
    Told("limited", "ratelimit.token", *LIMITED, is_time_known=True),
    Told("leaky", "ratelimit.leaky_full", *LIMITED, is_time_known=True),
    Told("fixed", "ratelimit.fixed", *LIMITED, is_time_known=True),
    Told("log", "ratelimit.sliding_log", *LIMITED, is_time_known=True),
    Told("window", "ratelimit.sliding_window", *LIMITED, is_time_known=True),
    Told("places", "ratelimit.concurrency", *LIMITED, held=1),
    Told("strained", "ratelimit.resource", *SHORT, from_the_start=True),
    Told("broken", "breaker.open", *AWAY, is_time_known=True),
    Told("full", "bulkhead.full", *CROWDED, held=1),
    Told("rehearsed", "fault.injected", *REHEARSAL, from_the_start=True),
    Told("shed", "shed.concurrency", *SHORT, held=1),
    Told("queued", "queue.full", *SHORT, held=2),
    Told("throttled", "queue.throttled", *SHORT, held=3),
    Told("blocked", "queue.blocked", *SHORT, held=2, is_foreseen=False),
)

each = pytest.mark.parametrize("told", REFUSALS, ids=[told.name for told in REFUSALS])

# A command takes a second, and prints every reason alike: one that the callee gives, and one of the caller.
PRINTED = {"ratelimit.token", "breaker.open"}

# What refuses, by the name of its service.
CALLED: dict[str, dict[str, Any]] = {
    "broken": {
        "breaker": {"service": {"trip": {"consecutiveFailures": 1}, "open": {"base": "1h", "max": "1h"}}}
    },
    "kept": {"admissionControl": {"maxRejectPercent": 100}},
    "evicted": {"timeouts": {"request": "60s"}},
    "full": {"bulkhead": {"maxConcurrent": 1, "maxQueue": 0}, "timeouts": {"request": "60s"}},
}
HOURLY = {"requests": 1, "per": "1h"}
LIMITS: dict[str, dict[str, Any]] = {
    "limited": {**HOURLY, "burst": 1},
    "leaky": {**HOURLY, "algorithm": "LeakyBucket"},
    "fixed": {**HOURLY, "algorithm": "FixedWindow", "aligned": False},
    "log": {**HOURLY, "algorithm": "SlidingLog"},
    "window": {"requests": 1, "per": "30m", "algorithm": "SlidingWindow"},  # it remembers twice as long
    "places": {"concurrency": 1},
    "strained": {"resource": {"memoryPercent": {"enter": 90}}},
    "evicted": {
        "requests": 1,
        "per": "30s",
        "algorithm": "LeakyBucket",
        "queue": 1,
        "maxWait": "1m",
        "evict": "Oldest",
    },
}
# What is no request, by the status that it is refused with.
HEAD = b"Host: nobody\r\nContent-Length: 1\r\n"
INVALID = {
    400: b"POST  / HTTP/1.1\r\n" + HEAD,
    414: b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HEAD,
    417: b"POST / HTTP/1.1\r\nExpect: tea\r\n" + HEAD,
    431: b"POST / HTTP/1.1\r\n" + b"x-many: 1\r\n" * 200 + HEAD,
    501: b"POST / HTTP/1.1\r\nHost: nobody\r\nTransfer-Encoding: gzip\r\n",
    505: b"POST / HTTP/3.0\r\n" + HEAD,
}
# Limits of members; all others are those of callers.
OWN = ("limited", "strained")
REHEARSED: dict[str, dict[str, Any]] = {"rehearsed": {"abort": {"status": 503}}}
QUEUES: dict[str, dict[str, Any]] = {
    "shed": {},
    "queued": {"queue": {"capacity": 1}},
    "throttled": {"queue": {"capacity": 4, "mode": "Throttle", "throttleFrom": 25}},
    "blocked": {"queue": {"capacity": 1, "mode": "Block", "blockFor": "1ms"}},
}
# Who waits and is refused when somebody comes to `/newcomer`: the last one of a full queue.
LOST: dict[str, dict[str, Any]] = {
    "queue.evicted": {"queue": {"capacity": 1, "mode": "DropOldest"}},
    "shed.class": {
        "queue": {"capacity": 1},
        "classes": [{"criticality": "critical", "match": [{"path": {"prefix": "/newcomer"}}]}],
    },
    "shed.fairness": {"queue": {"capacity": 2}, "fairness": {"by": [{"path": True}]}},
}


@dataclass(frozen=True, slots=True)
class Refusing:
    """A caller, and services that refuse: each reason by HTTP and by gRPC."""

    caller: Caller
    callees: dict[str, Sidecar]

    def refuser(self, told: Told, protocol: str) -> tuple[Sidecar, str]:
        """Return the sidecar that refuses, and the half of it that does."""
        callee = self.callees.get(told.host(protocol))
        return (callee, "inbound") if callee else (self.caller.sidecar, "outbound")

    @asynccontextmanager
    async def occupied(self, told: Told, protocol: str) -> AsyncIterator[None]:
        """Bring a service to where it refuses the next request."""
        port = self.caller.sidecar.outbound
        async with AsyncExitStack() as under_way:
            for place in range(told.held):
                await under_way.enter_async_context(holding(port, protocol, told.host(protocol)))
                await self.stands(told, protocol, waiting=place)
            if not told.held and not told.from_the_start:
                await self.used(told, protocol)
            yield

    async def used(self, told: Told, protocol: str) -> None:
        """Return once a service has answered one request, which was all it admits."""
        host = told.host(protocol)
        if protocol == "http":
            await self.caller.get(host)
        else:
            await call(self.caller.sidecar.outbound, FAIL if told.name == "broken" else ECHO, host=host)

    async def rests(self, told: Told, protocol: str) -> None:
        """Return once nothing is under way."""
        refuser, _ = self.refuser(told, protocol)
        await until(measured(refuser.http, "breakwater_inflight", 0))

    async def stands(self, told: Told, protocol: str, *, waiting: int) -> None:
        """Return once one request runs, and so many wait behind it."""
        refuser, direction = self.refuser(told, protocol)
        labels = {"direction": direction, "service": f"test/{told.host(protocol)}"}
        await until(measured(refuser.http, "breakwater_inflight", waiting + 1, **labels))
        if direction == "inbound":
            await until(measured(refuser.http, "breakwater_queue_depth", waiting))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def refusing(caller: Caller) -> AsyncIterator[Refusing]:
    async with AsyncExitStack() as running:
        failing = await running.enter_async_context(ScriptedUpstream(lambda _: (Send(response(500)),)))
        held = await running.enter_async_context(ScriptedUpstream(lambda _: (Until(asyncio.Event()),)))
        well = await running.enter_async_context(ScriptedUpstream())
        app = await running.enter_async_context(grpc_app())
        ports = {"limited-http": well.port, "lost-http": held.port}
        ports |= {f"{name}-http": held.port for name in QUEUES}
        ports["strained-http"] = well.port
        ports |= {f"{name}-grpc": app.port for name in (*OWN, *QUEUES)}
        cgroup = Cgroup(caller.fleet.scratch / "cgroup")
        cgroup.memory(95)
        callees = {name: await join(caller.fleet, name, port, cgroup) for name, port in ports.items()}
        outside = {name: well.port for name in {**LIMITS, **REHEARSED} if name not in OWN}
        outside |= {"broken": failing.port, "kept": failing.port, "full": held.port, "places": held.port}
        await caller.fleet.put(
            "refusals",
            *(external_service(f"{name}-http", port) for name, port in outside.items()),
            *(external_service(f"{name}-grpc", app.port, protocol="GRPC") for name in outside),
            *(
                policy
                for name in {**CALLED, **LIMITS, **QUEUES, **REHEARSED}
                for protocol in PROTOCOLS
                for policy in policies(name, f"{name}-{protocol}")
            ),
        )
        for protocol in PROTOCOLS:
            await until(strained(caller.fleet, f"strained-{protocol}"))
        yield Refusing(caller, callees)


async def join(fleet: Fleet, name: str, port: int, cgroup: Cgroup) -> Sidecar:
    """Start the sidecar of a service whose name ends with its protocol."""
    program = (*SIDECAR, *cgroup.flags)
    return await fleet.join(f"test/{name}", app_port=port, port_name=name.rpartition("-")[2], program=program)


def strained(fleet: Fleet, name: str) -> Condition:
    """Return the condition that a service knows what it uses."""

    async def holds() -> bool:
        answer = await fleet.ask("ListLimits", {"service": named(f"test/{name}")})
        return any(int(one["limit"]["remaining"]) < 10 for one in answer["limits"])

    return holds


def policies(name: str, host: str) -> Iterator[Document]:
    """Return the policies of one service, which refuses as its name says."""
    if name in CALLED:
        yield resilience(host, external(host), **CALLED[name])
    if name in REHEARSED:
        yield fault(host, external(host), **REHEARSED[name])
    if name in QUEUES:
        yield backpressure(host, service(host), concurrency={"limit": 1}, **QUEUES[name])
    if name in LIMITS:
        target = service(host) if name in OWN else external(host)
        yield rate_limit(host, target, limits=[{"name": "one", **LIMITS[name]}])


@asynccontextmanager
async def holding(port: int, protocol: str, host: str) -> AsyncIterator[None]:
    """Have a request under way, which is cut off in the end."""
    if protocol == "http":
        async with RawClient(port) as client:
            await client.ask(host=host)
            yield
        return
    async with asyncio.TaskGroup() as tasks:
        held = tasks.create_task(call(port, HOLD, host=host, timeout_seconds=60))
        yield
        held.cancel()


@each
async def test_a_refusal_over_http_tells_one_story(refusing: Refusing, told: Told) -> None:
    async with refusing.occupied(told, "http"):
        is_told(await refusing.caller.get(told.host("http")), told)
        await is_counted_and_logged(refusing, told, "http")
        if told.is_foreseen:
            await is_explained(refusing, told, "http")


@pytest.mark.parametrize("word", LOST)
async def test_who_is_refused_while_it_waits_is_told_the_same_story(refusing: Refusing, word: str) -> None:
    waits = LOST[word]["queue"]["capacity"]
    told, port = Told("lost", word, *SHORT), refusing.caller.sidecar.outbound
    host = told.host("http")
    queue = backpressure(host, service(host), concurrency={"limit": 1}, **LOST[word])
    await refusing.caller.fleet.put("lost", queue)
    await refusing.rests(told, "http")
    async with AsyncExitStack() as under_way:
        for place in range(1 + waits):
            waiting = await under_way.enter_async_context(RawClient(port))
            await waiting.ask(host=host)
            await refusing.stands(told, "http", waiting=place)
        newcomer = await under_way.enter_async_context(RawClient(port))
        await newcomer.ask("/newcomer", host=host)
        is_told(await waiting.response(), told)
        await is_counted_and_logged(refusing, told, "http")


async def test_who_is_evicted_from_the_line_of_a_limit_is_told_the_same_story(refusing: Refusing) -> None:
    told = Told("evicted", "ratelimit.leaky_evicted", *LIMITED, is_time_known=True)
    host, port = told.host("http"), refusing.caller.sidecar.outbound
    await refusing.used(told, "http")
    await refusing.rests(told, "http")
    async with RawClient(port) as waiting, RawClient(port) as newcomer:
        await waiting.ask(host=host)
        await refusing.stands(told, "http", waiting=0)
        await newcomer.ask(host=host)
        is_told(await waiting.response(), told)
        await is_counted_and_logged(refusing, told, "http")


async def test_a_call_that_is_kept_back_tells_one_story(refusing: Refusing) -> None:
    told, port = Told("kept", "admission.rate", *SHORT), refusing.caller.sidecar.outbound
    while reason(answer := await refusing.caller.get(told.host("http"))) != told.reason:
        assert answer.status == 500
    is_told(answer, told)
    await is_counted_and_logged(refusing, told, "http")
    while (said := await call(port, FAIL, host=told.host("grpc"))).error is None:
        assert said.code is grpc.StatusCode.UNAVAILABLE
    is_told_by_grpc(said, told)
    await is_counted_and_logged(refusing, told, "grpc")


@pytest.mark.parametrize("status", INVALID)
async def test_what_is_no_request_is_told_the_same_story(refusing: Refusing, status: int) -> None:
    sidecar = refusing.callees["limited-http"]
    for direction, port in (("inbound", sidecar.inbound), ("outbound", sidecar.outbound)):
        async with RawClient(port) as client:
            await client.send(INVALID[status] + b"\r\n")
            refused = refusal(await client.response())
        told = ("protocol.invalid", "http_request_error", status)
        assert (refused.reason, refused.error, refused.status) == told
        assert (refused.problem["reason"], refused.problem["status"]) == (refused.reason, status)
        assert (refused.policy, refused.retry_after) == (None, None)
        line = await accesslog.line(
            sidecar.process, reason="protocol.invalid", status=status, direction=direction
        )
        assert (line["policy"], line["limit"]) == (None, None)


@each
async def test_a_refusal_over_grpc_tells_one_story(refusing: Refusing, told: Told) -> None:
    host = told.host("grpc")
    async with refusing.occupied(told, "grpc"):
        is_told_by_grpc(await call(refusing.caller.sidecar.outbound, ECHO, host=host), told)
        await is_counted_and_logged(refusing, told, "grpc")
        if told.is_foreseen:
            await is_explained(refusing, told, "grpc")


def is_told(answer: Message, told: Told) -> None:
    """Check the header and the body of an answer by HTTP."""
    refused = refusal(answer)
    assert (refused.status, refused.reason, refused.error) == (told.status, told.reason, told.error)
    assert refused.policy == f"test/{told.host('http')}"
    assert refused.problem["status"] == told.status
    assert refused.problem["reason"] == told.reason
    if told.is_time_known:
        assert refused.retry_after is not None
        assert 0 < refused.retry_after <= HOUR * 1.2 * JITTER  # a breaker's own jitter is 20 %
    else:
        assert refused.retry_after is None


def is_told_by_grpc(answer: Answer, told: Told) -> None:
    """Check the status, its details and the trailers of an answer by gRPC."""
    assert answer.code is told.code
    assert answer.error is not None
    assert answer.error.reason == told.reason
    assert f"test/{told.host('grpc')}" in answer.error.metadata.values()
    assert told.reason in str(answer.metadata["proxy-status"])
    says_when(answer, told)


def says_when(answer: Answer, told: Told) -> None:
    """Check that the time of a retry is told twice alike, or not at all."""
    pushback = answer.metadata.get("grpc-retry-pushback-ms")
    if not told.is_time_known:
        assert (pushback, answer.retry) == (None, None)
        return
    assert pushback is not None
    assert answer.retry is not None
    assert int(pushback) > 0
    assert answer.retry.retry_delay.ToMilliseconds() == int(pushback)


async def is_counted_and_logged(refusing: Refusing, told: Told, protocol: str) -> None:
    """Check the metric and the access log of the sidecar that refused."""
    refuser, direction = refusing.refuser(told, protocol)
    host = told.host(protocol)
    labels = {"direction": direction, "service": f"test/{host}", "reason": told.reason}
    await until(measured(refuser.http, "breakwater_requests_total", 1, **labels))
    line = await accesslog.line(refuser.process, reason=told.reason, dst=f"test/{host}")
    assert line["policy"] == f"test/{host}"
    assert line["limit"] == ("one" if told.reason.startswith("ratelimit.") else None)
    assert line["direction"] == direction


async def is_explained(refusing: Refusing, told: Told, protocol: str) -> None:
    """Check that asking what would happen tells the same, and sends nothing."""
    host, fleet = f"test/{told.host(protocol)}", refusing.caller.fleet
    asked = {"from": named("test/caller"), "to": named(host)}
    answer = await fleet.ask("Explain", asked)
    assert (answer["forwarded"], answer["reason"]) == (False, told.reason)
    if told.reason not in PRINTED:
        return
    printed = await breakwater("explain", "--from", "test/caller", "--to", host, admin=fleet.plane.admin)
    assert printed.code == 0
    assert f"would be refused: {told.reason}" in printed.out
    assert host in printed.out
