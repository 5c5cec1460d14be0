"""A sidecar's stream of reports, as the test says."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc.aio

from mesh.v1 import registry_pb2, telemetry_pb2
from mesh.v1.telemetry_pb2_grpc import TelemetryServiceStub

CART = registry_pb2.ServiceName(namespace="shop", name="cart")

Report = Callable[[telemetry_pb2.ReportRequest], Awaitable[telemetry_pb2.ReportResponse]]
"""Sends one report; returns what is answered."""


def reported(
    instance: str, requests: float, *, epoch_seconds: float, peer: str = ""
) -> telemetry_pb2.ReportRequest:
    """Requests to `shop/cart` as it sees them; with `peer`, as that caller does."""
    way = ["outbound" if peer else "inbound", "shop/cart", peer]
    request = telemetry_pb2.ReportRequest(
        instance=instance,
        called=[CART],
        resident_bytes=12_000_000,
        families=[
            telemetry_pb2.MetricFamily(
                name="breakwater_requests_total",
                type=telemetry_pb2.METRIC_TYPE_COUNTER,
                labels=["direction", "service", "peer", "code_class", "grpc_status", "reason"],
                points=[telemetry_pb2.MetricPoint(labels=[*way, "2xx", "", ""], value=requests)],
            ),
            telemetry_pb2.MetricFamily(
                name="breakwater_request_duration_seconds",
                type=telemetry_pb2.METRIC_TYPE_HISTOGRAM,
                labels=["direction", "service", "peer"],
                bounds=[0.01, 0.1],
                points=[telemetry_pb2.MetricPoint(labels=way, value=1.5, buckets=[1, 2, 3])],
            ),
        ],
    )
    request.epoch.FromNanoseconds(round(epoch_seconds * 1e9))
    return request


@asynccontextmanager
async def reporting(channel: grpc.aio.Channel) -> AsyncIterator[Report]:
    """A stream of reports that stays open until the block ends."""
    call = TelemetryServiceStub(channel).Report()

    async def report(request: telemetry_pb2.ReportRequest) -> telemetry_pb2.ReportResponse:
        await call.write(request)
        response = await call.read()
        assert isinstance(response, telemetry_pb2.ReportResponse)
        return response

    try:
        yield report
    finally:
        call.cancel()
