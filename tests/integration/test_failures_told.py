"""Failures of calls, and what holds them up, tell one story: in the answer, the metric and the access log."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.grpcapp import ECHO, HOLD, call, grpc_app
from tests.support.metrics import measured
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import until
from tests.support.refusal import refusal
from tests.support.upstream import GARBAGE, NO_ANSWER, Reset, Script, ScriptedUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATE = (504, "http_response_timeout")
AWAY = (503, "destination_unavailable")
CROWDED = (503, "connection_limit_reached")
ONE_TRY = {"attempts": 1, "when": ["Reset"], "strategy": "Immediate"}
NO_BUDGET = {"percent": 0, "minRetryRate": {"count": 0}}
NOBODYS = {"groups": {"gold": {"matchLabels": {"tier": "gold"}}}, "assign": [{"group": "gold"}]}


@dataclass(frozen=True, slots=True)
class Told:
    """What a failure has to say, of a service whose upstream does so and whose policy says so.

    `held` requests are under way before. With `policy` the policy is named, and nobody listens where there is
    no `script`.
    """

    reason: str
    status: int
    error: str
    script: Script = ()
    spec: Mapping[str, Any] = field(default_factory=dict)
    policy: bool = field(default=False, kw_only=True)
    held: int = field(default=0, kw_only=True)

    @property
    def name(self) -> str:
        """The name of the service."""
        return self.reason.replace(".", "-").replace("_", "-")


FAILURES = (
    Told("upstream.connect", 503, "connection_refused"),
    Told("upstream.reset", 502, "connection_terminated", (Reset(),)),
    Told("upstream.protocol", 502, "http_protocol_error", GARBAGE),
    Told("upstream.no_endpoints", *AWAY, NO_ANSWER, {"instanceGroups": {**NOBODYS, "overflow": "Never"}}),
    Told("timeout.request", *LATE, NO_ANSWER, {"timeouts": {"request": "50ms"}}, policy=True),
    Told("timeout.per_try", *LATE, NO_ANSWER, {"timeouts": {"perTry": "50ms"}}, policy=True),
    Told("retry.exhausted", 502, "connection_terminated", (Reset(),), {"retry": ONE_TRY}, policy=True),
    Told(
        "retry.budget",
        502,
        "connection_terminated",
        (Reset(),),
        {"retry": {**ONE_TRY, "budget": NO_BUDGET}},
        policy=True,
    ),
    Told(
        "bulkhead.wait_timeout",
        *CROWDED,
        NO_ANSWER,
        {"bulkhead": {"maxConcurrent": 1, "queueTimeout": "1ms"}},
        policy=True,
        held=1,
    ),
    Told(
        "bulkhead.connections",
        *CROWDED,
        NO_ANSWER,
        {"connectionPool": {"maxConnections": 1}, "timeouts": {"connect": "10ms"}},
        policy=True,
        held=1,
    ),
)


@pytest.mark.parametrize("told", FAILURES, ids=[told.reason for told in FAILURES])
async def test_a_failure_over_http_tells_one_story(caller: Caller, told: Told) -> None:
    async with AsyncExitStack() as stack:
        port = free_port()
        if told.script:
            upstream = await stack.enter_async_context(ScriptedUpstream(lambda _: told.script))
            port = upstream.port
        await caller.may_call(told.name, port, **told.spec)
        for _ in range(told.held):
            client = await stack.enter_async_context(RawClient(caller.sidecar.outbound))
            await client.ask(host=told.name)
            await until(
                measured(caller.sidecar.http, "breakwater_inflight", told.held, service=f"test/{told.name}")
            )
        refused = refusal(await caller.get(told.name))
    assert (refused.status, refused.reason, refused.error) == (told.status, told.reason, told.error)
    assert (refused.problem["status"], refused.problem["reason"]) == (told.status, told.reason)
    assert (refused.policy, refused.retry_after) == (f"test/{told.name}" if told.policy else None, None)
    await is_counted_and_logged(caller, told.name, told.reason, has_policy=told.policy)


GRPC_FAILURES: tuple[tuple[str, Mapping[str, Any], bool, grpc.StatusCode], ...] = (
    ("upstream.connect", {}, False, grpc.StatusCode.UNAVAILABLE),
    ("timeout.request", {"timeouts": {"request": "100ms"}}, True, grpc.StatusCode.DEADLINE_EXCEEDED),
    ("timeout.per_try", {"timeouts": {"perTry": "100ms"}}, True, grpc.StatusCode.DEADLINE_EXCEEDED),
    (
        "upstream.no_endpoints",
        {"instanceGroups": {**NOBODYS, "overflow": "Never"}},
        False,
        grpc.StatusCode.UNAVAILABLE,
    ),
)


@pytest.mark.parametrize(
    ("reason", "spec", "has_policy", "code"), GRPC_FAILURES, ids=[each[0] for each in GRPC_FAILURES]
)
async def test_a_failure_over_grpc_tells_one_story(
    caller: Caller, reason: str, spec: Mapping[str, Any], has_policy: bool, code: grpc.StatusCode
) -> None:
    name = f"grpc-{reason.replace('.', '-').replace('_', '-')}"
    async with grpc_app() as app:
        port = free_port() if reason == "upstream.connect" else app.port
        await caller.may_call(name, port, protocol="GRPC", **spec)
        method = HOLD if reason.startswith("timeout") else ECHO
        answer = await call(caller.sidecar.outbound, method, host=name, timeout_seconds=None)
    assert answer.code is code
    assert answer.error is not None
    assert answer.error.reason == reason
    assert answer.error.metadata == ({"policy": f"test/{name}"} if has_policy else {})
    assert f'details="{reason}' in str(answer.metadata["proxy-status"])
    assert (answer.retry, answer.metadata.get("grpc-retry-pushback-ms")) == (None, None)
    await is_counted_and_logged(caller, name, reason, has_policy=has_policy)


async def is_counted_and_logged(caller: Caller, name: str, reason: str, *, has_policy: bool) -> None:
    """Check the metric and the line of the one call that failed so."""
    labels = {"direction": "outbound", "service": f"test/{name}", "reason": reason}
    await until(measured(caller.sidecar.http, "breakwater_requests_total", 1, **labels))
    line = await accesslog.line(caller.sidecar.process, reason=reason, dst=f"test/{name}")
    assert line["policy"] == (f"test/{name}" if has_policy else None)
    assert (line["direction"], line["limit"]) == ("outbound", None)
