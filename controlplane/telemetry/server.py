"""TelemetryService: takes the reports of sidecars, and tells each when to report next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import grpc.aio

from controlplane.telemetry.codec import decode_events, decode_report, encode_response
from controlplane.telemetry.readings import Readings
from mesh.v1 import telemetry_pb2, telemetry_pb2_grpc
from registry.model import ServiceName

if TYPE_CHECKING:
    from typing import TypeAlias

    Context: TypeAlias = grpc.aio.ServicerContext[telemetry_pb2.ReportRequest, telemetry_pb2.ReportResponse]

INTERVAL_SECONDS = 2.0
TIDY_SECONDS = 10.0


class TelemetryServer(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Adds up what sidecars report; `callers_elsewhere` are a service's that report to other replicas."""

    def __init__(self, readings: Readings, callers_elsewhere: Callable[[ServiceName], int]) -> None:
        self._merge = readings.merge
        self._callers = readings.callers
        self._events = readings.events
        self._now_ns = readings.now_ns
        self._callers_elsewhere = callers_elsewhere

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves TelemetryService."""
        telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(self, server)

    async def Report(
        self, request_iterator: AsyncIterator[telemetry_pb2.ReportRequest], context: "Context"
    ) -> AsyncIterator[telemetry_pb2.ReportResponse]:
        """Takes one sidecar's reports, and answers each with its pace and its shares."""
        last, taken_ns = telemetry_pb2.ReportRequest(), 0
        try:
            async for request in request_iterator:
                if not request.instance:
                    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected an instance, found none")
                last, taken_ns = request, self._now_ns()
                yield self._take(request, taken_ns)
        finally:
            self._callers.leave(last.instance, decode_report(last).called, taken_ns)

    def _take(self, request: telemetry_pb2.ReportRequest, now_ns: int) -> telemetry_pb2.ReportResponse:
        report = decode_report(request)
        self._merge.take(report, now_ns)
        self._callers.take(report.instance, report.called, now_ns)
        self._events.add(decode_events(request))
        counts = {service: self._live_callers(service, now_ns) for service in report.called}
        return encode_response(INTERVAL_SECONDS, counts)

    def _live_callers(self, service: ServiceName, now_ns: int) -> int:
        """Callers in the whole mesh, at least the one that reports now."""
        return max(1, self._callers.count(service, now_ns) + self._callers_elsewhere(service))


async def tidy(readings: Readings) -> None:
    """Forgets what is old, until cancelled."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        readings.merge.forget(readings.now_ns())
        readings.callers.forget(readings.now_ns())
