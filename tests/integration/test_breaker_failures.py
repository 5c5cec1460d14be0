"""What a breaker takes for a failure, for a success and for no call at all, judged by what it does next."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.caller import Caller
from tests.support.frames import DATA, END_HEADERS, HEADERS, PREFACE, SETTINGS, frame, receive
from tests.support.grpcapp import ECHO, FAIL, call, grpc_app
from tests.support.listening import listening
from tests.support.ports import free_port
from tests.support.rawclient import RawClient
from tests.support.readiness import Condition, that, until
from tests.support.refusal import reason
from tests.support.upstream import (
    NO_ANSWER,
    OK,
    RESET_IN_BODY,
    Reset,
    Script,
    ScriptedUpstream,
    Send,
    Until,
    response,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = {"base": "1h", "max": "1h", "jitter": 0}
END_STREAM = 0x1
STATUS_200 = b"\x88"  # in HPACK's static table
AT_ONCE = {"trip": {"consecutiveFailures": 1}, "open": OPEN}


@dataclass(frozen=True, slots=True)
class Case:
    """An upstream that answers so, once, what the policy says besides, and what the call brings along."""

    name: str
    script: Script
    breaker: dict[str, Any] = field(default_factory=dict)
    timeouts: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


def status(code: int, **breaker: Any) -> Case:
    name = f"status-{code}-{'-'.join(breaker)}".lower().rstrip("-")
    return Case(name, (Send(response(code)),), breaker)


FAILING: Script = (Send(response(500)),)
FAILURES = [
    *(status(code) for code in (500, 502, 503, 504)),
    status(404, failureOn=["404"]),
    Case("reset", (Reset(),)),
    Case("truncated", RESET_IN_BODY),
    Case("per-try", NO_ANSWER, timeouts={"perTry": "200ms"}),
    Case("request", NO_ANSWER, timeouts={"request": "200ms"}),
]
NO_FAILURES = [
    *(status(code) for code in (200, 404, 429, 501, 505)),
    status(500, failureOn=["404"]),
    Case("callers-deadline", NO_ANSWER, fields={"breakwater_deadline_ms": "100"}),
]


async def next_call(caller: Caller, case: Case) -> str | None:
    """Return the reason, if any, why the call after one that ended as the case says is refused."""
    async with ScriptedUpstream(lambda _: case.script) as upstream:
        rules = {"service": {**AT_ONCE, **case.breaker}}
        await caller.may_call(case.name, upstream.port, breaker=rules, timeouts=case.timeouts)
        with suppress(EOFError):  # of an answer that breaks off
            await caller.get(case.name, **case.fields)
        upstream.answer = lambda _: OK
        return reason(await caller.get(case.name))


def asked(upstream: ScriptedUpstream, count: int) -> Condition:
    return that(lambda: len(upstream.requests) == count)


@pytest.mark.parametrize("case", FAILURES, ids=lambda case: case.name)
async def test_a_failure_opens_the_breaker(caller: Caller, case: Case) -> None:
    assert await next_call(caller, case) == "breaker.open"


@pytest.mark.parametrize("case", NO_FAILURES, ids=lambda case: case.name)
async def test_what_is_no_failure_leaves_it_closed(caller: Caller, case: Case) -> None:
    assert await next_call(caller, case) is None


async def test_a_refused_connection_opens_the_breaker(caller: Caller) -> None:
    await caller.may_call("refused", free_port(), breaker={"service": AT_ONCE})
    answers = [reason(await caller.get("refused")) for _ in range(2)]
    assert answers == ["upstream.connect", "breaker.open"]


async def test_a_client_that_leaves_before_the_answer_made_no_call(caller: Caller) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        await caller.may_call("deserted", upstream.port, breaker={"service": AT_ONCE})
        async with RawClient(caller.sidecar.outbound) as client:
            await client.ask(host="deserted")
            await until(asked(upstream, 1))
        await caller.rests("deserted")
        upstream.answer = lambda _: OK
        assert (await caller.get("deserted")).status == 200


async def test_a_code_in_trailers_opens_the_breaker_and_an_ok_does_not(caller: Caller) -> None:
    async with grpc_app() as app:
        await caller.may_call("rpc", app.port, protocol="GRPC", breaker={"service": AT_ONCE})
        codes = [await call(caller.sidecar.outbound, method, host="rpc") for method in (ECHO, FAIL, ECHO)]
    assert [answer.error.reason if answer.error else None for answer in codes] == [None, None, "breaker.open"]
    assert app.calls.total() == 2


async def test_a_call_that_ends_without_a_code_opens_the_breaker(caller: Caller) -> None:
    async with listening(answer_without_code) as port:
        await caller.may_call("codeless", port, protocol="GRPC", breaker={"service": AT_ONCE})
        answers = [await call(caller.sidecar.outbound, ECHO, host="codeless") for _ in range(2)]
    assert [answer.error.reason if answer.error else None for answer in answers] == [None, "breaker.open"]


async def answer_without_code(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer each call of gRPC with 200 and no trailers."""
    await reader.readexactly(len(PREFACE))
    writer.write(frame(SETTINGS))
    with suppress(EOFError):
        while True:
            kind, stream, _ = await receive(reader)
            if kind == HEADERS:
                writer.write(frame(HEADERS, flags=END_HEADERS, stream=stream, payload=STATUS_200))
                writer.write(frame(DATA, flags=END_STREAM, stream=stream))


async def test_a_probe_that_a_later_stage_refuses_gives_its_place_back(caller: Caller) -> None:
    gate = asyncio.Event()
    async with half_open(caller, "refusing", connectionPool={"maxConnections": 1}) as upstream:
        upstream.answer = lambda _: (Until(gate), *OK)
        async with asyncio.TaskGroup() as tasks:
            probe = tasks.create_task(caller.get("refusing"))
            await until(asked(upstream, 2))
            for _ in range(2):  # the first would have kept the place of the second
                assert reason(await caller.get("refusing")) == "bulkhead.connections"
            gate.set()
        assert (probe.result().status, (await caller.get("refusing")).status) == (200, 200)


async def test_a_probe_whose_client_leaves_gives_its_place_back(caller: Caller) -> None:
    async with half_open(caller, "leaving") as upstream:
        upstream.answer = lambda _: NO_ANSWER
        for count in range(2, 5):
            async with RawClient(caller.sidecar.outbound) as client:
                await client.ask(host="leaving")
                await until(asked(upstream, count))
            await caller.rests("leaving")
        upstream.answer = lambda _: OK
        assert [(await caller.get("leaving")).status for _ in range(3)] == [200] * 3


@asynccontextmanager
async def half_open(caller: Caller, name: str, **spec: Any) -> AsyncIterator[ScriptedUpstream]:
    """Run an upstream whose failure has opened a breaker, until its open time is over; two close it."""
    async with ScriptedUpstream(lambda _: FAILING) as upstream:
        briefly = {"base": "1ms", "jitter": 0}
        rules = {"trip": {"consecutiveFailures": 1}, "open": briefly, "halfOpen": {"successThreshold": 2}}
        patience = {"connect": "500ms", "request": "60s"}
        await caller.may_call(name, upstream.port, breaker={"service": rules}, timeouts=patience, **spec)
        assert (await caller.get(name)).status == 500
        await asyncio.sleep(0.01)  # the open time, which nothing else tells to be over
        yield upstream
