"""The merged families of all sidecars in the form that Prometheus reads."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from controlplane.telemetry.merge import Merge, Merged
from controlplane.telemetry.report import MetricType, Point

_HELP = "Added up over all sidecars."


class MergedCollector(Collector):
    """Reads the totals when Prometheus asks."""

    def __init__(self, merge: Merge, now_ns: Callable[[], int]) -> None:
        self._merge = merge
        self._now_ns = now_ns

    def describe(self) -> Iterable[Metric]:
        """Nothing: which families there are is known only from the reports."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Every merged family, and how much of the reports did not fit."""
        yield from map(_metric, self._merge.families(self._now_ns()))
        overflow = CounterMetricFamily(
            "breakwater_controlplane_telemetry_overflows",
            "Measurements that went to the series `other`, or nowhere, for want of room.",
            labels=("place",),
        )
        overflow.add_metric(("other",), self._merge.overflowed)
        overflow.add_metric(("nowhere",), self._merge.dropped)
        yield overflow


def _metric(merged: Merged) -> Metric:
    shape = merged.shape
    if shape.type is MetricType.HISTOGRAM:
        histogram = HistogramMetricFamily(shape.name, _HELP, labels=shape.labels)
        for labels, point in merged.points.items():
            histogram.add_metric(labels, list(_cumulative(shape.bounds, point)), point.value)
        return histogram
    family = CounterMetricFamily if shape.type is MetricType.COUNTER else GaugeMetricFamily
    plain = family(shape.name, _HELP, labels=shape.labels)
    for labels, point in merged.points.items():
        plain.add_metric(labels, point.value)
    return plain


def _cumulative(bounds: Iterable[float], point: Point) -> Iterator[tuple[str, float]]:
    total = 0.0
    for bound, count in zip((*map(str, bounds), "+Inf"), point.buckets, strict=True):
        total += count
        yield bound, total
