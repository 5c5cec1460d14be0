"""Spans of live traffic: which traces are recorded, what each hop tells of them, and what it hands on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.support import accesslog
from tests.support.caller import Caller, calling
from tests.support.collector import Collector, Told, collecting
from tests.support.documents import external, external_service, rate_limit, service
from tests.support.framing import Message
from tests.support.grpcapp import ECHO, call, grpc_app
from tests.support.relay import relay
from tests.support.upstream import NO_ANSWER, Script, ScriptedUpstream, Send, response

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRACE = "0af7651916cd43dd8448eb211c8031{:02x}"
PARENT = "b7ad6b7169203331"
STATE, BAGGAGE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "user=a%20b;p=1"
NONE = "0" * 32
ONE = [{"name": "one", "requests": 1, "per": "1h", "burst": 1}]
FAILING: Script = (Send(response(503)),)
MESH = """
apiVersion: breakwater.dev/v1alpha1
kind: Mesh
metadata: {{name: default}}
spec: {{telemetry: {{accessLog: {{mode: All}}, tracing: {{samplingPercent: {percent}}}}}}}
"""


@dataclass(frozen=True, slots=True)
class Traced:
    """A caller's sidecar, and the collector of its mesh."""

    caller: Caller
    collector: Collector

    async def records(self, percent: float) -> None:
        """Have this share of the traces recorded that begin at a sidecar."""
        await self.caller.fleet.write("mesh", MESH.format(percent=percent))

    async def told_nothing_of(self, trace: str, number: int) -> None:
        """Return once spans have come that were recorded later, while there is none of `trace`."""
        async with ScriptedUpstream() as upstream:
            await self.caller.may_call(f"later-{number}", upstream.port)
            await self.caller.get(f"later-{number}", traceparent=parent(number))
            await self.collector.trace(TRACE.format(number), 1)
        assert self.collector.spans(trace) == []


def parent(number: int, flags: str = "01") -> str:
    return f"00-{TRACE.format(number)}-{PARENT}-{flags}"


def carried(request: Message) -> tuple[str, str, str]:
    """The trace, the span and the flags that a request is sent under."""
    _, trace, span, flags = (request.text("traceparent") or "").split("-")
    return trace, span, flags


def errors(spans: list[Told]) -> list[object]:
    return [one.attributes.get("error.type") for one in spans]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def traced(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    async with collecting() as collector:
        flags = ("--otlp-endpoint", collector.endpoint)
        async with calling(tmp_path_factory.mktemp("traced"), flags=flags) as caller:
            running = Traced(caller, collector)
            await running.records(100)
            yield running


async def test_caller_and_callee_are_joined_to_one_trace(traced: Traced) -> None:
    caller = traced.caller
    async with ScriptedUpstream() as last, relay("last") as middle:
        beside = await caller.fleet.join("test/middle", app_port=middle.port)
        middle.outbound = beside.outbound
        await caller.fleet.put("chain", external_service("last", last.port))
        assert (await caller.get("middle", "/secret?key=1", traceparent=parent(1))).status == 200
        asking, served, on = await traced.collector.trace(TRACE.format(1), 3)
        assert [one.kind for one in (asking, served, on)] == ["CLIENT", "SERVER", "CLIENT"]
        assert asking.span.parent_span_id.hex() == PARENT
        assert served.span.parent_span_id == asking.span.span_id
        assert on.span.parent_span_id == served.span.span_id
        assert carried(last.requests[0]) == (TRACE.format(1), on.span.span_id.hex(), "01")
        assert [one.resource["service.name"] for one in (asking, served, on)] == [
            "caller",
            "middle",
            "middle",
        ]
        assert served.resource["service.namespace"] == "test"
        assert served.resource["service.instance.id"] == "test-middle"
        assert served.span.name == "GET"
        assert served.attributes["http.response.status_code"] == 200
        assert asking.attributes["server.address"] == "middle.test"
        assert asking.attributes["network.peer.port"] == beside.inbound
        assert "secret" not in "".join(post.body.decode(errors="ignore") for post in traced.collector.posts)
        for one, process in ((served, beside.process), (asking, caller.sidecar.process)):
            line = await accesslog.line(process, trace_id=TRACE.format(1), dst="test/middle")
            assert line["span_id"] == one.span.span_id.hex()


async def test_every_attempt_is_a_span_of_its_own(traced: Traced) -> None:
    scripts = iter((FAILING, FAILING))
    async with ScriptedUpstream(lambda _: next(scripts, (Send(response()),))) as upstream:
        retry = {"attempts": 2, "when": ["5xx"], "strategy": "Immediate"}
        await traced.caller.may_call("tried", upstream.port, retry=retry)
        headers = {"traceparent": parent(2), "tracestate": STATE, "baggage": BAGGAGE}
        assert (await traced.caller.get("tried", **headers)).status == 200
        spans = await traced.collector.trace(TRACE.format(2), 3)
        assert {(one.kind, one.span.parent_span_id.hex()) for one in spans} == {("CLIENT", PARENT)}
        assert [one.attributes.get("http.request.resend_count") for one in spans] == [None, 1, 2]
        assert [one.attributes["http.response.status_code"] for one in spans] == [503, 503, 200]
        assert errors(spans) == ["503", "503", None]
        sent = [(TRACE.format(2), one.span.span_id.hex(), "01") for one in spans]
        assert [carried(one) for one in upstream.requests] == sent
        assert {one.text("tracestate") for one in upstream.requests} == {STATE}
        assert {one.text("baggage") for one in upstream.requests} == {BAGGAGE}


async def test_an_attempt_without_an_answer_says_what_it_came_to(traced: Traced) -> None:
    async with ScriptedUpstream(lambda _: NO_ANSWER) as upstream:
        await traced.caller.may_call("silent", upstream.port, timeouts={"request": "200ms"})
        assert (await traced.caller.get("silent", traceparent=parent(3))).status == 504
        (span,) = await traced.collector.trace(TRACE.format(3), 1)
        assert (span.kind, *errors([span])) == ("CLIENT", "timeout")
        assert span.attributes["breakwater.reason"] == "timeout.request"
        assert span.attributes["breakwater.policy"] == "test/silent"


async def test_a_refusal_is_told_by_whoever_refused(traced: Traced) -> None:
    caller = traced.caller
    async with ScriptedUpstream() as app:
        await caller.fleet.join("test/limited", app_port=app.port)
        await caller.fleet.put("limited", rate_limit("limited", service("limited"), limits=ONE))
        assert (await caller.get("limited")).status == 200
        assert (await caller.get("limited", traceparent=parent(4))).status == 429
        asked, refused = await traced.collector.trace(TRACE.format(4), 2)
        assert refused.kind == "SERVER"
        assert refused.attributes["breakwater.reason"] == "ratelimit.token"
        assert refused.attributes["breakwater.policy"] == "test/limited"
        assert (asked.kind, asked.attributes["http.response.status_code"]) == ("CLIENT", 429)


async def test_a_call_that_comes_to_no_attempt_says_why(traced: Traced) -> None:
    caller = traced.caller
    async with ScriptedUpstream() as upstream:
        await caller.may_call("capped", upstream.port)
        await caller.fleet.put("cap", rate_limit("capped", external("capped"), at="Caller", limits=ONE))
        assert (await caller.get("capped")).status == 200
        assert (await caller.get("capped", traceparent=parent(5))).status == 429
        (span,) = await traced.collector.trace(TRACE.format(5), 1)
        assert (span.kind, span.span.parent_span_id.hex()) == ("INTERNAL", PARENT)
        assert span.attributes["breakwater.reason"] == "ratelimit.token"
        assert len(upstream.requests) == 1


async def test_a_grpc_call_has_the_name_of_its_method(traced: Traced) -> None:
    async with grpc_app() as app:
        await traced.caller.may_call("rpc", app.port, protocol="GRPC")
        await call(traced.caller.sidecar.outbound, ECHO, host="rpc")
        line = await accesslog.line(traced.caller.sidecar.process, dst="test/rpc")
        (span,) = await traced.collector.trace(line["trace_id"], 1)
        assert span.span.name == span.attributes["rpc.method"] == ECHO.removeprefix("/")
        assert span.attributes["rpc.status_code"] == "OK"
        assert span.attributes["network.protocol.version"] == "2"


async def test_nothing_is_recorded_for_a_caller_that_does_not_record(traced: Traced) -> None:
    async with ScriptedUpstream() as upstream:
        await traced.caller.may_call("unsampled", upstream.port)
        headers = {"traceparent": parent(6, "00"), "tracestate": STATE}
        assert (await traced.caller.get("unsampled", **headers)).status == 200
        (sent,) = upstream.requests
        assert (sent.text("traceparent"), sent.text("tracestate")) == (parent(6, "00"), STATE)
    await traced.told_nothing_of(TRACE.format(6), 7)


@pytest.mark.parametrize(
    "malformed", ["00-1", parent(8).upper(), f"{parent(8)}-x", f"00-{NONE}-{PARENT}-01", "ff" + parent(8)[2:]]
)
async def test_a_trace_begins_anew_where_none_can_be_read(traced: Traced, malformed: str) -> None:
    async with ScriptedUpstream() as upstream:
        name = f"anew-{sum(malformed.encode())}"
        await traced.caller.may_call(name, upstream.port)
        await traced.caller.get(name, traceparent=malformed, tracestate=STATE)
        (sent,) = upstream.requests
        trace, span, flags = carried(sent)
        assert flags == "01"
        assert sent.text("tracestate") is None
        (told,) = await traced.collector.trace(trace, 1)
        assert (told.span.span_id.hex(), told.span.parent_span_id) == (span, b"")


async def test_a_trace_that_is_not_among_the_share_goes_on_unrecorded(traced: Traced) -> None:
    await traced.records(0)
    async with ScriptedUpstream() as upstream:
        await traced.caller.may_call("unlucky", upstream.port)
        await traced.caller.get("unlucky")
        trace, _, flags = carried(upstream.requests[0])
        assert flags == "00"
    await traced.told_nothing_of(trace, 9)
    await traced.records(100)


async def test_without_tracing_all_of_it_passes_as_it_came(traced: Traced) -> None:
    await traced.caller.fleet.remove("mesh")
    async with ScriptedUpstream() as upstream:
        await traced.caller.may_call("untouched", upstream.port)
        for value in (parent(10), parent(10, "00"), "00-1", "cc" + parent(10)[2:] + "-more"):
            await traced.caller.get("untouched", traceparent=value, tracestate=STATE, baggage=BAGGAGE)
            fields = upstream.requests[-1]
            carried_on = [fields.text(name) for name in ("traceparent", "tracestate", "baggage")]
            assert carried_on == [value, STATE, BAGGAGE]
            assert f"traceparent: {value}\r\n".lower().encode() in upstream.received.lower()
    await traced.records(99)
    await traced.told_nothing_of(TRACE.format(10), 11)


async def test_what_a_collector_cannot_take_now_is_posted_again(traced: Traced) -> None:
    traced.collector.statuses = [503, 429]
    async with ScriptedUpstream() as upstream:
        await traced.caller.may_call("again", upstream.port)
        await traced.caller.get("again", traceparent=parent(12))
        (span,) = await traced.collector.trace(TRACE.format(12), 1)
    assert span.kind == "CLIENT"
    assert traced.collector.statuses == []
