"""An upstream that breaks: the caller gets an error or a visibly short body, and no slot leaks."""

from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from tests.support.caller import Caller
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, call
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import that, until
from tests.support.refusal import refusal
from tests.support.upstream import (
    GARBAGE,
    NO_ANSWER,
    OK,
    RESET_IN_BODY,
    Close,
    Pause,
    Reset,
    Script,
    ScriptedUpstream,
    Send,
    response,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

POLICY: dict[str, Any] = {"bulkhead": {"maxConcurrent": 4}, "timeouts": {"request": "1s"}}
RETRY = {"attempts": 2, "when": ["Reset", "ConnectFailure", "5xx"], "strategy": "Immediate"}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
DRIPPING = (
    Send(response(body=b"x" * 60)[:-60]),
    *(step for _ in range(60) for step in (Send(b"x"), Pause(1))),
)


@dataclass(frozen=True, slots=True)
class Early:
    """A fault before the head of the response, and how the caller hears of it."""

    name: str
    script: Script
    status: int
    reason: str


EARLY = (
    Early("reset", (Reset(),), 502, "upstream.reset"),
    Early("closed", (Close(),), 502, "upstream.reset"),
    Early(
        "reset-in-head", (Send(b"HTTP/1.1 200 OK\r\nContent-"), Pause(0.05), Reset()), 502, "upstream.reset"
    ),
    Early("garbage", GARBAGE, 502, "upstream.protocol"),
    Early("no-answer", NO_ANSWER, 504, "timeout.request"),
)
LATE = {
    "reset-in-body": RESET_IN_BODY,
    "truncated": (Send(response(body=b"x" * 1000)[:-1]), Close()),
    "truncated-chunks": (Send(CHUNKED), Close()),
    "garbage-in-chunks": (Send(CHUNKED + b"zz\r\n"), Pause()),
    "dripping": DRIPPING,
}


@pytest.mark.parametrize("fault", EARLY, ids=[fault.name for fault in EARLY])
async def test_a_fault_before_the_response_is_an_error_with_its_reason(caller: Caller, fault: Early) -> None:
    async with ScriptedUpstream(lambda _: fault.script) as upstream:
        await caller.may_call(fault.name, upstream.port, **POLICY)
        refused = refusal(await caller.get(fault.name))
        assert (refused.status, refused.reason) == (fault.status, fault.reason)
        await whole_again(caller, upstream, fault.name)


async def test_a_refused_connection_is_an_error_with_its_reason(caller: Caller) -> None:
    await caller.may_call("nobody", free_port(), **POLICY)
    refused = refusal(await caller.get("nobody"))
    assert (refused.status, refused.reason) == (503, "upstream.connect")
    await caller.rests("nobody")


@pytest.mark.parametrize(("name", "script"), LATE.items(), ids=LATE)
async def test_a_fault_in_the_body_never_looks_like_a_whole_response(
    caller: Caller, name: str, script: Script
) -> None:
    async with ScriptedUpstream(lambda _: script) as upstream:
        await caller.may_call(name, upstream.port, **POLICY, retry=RETRY)
        assert await whole_response(caller, name) is None
        assert len(upstream.requests) == 1  # nothing is retried after the first byte
        await whole_again(caller, upstream, name)


async def test_a_fault_before_the_response_is_retried_on_a_new_connection(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        upstream.answer = lambda _: OK if len(upstream.requests) == 3 else (Reset(),)
        await caller.may_call("mended", upstream.port, **POLICY, retry=RETRY)
        answer = await caller.get("mended")
        assert (answer.status, answer.text("breakwater-attempts")) == (200, "3")
        assert len(upstream.connections) == 3


async def test_the_last_answer_is_returned_when_tries_run_out(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: (Send(response(503, b"still down")),)) as upstream:
        await caller.may_call("down", upstream.port, **POLICY, retry=RETRY)
        answer = await caller.get("down")
        assert (answer.status, answer.body) == (503, b"still down")
        assert answer.text("breakwater-attempts") == "3"
        assert answer.text("breakwater-retry") == "exhausted"
        assert len(upstream.requests) == 3


@pytest.mark.parametrize("script", [GARBAGE, (Close(),), (Reset(),)], ids=["garbage", "closed", "reset"])
async def test_a_broken_grpc_upstream_is_unavailable_or_internal(
    caller: Caller, script: Script, request: pytest.FixtureRequest
) -> None:
    name = f"rpc-{request.node.callspec.id}"
    async with ScriptedUpstream(lambda _: script) as upstream:
        await caller.may_call(name, upstream.port, protocol="GRPC", **POLICY)
        answer = await call(caller.sidecar.outbound, ECHO, host=name)
        assert answer.code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL}
        await caller.rests(name)


async def whole_response(caller: Caller, name: str) -> Message | None:
    """Return the response, or `None` when the connection ended before it was whole."""
    async with RawClient(caller.sidecar.outbound) as client:
        await client.ask(host=name)
        try:
            return await client.response()
        except EOFError:
            return None


async def whole_again(caller: Caller, upstream: ScriptedUpstream, name: str) -> None:
    """Return once nothing of the fault is left: no slot, no connection; and the next request passes."""
    await caller.rests(name)
    await until(that(lambda: not any(log.is_open for log in upstream.connections)))
    upstream.answer = lambda _: OK
    assert (await caller.get(name)).status == 200
