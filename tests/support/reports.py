"""Reports of sidecars, made by hand."""

from collections.abc import Mapping
from dataclasses import replace

from controlplane.telemetry.merge import Merge
from controlplane.telemetry.report import Baseline, Family, LabelValues, MetricType, Point, Report, Shape

SECOND = 1_000_000_000
EPOCH = 1_000 * SECOND
NOW = EPOCH + 60 * SECOND
REQUESTS = Shape(
    name="breakwater_requests_total",
    type=MetricType.COUNTER,
    labels=("direction", "service", "peer", "method", "code_class", "grpc_status", "reason"),
)
DURATIONS = Shape(
    name="breakwater_request_duration_seconds",
    type=MetricType.HISTOGRAM,
    labels=("direction", "service", "peer"),
    bounds=(0.01, 0.1, 1.0),
)
ATTEMPTS = Shape(
    name="breakwater_attempts_total", type=MetricType.COUNTER, labels=("service", "peer", "result")
)
IN_FLIGHT = Shape(name="breakwater_inflight", type=MetricType.GAUGE, labels=("direction", "service", "peer"))


def series(
    service: str = "shop/cart",
    *,
    peer: str = "",
    code: str = "2xx",
    grpc: str = "",
    reason: str = "",
) -> LabelValues:
    """Requests to a service as it sees them; with `peer`, as that caller does."""
    return ("outbound" if peer else "inbound", service, peer, "GET", code, grpc, reason)


def family(shape: Shape, values: Mapping[LabelValues, float]) -> Family:
    return Family(shape=shape, points={labels: Point(value) for labels, value in values.items()})


def report(*families: Family, instance: str = "cart-0", epoch: int = EPOCH, at: int = NOW) -> Report:
    return Report(instance=instance, epoch_ns=epoch, at_ns=at, families=families)


def counted(
    value: float,
    *,
    instance: str = "cart-0",
    epoch: int = EPOCH,
    at: int = NOW,
    baseline: Baseline | None = None,
) -> Report:
    """A sidecar that has served `value` requests since its epoch."""
    families = (family(REQUESTS, {series(): value}),)
    return Report(instance=instance, epoch_ns=epoch, at_ns=at, families=families, baseline=baseline)


def baseline(value: float, *, at: int) -> Baseline:
    """What was counted of a sidecar elsewhere: `value` requests."""
    return Baseline(at_ns=at, families=(family(REQUESTS, {series(): value}),))


def take(merge: Merge, report: Report, now: int) -> None:
    """Take a report that was made at the instant at which it comes."""
    merge.take(replace(report, at_ns=now), now)
