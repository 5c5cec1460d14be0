"""TelemetryService: takes the reports of sidecars, and tells each when to report next."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import grpc.aio

from controlplane.telemetry.callers import Callers
from controlplane.telemetry.codec import decode_events, decode_report, encode_response
from controlplane.telemetry.events import Events
from controlplane.telemetry.merge import Merge
from mesh.v1 import telemetry_pb2, telemetry_pb2_grpc

if TYPE_CHECKING:
    from typing import TypeAlias

    Context: TypeAlias = grpc.aio.ServicerContext[telemetry_pb2.ReportRequest, telemetry_pb2.ReportResponse]

INTERVAL_SECONDS = 2.0
TIDY_SECONDS = 10.0


class TelemetryServer(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Adds up what sidecars report; `now_ns` tells the wall-clock time."""

    def __init__(
        self,
        merge: Merge,
        callers: Callers,
        events: Events,
        now_ns: Callable[[], int],
    ) -> None:
        self._merge = merge
        self._callers = callers
        self._events = events
        self._now_ns = now_ns

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves TelemetryService."""
        telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(self, server)

    async def Report(
        self, request_iterator: AsyncIterator[telemetry_pb2.ReportRequest], context: "Context"
    ) -> AsyncIterator[telemetry_pb2.ReportResponse]:
        """Takes one sidecar's reports, and answers each with its pace and its shares."""
        async for request in request_iterator:
            if not request.instance:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected an instance, found none")
            yield self._take(request)

    async def tidy(self) -> None:
        """Forgets what is old, until cancelled."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            self._merge.forget(self._now_ns())
            self._callers.forget(self._now_ns())

    def _take(self, request: telemetry_pb2.ReportRequest) -> telemetry_pb2.ReportResponse:
        now_ns = self._now_ns()
        report = decode_report(request)
        self._merge.take(report, now_ns)
        self._callers.take(report.instance, report.called, now_ns)
        self._events.add(decode_events(request))
        counts = {service: self._callers.count(service, now_ns) for service in report.called}
        return encode_response(INTERVAL_SECONDS, counts)
