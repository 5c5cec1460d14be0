"""What one sidecar reports, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple, TypeAlias

from controlplane.model.health import Checked
from registry.model import ServiceName

LabelValues: TypeAlias = tuple[str, ...]

REQUESTS: Final = "breakwater_requests_total"
DURATIONS: Final = "breakwater_request_duration_seconds"
ATTEMPTS: Final = "breakwater_attempts_total"
RATED: Final = frozenset({REQUESTS, DURATIONS, ATTEMPTS})
"""The families of which is kept how they grew lately: what traffic is told from."""


class MetricType(Enum):
    """What the values of a family are; counters and histograms only grow within an epoch."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Point(NamedTuple):
    """One measurement: the value, or a histogram's sum in seconds and the counts per bucket."""

    value: float
    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What all measurements of a family have in common; `bounds` of buckets in seconds, ascending."""

    name: str
    type: MetricType
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """How many labels and buckets each measurement must have."""
        return len(self.labels), len(self.bounds) + 1 if self.type is MetricType.HISTOGRAM else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One family of measurements by the values of their labels."""

    shape: Shape
    points: Mapping[LabelValues, Point]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What some replica has counted already, up to the report that the sidecar made at `at_ns`."""

    at_ns: int
    families: tuple[Family, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that a sidecar counted from its epoch until `at_ns`.

    Both are nanoseconds of the sidecar's own clock, which does not step back within an epoch.
    """

    instance: str
    epoch_ns: int
    at_ns: int
    families: tuple[Family, ...] = ()
    baseline: Baseline | None = None
    called: tuple[ServiceName, ...] = ()
    checker: int = 0
    checked: tuple[Checked, ...] = ()
    resident_bytes: int = 0
