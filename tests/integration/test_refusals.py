"""A refusal tells one story, by HTTP and gRPC: in the answer, the metric, the access log and `explain`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.commandline import breakwater
from tests.support.documents import backpressure, external, external_service, rate_limit, resilience, service
from tests.support.fleet import named
from tests.support.grpcapp import ECHO, FAIL, HOLD, Answer, GrpcApp, call, grpc_app
from tests.support.mesh import Sidecar
from tests.support.metrics import measured
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.refusal import refusal
from tests.support.upstream import ScriptedUpstream, Send, Until, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROTOCOLS = ("http", "grpc")
HOUR = 3600
JITTER = 1.1  # Retry-After may be up to a tenth later, so that clients do not return all at once


@dataclass(frozen=True, slots=True)
class Told:
    """What a refusal has to say, wherever it is told."""

    name: str
    reason: str
    error: str
    status: int
    code: grpc.StatusCode
    is_time_known: bool = field(kw_only=True)

    def host(self, protocol: str) -> str:
        """Return the service that refuses so, and the name of its policy."""
        return f"{self.name}-{protocol}"


LIMITED = Told(
    "limited",
    "ratelimit.token",
    "http_request_denied",
    429,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    is_time_known=True,
)
BROKEN = Told(
    "broken", "breaker.open", "destination_unavailable", 503, grpc.StatusCode.UNAVAILABLE, is_time_known=True
)
FULL = Told(
    "full", "bulkhead.full", "connection_limit_reached", 503, grpc.StatusCode.UNAVAILABLE, is_time_known=False
)
SHED = Told(
    "shed", "shed.concurrency", "http_request_denied", 503, grpc.StatusCode.UNAVAILABLE, is_time_known=False
)
REFUSALS = (LIMITED, BROKEN, FULL, SHED)
HELD = (FULL, SHED)

each = pytest.mark.parametrize("told", REFUSALS, ids=[told.name for told in REFUSALS])

POLICIES: dict[str, dict[str, Any]] = {
    "broken": {
        "breaker": {"service": {"trip": {"consecutiveFailures": 1}, "open": {"base": "1h", "max": "1h"}}}
    },
    "full": {"bulkhead": {"maxConcurrent": 1, "maxQueue": 0}, "timeouts": {"request": "60s"}},
}
LIMITS = [{"name": "one", "requests": 1, "per": "1h", "burst": 1}]


@dataclass(frozen=True, slots=True)
class Refusing:
    """A caller, and services that refuse: each reason by HTTP and by gRPC."""

    caller: Caller
    callees: dict[str, Sidecar]
    upstreams: dict[str, ScriptedUpstream]
    app: GrpcApp

    def refuser(self, told: Told, protocol: str) -> tuple[Sidecar, str]:
        """Return the sidecar that refuses, and the half of it that does."""
        callee = self.callees.get(told.host(protocol))
        return (callee, "inbound") if callee else (self.caller.sidecar, "outbound")

    @asynccontextmanager
    async def occupied(self, told: Told, protocol: str) -> AsyncIterator[None]:
        """Bring a service to where it refuses the next request."""
        host, port = told.host(protocol), self.caller.sidecar.outbound
        async with RawClient(port) as client, asyncio.TaskGroup() as tasks:
            if protocol == "http":
                await client.ask(host=host)
                if told in HELD:
                    await until(that(lambda: bool(self.upstreams[told.name].requests)))
                else:
                    await client.response()
            elif told in HELD:
                before = self.app.calls["Hold"]
                held = tasks.create_task(call(port, HOLD, host=host, timeout_seconds=60))
                await until(that(lambda: self.app.calls["Hold"] > before))
            else:
                await call(port, FAIL if told is BROKEN else ECHO, host=host)
            yield
            if protocol == "grpc" and told in HELD:
                held.cancel()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def refusing(caller: Caller) -> AsyncIterator[Refusing]:
    async with AsyncExitStack() as running:
        failing = await running.enter_async_context(ScriptedUpstream(lambda _: (Send(response(500)),)))
        held = {
            told.name: await running.enter_async_context(
                ScriptedUpstream(lambda _: (Until(asyncio.Event()),))
            )
            for told in HELD
        }
        well = await running.enter_async_context(ScriptedUpstream())
        app = await running.enter_async_context(grpc_app())
        ports = {"limited-http": well.port, "shed-http": held["shed"].port}
        ports |= dict.fromkeys(("limited-grpc", "shed-grpc"), app.port)
        callees = {
            name: await caller.fleet.join(f"test/{name}", app_port=port, port_name=name.rpartition("-")[2])
            for name, port in ports.items()
        }
        await caller.fleet.put(
            "refusals",
            *(rate_limit(f"limited-{one}", service(f"limited-{one}"), limits=LIMITS) for one in PROTOCOLS),
            *(
                backpressure(f"shed-{one}", service(f"shed-{one}"), concurrency={"limit": 1})
                for one in PROTOCOLS
            ),
            external_service("broken-http", failing.port),
            external_service("full-http", held["full"].port),
            *(external_service(f"{name}-grpc", app.port, protocol="GRPC") for name in POLICIES),
            *(
                resilience(f"{name}-{protocol}", external(f"{name}-{protocol}"), **spec)
                for name, spec in POLICIES.items()
                for protocol in PROTOCOLS
            ),
        )
        yield Refusing(caller, callees, held, app)


@each
async def test_a_refusal_over_http_tells_one_story(refusing: Refusing, told: Told) -> None:
    host = told.host("http")
    async with refusing.occupied(told, "http"):
        refused = refusal(await refusing.caller.get(host))
        assert (refused.status, refused.reason, refused.error) == (told.status, told.reason, told.error)
        assert refused.policy == f"test/{host}"
        assert refused.problem["status"] == told.status
        assert refused.problem["reason"] == told.reason
        if told.is_time_known:
            assert refused.retry_after is not None
            assert 0 < refused.retry_after <= HOUR * 1.2 * JITTER  # a breaker's own jitter is 20 %
        else:
            assert refused.retry_after is None
        await is_counted_and_logged(refusing, told, "http")
        await is_explained(refusing, told, "http")


@each
async def test_a_refusal_over_grpc_tells_one_story(refusing: Refusing, told: Told) -> None:
    host = told.host("grpc")
    async with refusing.occupied(told, "grpc"):
        answer = await call(refusing.caller.sidecar.outbound, ECHO, host=host)
        assert answer.code is told.code
        assert answer.error is not None
        assert answer.error.reason == told.reason
        assert f"test/{host}" in answer.error.metadata.values()
        assert told.reason in str(answer.metadata["proxy-status"])
        says_when(answer, told)
        await is_counted_and_logged(refusing, told, "grpc")
        await is_explained(refusing, told, "grpc")


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
    assert line["limit"] == ("one" if told is LIMITED else None)
    assert line["direction"] == direction


async def is_explained(refusing: Refusing, told: Told, protocol: str) -> None:
    """Check that asking what would happen tells the same, and sends nothing."""
    host, fleet = f"test/{told.host(protocol)}", refusing.caller.fleet
    asked = {"from": named("test/caller"), "to": named(host)}
    answer = await fleet.ask("Explain", asked)
    assert (answer["forwarded"], answer["reason"]) == (False, told.reason)
    printed = await breakwater("explain", "--from", "test/caller", "--to", host, admin=fleet.plane.admin)
    assert printed.code == 0
    assert f"would be refused: {told.reason}" in printed.out
    assert host in printed.out
