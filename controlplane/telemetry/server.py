"""TelemetryService: takes the reports of sidecars, and tells each when to report next."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import grpc.aio

from controlplane.caller import check_instance
from controlplane.errors import ImpersonationError
from controlplane.model.health import Checked, HealthShare, OthersHealth
from controlplane.telemetry.codec import (
    count_spans,
    decode_events,
    decode_report,
    encode_response,
    encode_spans,
)
from controlplane.telemetry.outbox import Outbox
from controlplane.telemetry.readings import Readings
from controlplane.telemetry.transit import LATE_SECONDS, Transit
from controlplane.telemetry.turns import Turns
from mesh.v1 import telemetry_pb2, telemetry_pb2_grpc
from registry.model import ServiceName

if TYPE_CHECKING:
    from typing import TypeAlias

    Context: TypeAlias = grpc.aio.ServicerContext[telemetry_pb2.ReportRequest, telemetry_pb2.ReportResponse]
    SpansContext: TypeAlias = grpc.aio.ServicerContext[
        telemetry_pb2.ExportSpansRequest, telemetry_pb2.ExportSpansResponse
    ]

TIDY_SECONDS = 10.0

_LATE = f"expected a report within {LATE_SECONDS} s, found one that is told elsewhere by now"


@dataclass(slots=True)
class _Reporter:
    """What is remembered of one stream between its reports."""

    transit: Transit = field(default_factory=Transit)
    instance: str = ""
    called: tuple[ServiceName, ...] = ()
    checked: tuple[ServiceName, ...] = ()
    taken_ns: int = 0


class Elsewhere(Protocol):
    """What is known of the sidecars that report to other replicas."""

    def live_callers(self, service: ServiceName) -> int:
        """How many of them call a service."""

    def health(self, service: ServiceName) -> Iterable[HealthShare]:
        """Who of them checks a service, and what they found, by replica."""


class TelemetryServer(telemetry_pb2_grpc.TelemetryServiceServicer):
    """Adds up what sidecars report; `elsewhere` tells of those that report to other replicas.

    Their spans go into `outbox`.
    """

    def __init__(self, readings: Readings, elsewhere: Elsewhere, outbox: Outbox) -> None:
        self._outbox = outbox
        self._merge = readings.merge
        self._callers = readings.callers
        self._checks = readings.checks
        self._events = readings.events
        self._pace = readings.pace
        self._now_ns = readings.now_ns
        self._elsewhere = elsewhere
        self._turns = Turns()

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves TelemetryService."""
        telemetry_pb2_grpc.add_TelemetryServiceServicer_to_server(self, server)

    async def Report(
        self, request_iterator: AsyncIterator[telemetry_pb2.ReportRequest], context: "Context"
    ) -> AsyncIterator[telemetry_pb2.ReportResponse]:
        """Takes one sidecar's reports, and answers each with its pace and its shares."""
        reporter = _Reporter()
        self._pace.join()
        try:
            async for request in request_iterator:
                await self._turns.wait()
                response = await self._take(request, reporter, context)
                del request  # large, and the next one comes in a while
                yield response
        finally:
            self._pace.leave()
            self._merge.leave(reporter.instance, reporter.taken_ns)
            self._callers.leave(reporter.instance, reporter.called, reporter.taken_ns)
            self._checks.leave(reporter.instance, reporter.checked, reporter.taken_ns)

    async def ExportSpans(
        self, request: telemetry_pb2.ExportSpansRequest, context: "SpansContext"
    ) -> telemetry_pb2.ExportSpansResponse:
        """Has one sidecar's spans sent to where traces are kept."""
        if not request.instance:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected an instance, found none")
        try:
            check_instance(request.instance)
        except ImpersonationError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        self._outbox.put(count_spans(request), partial(encode_spans, request))
        return telemetry_pb2.ExportSpansResponse()

    async def _take(
        self, request: telemetry_pb2.ReportRequest, reporter: "_Reporter", context: "Context"
    ) -> telemetry_pb2.ReportResponse:
        now_ns = self._now_ns()
        report = decode_report(request, now_ns)
        if not report.instance:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected an instance, found none")
        try:
            check_instance(report.instance)
        except ImpersonationError as error:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        if reporter.transit.is_late(report.at_ns, now_ns):
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, _LATE)
        reporter.instance, reporter.called, reporter.taken_ns = report.instance, report.called, now_ns
        reporter.checked = tuple(each.service for each in report.checked)
        self._events.add(decode_events(request))
        self._merge.take(report, now_ns)
        self._callers.take(report.instance, report.called, now_ns)
        self._checks.take(report.instance, report.checker, report.checked, now_ns)
        counts = {service: self._live_callers(service, now_ns) for service in report.called}
        health = [self._others(report.checker, checked) for checked in report.checked]
        return encode_response(self._pace.tell(now_ns), counts, health)

    def _others(self, checker: int, checked: Checked) -> OthersHealth:
        return self._checks.answer(checker, checked, self._elsewhere.health(checked.service))

    def _live_callers(self, service: ServiceName, now_ns: int) -> int:
        """Callers in the whole mesh, at least the one that reports now."""
        return max(1, self._callers.count(service, now_ns) + self._elsewhere.live_callers(service))


async def tidy(readings: Readings) -> None:
    """Forgets what is old, until cancelled."""
    while True:
        await asyncio.sleep(TIDY_SECONDS)
        readings.merge.forget(readings.now_ns())
        readings.callers.forget(readings.now_ns())
        readings.checks.forget(readings.now_ns())
