"""Messages of TelemetryService to and from the values inside."""

from collections.abc import Iterable, Mapping

from controlplane.model.event import Event
from controlplane.model.health import Checked, EndpointPort, OthersHealth
from controlplane.snapshot.codec import encode_service_name
from controlplane.telemetry.report import Baseline, Family, MetricType, Point, Report, Shape
from controlplane.wire.codec import decode_event, decode_service_name, encode_votes
from mesh.v1 import telemetry_pb2
from registry.model import ServiceName

_TYPES = {
    telemetry_pb2.METRIC_TYPE_COUNTER: MetricType.COUNTER,
    telemetry_pb2.METRIC_TYPE_GAUGE: MetricType.GAUGE,
    telemetry_pb2.METRIC_TYPE_HISTOGRAM: MetricType.HISTOGRAM,
}

MAX_EVENTS = 1_000
"""Events that one report may carry."""

MAX_CALLED = 4_096
"""Services that one sidecar may say it calls."""


def decode_report(request: telemetry_pb2.ReportRequest, arrived_ns: int) -> Report:
    """What a sidecar reports; families of types that we do not know are left out."""
    return Report(
        instance=request.instance,
        epoch_ns=request.epoch.ToNanoseconds(),
        at_ns=request.at.ToNanoseconds() if request.HasField("at") else arrived_ns,
        families=_families(request.families),
        baseline=_baseline(request.baseline) if request.HasField("baseline") else None,
        called=tuple(map(decode_service_name, request.called[:MAX_CALLED])),
        checker=request.checker,
        checked=tuple(map(_checked, request.checked[:MAX_CALLED])),
        resident_bytes=request.resident_bytes,
    )


def decode_events(request: telemetry_pb2.ReportRequest) -> tuple[Event, ...]:
    """What happened since the report before, oldest first."""
    return tuple(decode_event(request.instance, one) for one in request.events[-MAX_EVENTS:])


def encode_response(
    interval_seconds: float, callers: Mapping[ServiceName, int], health: Iterable[OthersHealth] = ()
) -> telemetry_pb2.ReportResponse:
    """When to report next, the live callers of each service, and what others found of those it checks."""
    response = telemetry_pb2.ReportResponse(
        callers=[
            telemetry_pb2.CallerCount(
                service=encode_service_name(service),
                live_callers=count,
            )
            for service, count in callers.items()
        ],
        health=map(_others, health),
    )
    response.interval.FromMilliseconds(round(interval_seconds * 1000))
    return response


def count_spans(request: telemetry_pb2.ExportSpansRequest) -> int:
    """How many spans a sidecar hands over."""
    return sum(len(one.spans) for one in request.workloads)


def encode_spans(request: telemetry_pb2.ExportSpansRequest) -> bytes:
    """What a collector is posted: the spans of a sidecar, with whose they are."""
    from mesh.otlp.v1 import export_pb2  # noqa: PLC0415  # needed only where there is a collector

    exported = export_pb2.ExportTraceServiceRequest()
    for workload in request.workloads:
        spans = exported.resource_spans.add()
        for key, value in _resource(workload, request.instance).items():
            spans.resource.attributes.add(key=key).value.string_value = value
        scope = spans.scope_spans.add(spans=workload.spans)
        scope.scope.name = "breakwater"
    return exported.SerializeToString()


def _resource(workload: telemetry_pb2.WorkloadSpans, instance: str) -> Mapping[str, str]:
    """Who recorded spans, in the words of OpenTelemetry."""
    name = {"service.name": workload.service.name or "unknown_service", "service.instance.id": instance}
    namespace = workload.service.namespace
    return {**name, "service.namespace": namespace} if namespace else name


def decode_rejected(body: bytes) -> int:
    """How many spans a collector did not take, by its answer; none when that is no answer of OTLP."""
    from google.protobuf.message import DecodeError  # noqa: PLC0415  # as above

    from mesh.otlp.v1 import export_pb2  # noqa: PLC0415

    try:
        answer = export_pb2.ExportTraceServiceResponse.FromString(body)
    except DecodeError:
        return 0
    return max(0, answer.partial_success.rejected_spans)


def _checked(message: telemetry_pb2.CheckedService) -> Checked:
    return Checked(
        service=decode_service_name(message.service),
        version=message.version,
        verdicts={EndpointPort(one.endpoint, one.port): one.healthy for one in message.verdicts},
        doubted=frozenset(EndpointPort(one.endpoint, one.port) for one in message.doubted),
    )


def _others(health: OthersHealth) -> telemetry_pb2.OthersHealth:
    return telemetry_pb2.OthersHealth(
        service=encode_service_name(health.service),
        version=health.version,
        checkers=health.checkers,
        votes=encode_votes(health.votes),
    )


def _baseline(message: telemetry_pb2.Baseline) -> Baseline:
    return Baseline(at_ns=message.at.ToNanoseconds(), families=_families(message.families))


def _families(messages: Iterable[telemetry_pb2.MetricFamily]) -> tuple[Family, ...]:
    return tuple(_family(one) for one in messages if one.type in _TYPES)


def _family(message: telemetry_pb2.MetricFamily) -> Family:
    shape = Shape(
        name=message.name,
        type=_TYPES[message.type],
        labels=tuple(message.labels),
        bounds=tuple(message.bounds),
    )
    if shape.type is MetricType.HISTOGRAM:
        points = {tuple(one.labels): Point(one.value, tuple(one.buckets)) for one in message.points}
    else:
        points = {tuple(one.labels): Point(one.value) for one in message.points}
    return Family(shape=shape, points=points)
