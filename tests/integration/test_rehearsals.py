"""FaultPolicies, judged by what the caller got and what the upstream saw."""

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic

import grpc
import pytest

from tests.support import accesslog
from tests.support.caller import Caller
from tests.support.documents import API_VERSION, external, external_service, fault, resilience
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, call, grpc_app
from tests.support.metrics import measured, scrape
from tests.support.readiness import until
from tests.support.refusal import reason, refusal
from tests.support.upstream import ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

KIB = 1024
DELAY = 0.2
MARK = "breakwater-fault"


async def rehearse(caller: Caller, name: str, port: int, *, protocol: str = "HTTP", **spec: object) -> None:
    """Add an external service, called by its name, and a FaultPolicy of that name for it."""
    await caller.fleet.put(
        name, external_service(name, port, protocol=protocol), fault(name, external(name), **spec)
    )


def marks(answer: Message) -> str | None:
    return answer.text(MARK)


async def test_an_abort_answers_in_the_upstreams_place_and_is_told_as_one(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "aborted", upstream.port, abort={"status": 500})
        answer = await caller.get("aborted")
        told = refusal(answer)
        assert (told.status, told.reason, told.error) == (500, "fault.injected", "proxy_internal_response")
        assert (told.policy, marks(answer)) == ("test/aborted", 'abort;policy="test/aborted"')
        assert upstream.requests == ()
    labels = {"policy": "test/aborted", "fault": "abort", "result": "injected"}
    await until(measured(caller.sidecar.http, "breakwater_faults_total", 1, **labels))


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, grpc.StatusCode.INTERNAL),
        (401, grpc.StatusCode.UNAUTHENTICATED),
        (404, grpc.StatusCode.UNIMPLEMENTED),
        (429, grpc.StatusCode.UNAVAILABLE),
        (500, grpc.StatusCode.UNKNOWN),
        (504, grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_grpc_call_is_aborted_with_the_status_its_clients_make_of_it(
    caller: Caller, status: int, code: grpc.StatusCode
) -> None:
    async with grpc_app() as app:
        await rehearse(caller, "aborted-grpc", app.port, protocol="GRPC", abort={"status": status})
        answer = await call(caller.sidecar.outbound, ECHO, host="aborted-grpc")
    assert answer.code is code
    assert answer.error is not None
    assert answer.error.reason == "fault.injected"
    assert answer.metadata[MARK] == 'abort;policy="test/aborted-grpc"'


async def test_a_delay_holds_the_request_and_the_answer_says_so(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "delayed", upstream.port, delay="200ms")
        began = monotonic()
        answer = await caller.get("delayed")
        assert monotonic() - began >= DELAY
    assert (answer.status, marks(answer), reason(answer)) == (200, 'delay;policy="test/delayed"', None)


async def test_the_access_log_has_the_letters_of_what_was_done(caller: Caller) -> None:
    log = {"apiVersion": API_VERSION, "kind": "Mesh", "metadata": {"name": "default"}}
    await caller.fleet.put("all", {**log, "spec": {"telemetry": {"accessLog": {"mode": "All"}}}})
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "lettered", upstream.port, delay="1ms")
        assert (await caller.get("lettered")).status == 200
        delayed = await accesslog.line(caller.sidecar.process, dst="test/lettered", status=200)
        await rehearse(caller, "lettered", upstream.port, delay="1ms", abort={"status": 418})
        answer = await caller.get("lettered")
        aborted = await accesslog.line(caller.sidecar.process, dst="test/lettered", status=418)
    await caller.fleet.remove("all")
    assert [one["flags"] for one in (delayed, aborted)] == ["DI", "DI,FI"]
    assert refusal(answer).problem["instance"] == f"trace:{aborted['trace_id']}"
    assert answer.start_line == b"HTTP/1.1 418 I'm a teapot"


async def test_a_delay_ends_with_the_deadline(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.may_call("late", upstream.port)
        assert (await caller.get("late")).status == 200
        await rehearse(caller, "late", upstream.port, delay="1h")
        upstream.forget()
        answer = await caller.get("late", **{"breakwater-deadline-ms": "50"})
        assert upstream.requests == ()
    assert (answer.status, reason(answer)) == (504, "timeout.request")


async def test_of_several_rehearsals_that_do_the_same_the_first_does_it(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await caller.fleet.put(
            "many",
            external_service("many", upstream.port),
            fault("many-1", external("many"), delay="200ms"),
            fault("many-2", external("many"), delay="100ms", abort={"status": 503}),
        )
        began = monotonic()
        answer = await caller.get("many")
        assert monotonic() - began >= DELAY
    assert (answer.status, reason(answer)) == (503, "fault.injected")
    expected = 'delay;policy="test/many-1", abort;policy="test/many-2"'
    assert marks(answer) == expected


async def test_an_override_takes_the_place_of_what_is_more_specific_until_it_is_over(caller: Caller) -> None:
    drills = {"kind": "Namespace", "name": "test"}
    async with ScriptedUpstream() as upstream:
        await caller.fleet.put(
            "merged",
            external_service("merged", upstream.port),
            fault("merged-own", external("merged"), abort={"status": 503}),
            fault("merged-wide", drills, abort={"status": 500}, delay="1ms"),
        )
        assert (
            marks(await caller.get("merged"))
            == 'abort;policy="test/merged-own", delay;policy="test/merged-wide"'
        )
        match = [{"path": {"prefix": "/checkout"}}]
        override = fault("merged-over", drills, delay="1ms", merge="AtomicOverrides", match=match)
        await caller.fleet.put("merged-over", override)
        assert marks(await caller.get("merged", "/checkout")) == 'delay;policy="test/merged-over"'
        assert (await caller.get("merged")).status == 503
        await caller.fleet.remove("merged-over")
        await caller.fleet.remove("merged")


async def test_the_body_of_each_answer_comes_as_slowly_as_told(caller: Caller) -> None:
    body = b"x" * 128 * KIB
    async with ScriptedUpstream(lambda _: (Send(response(body=body)),)) as upstream:
        await rehearse(caller, "thin", upstream.port, bandwidth={"bytesPerSecond": "256Ki"})
        began = monotonic()
        answers = await asyncio.gather(caller.get("thin"), caller.get("thin"))
        assert monotonic() - began >= (len(body) - 64 * KIB) / (256 * KIB)
    assert [answer.body for answer in answers] == [body, body]
    assert {marks(answer) for answer in answers} == {'bandwidth;policy="test/thin"'}


async def test_only_requests_that_match_meet_it(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        match = [{"path": {"prefix": "/checkout"}, "headers": [{"name": "x-drill", "present": True}]}]
        await rehearse(caller, "some", upstream.port, abort={"status": 503}, match=match)
        assert (await caller.get("some", "/checkout")).status == 200
        assert (await caller.get("some", "/other", **{"x-drill": "1"})).status == 200
        assert (await caller.get("some", "/checkout/1", **{"x-drill": "1"})).status == 503


async def test_about_that_share_of_the_requests_meets_it(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "half", upstream.port, abort={"status": 503}, percent=50)
        statuses = [(await caller.get("half")).status for _ in range(100)]
    assert 20 <= statuses.count(503) <= 80  # beyond that once in a thousand million runs


@pytest.mark.parametrize(("name", "status"), [("caller", 503), ("other", 200)])
async def test_callers_named_in_from_alone_meet_it(caller: Caller, name: str, status: int) -> None:
    async with ScriptedUpstream() as upstream:
        callers = {"from": [{"kind": "Service", "name": name}]}
        policy = fault("named", external("named"), abort={"status": 503}, **callers)
        await caller.fleet.put("named", external_service("named", upstream.port), policy)
        assert (await caller.get("named")).status == status


async def test_aborts_feed_no_breaker_and_cost_no_budget(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        trip = {"consecutiveFailures": 1}
        await caller.fleet.put(
            "unfed",
            external_service("unfed", upstream.port),
            resilience(
                "unfed",
                external("unfed"),
                breaker={"service": {"trip": trip}, "endpoint": {"trip": trip}},
                outlierDetection={"consecutiveFailures": 1},
                retry={"attempts": 3},
            ),
        )
        await caller.fleet.put("unfed-fault", fault("unfed", external("unfed"), abort={"status": 503}))
        for _ in range(5):
            assert reason(await caller.get("unfed")) == "fault.injected"
        await caller.fleet.remove("unfed-fault")
        assert (await caller.get("unfed")).status == 200
        assert len(upstream.requests) == 1
    measures = await scrape(caller.sidecar.http)
    assert measures.total("breakwater_attempts_total", service="test/unfed") == 1


async def test_in_shadow_nothing_is_done_and_it_is_told(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "shadowed", upstream.port, delay="1h", abort={"status": 503}, mode="Shadow")
        answer = await caller.get("shadowed")
        assert (answer.status, marks(answer)) == (200, None)
        labels = {"policy": "test/shadowed", "result": "shadow"}
        for effect in ("delay", "abort"):
            await until(measured(caller.sidecar.http, "breakwater_faults_total", 1, fault=effect, **labels))


async def test_it_ends_by_itself_also_when_nobody_is_left_to_end_it(caller: Caller) -> None:
    async with ScriptedUpstream() as upstream:
        await rehearse(caller, "ending", upstream.port, abort={"status": 503}, expiresAfter="3s")
        assert (await caller.get("ending")).status == 503
        ended = datetime.now(UTC) + timedelta(seconds=3)
        while (await caller.get("ending")).status == 503:
            assert datetime.now(UTC) < ended
        assert upstream.requests
