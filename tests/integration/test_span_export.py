"""Spans on their way from a control plane to a collector, over real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import grpc.aio
import pytest

from controlplane.counters import Counter
from controlplane.telemetry.codec import count_spans, encode_spans
from controlplane.telemetry.exporter import TRIES, export
from controlplane.telemetry.outbox import Outbox
from mesh.otlp.v1 import export_pb2, trace_pb2
from mesh.v1 import admin_pb2, registry_pb2, telemetry_pb2
from mesh.v1.telemetry_pb2_grpc import TelemetryServiceStub
from tests.support.collector import Collector, collecting
from tests.support.control_plane import running_plane
from tests.support.mesh import controlplane
from tests.support.pki import Authority
from tests.support.readiness import that, until
from tests.support.upstream import response

TRACE = bytes(15) + b"\x01"


def handed_over(service: str = "shop/cart", spans: int = 1) -> telemetry_pb2.ExportSpansRequest:
    namespace, _, name = service.partition("/")
    return telemetry_pb2.ExportSpansRequest(
        instance="cart-0",
        workloads=[
            telemetry_pb2.WorkloadSpans(
                service=registry_pb2.ServiceName(namespace=namespace, name=name) if name else None,
                spans=[trace_pb2.Span(trace_id=TRACE, span_id=bytes(8), name="GET")] * spans,
            )
        ],
    )


class Export:
    """An outbox that is emptied to a collector, and how its spans are counted."""

    def __init__(self) -> None:
        self._count = Counter("spans_total", "", ("result",))
        self.outbox = Outbox(self._count, lambda: 0, has_collector=True)

    def put(self, request: telemetry_pb2.ExportSpansRequest) -> None:
        self.outbox.put(count_spans(request), lambda: encode_spans(request))

    async def counts(self, **expected: int) -> None:
        """Return once so many were counted."""
        await until(that(lambda: self._counted() == {"exported": 0, "lost": 0, **expected}))

    def _counted(self) -> dict[str, float]:
        [metric] = self._count.collect()
        counted = {one.labels["result"]: one.value for one in metric.samples}
        return {"exported": 0, "lost": 0, **counted}


@asynccontextmanager
async def exporting(endpoint: str) -> AsyncIterator[Export]:
    running = Export()
    task = asyncio.ensure_future(export(endpoint, running.outbox, pause_seconds=0.001))
    try:
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    async with collecting() as running:
        yield running


async def test_spans_arrive_with_whose_they_are(collector: Collector) -> None:
    async with exporting(f"{collector.endpoint}/") as to:
        to.put(handed_over())
        to.put(handed_over("", spans=2))
        await to.counts(exported=3)
    own, *others = collector.spans(TRACE.hex())
    assert own.resource == {
        "service.name": "cart",
        "service.namespace": "shop",
        "service.instance.id": "cart-0",
    }
    assert [one.resource["service.name"] for one in others] == ["unknown_service"] * 2
    [head] = {(post.start_line, post.text("content-type")) for post in collector.posts}
    assert head == (b"POST /v1/traces HTTP/1.1", "application/x-protobuf")


async def test_what_the_collector_rejects_is_lost(collector: Collector) -> None:
    partial = export_pb2.ExportTracePartialSuccess(rejected_spans=1)
    collector.answer = export_pb2.ExportTraceServiceResponse(partial_success=partial).SerializeToString()
    async with exporting(collector.endpoint) as to:
        to.put(handed_over(spans=3))
        await to.counts(exported=2, lost=1)


async def test_an_answer_that_says_nothing_is_none(collector: Collector) -> None:
    collector.answer = b"\xff thank you"
    async with exporting(collector.endpoint) as to:
        to.put(handed_over())
        await to.counts(exported=1)


@pytest.mark.parametrize(("status", "posts"), [(400, 1), (302, 1), (503, TRIES)])
async def test_what_the_collector_never_takes_is_lost(collector: Collector, status: int, posts: int) -> None:
    collector.statuses = [status] * posts
    async with exporting(collector.endpoint) as to:
        to.put(handed_over())
        await to.counts(lost=1)
        assert len(collector.posts) == posts
        to.put(handed_over())
        await to.counts(exported=1, lost=1)


async def test_a_collector_that_comes_later_gets_what_waits(collector: Collector) -> None:
    await collector.upstream.end()
    async with exporting(collector.endpoint) as to:
        to.put(handed_over())
        async with collector.upstream:
            await to.counts(exported=1)


async def test_a_control_plane_without_a_collector_counts_what_is_lost_and_warns(tmp_path: Path) -> None:
    mesh = (
        "{apiVersion: breakwater.dev/v1alpha1, kind: Mesh, metadata: {name: default},"
        " spec: {telemetry: {tracing: {}}}}"
    )
    async with running_plane(tmp_path) as plane:
        await TelemetryServiceStub(plane.sidecars).ExportSpans(handed_over(spans=4))
        manifest = admin_pb2.Manifest(file="mesh.yaml", text=mesh)
        checked = await plane.admin.ValidatePolicies(admin_pb2.ValidatePoliciesRequest(manifests=[manifest]))
    assert [(one.code, one.path) for one in checked.problems] == [("BW0701", "spec.telemetry.tracing")]


async def test_a_collector_behind_tls_is_posted_to_also_outside_clusters(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    shown = authority.leaf("collector")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.certificate, shown.key)
    posted: list[bytes] = []

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        posted.append(await reader.readline())
        writer.write(response())
        await writer.drain()
        writer.close()

    (tmp_path / "policies").mkdir()
    trusting = ("/usr/bin/env", f"SSL_CERT_FILE={authority.certificate}")
    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=context) as server:
        endpoint = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        flags = ("--otlp-endpoint", endpoint)
        async with (
            controlplane(tmp_path, tmp_path / "policies", prefix=trusting, flags=flags) as plane,
            grpc.aio.insecure_channel(f"127.0.0.1:{plane.discovery}") as channel,
        ):
            await TelemetryServiceStub(channel).ExportSpans(handed_over())
            await until(that(lambda: posted[:1] == [b"POST /v1/traces HTTP/1.1\r\n"]))
