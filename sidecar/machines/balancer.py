"""Endpoints: which of them may be called, and how one is chosen."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import Endpoints, GroupWatch, Outliers, Picked, reach
from sidecar.machines.units import SECOND_NS

__all__ = [
    "BalancingPolicy",
    "EjectionParams",
    "Endpoints",
    "FailurePercentage",
    "GroupWatch",
    "OutlierParams",
    "Outliers",
    "Picked",
    "Signal",
    "SlowerThanOthers",
    "SuccessRate",
    "reach",
]

BalancingPolicy = Literal["PeakEwma", "LeastRequest", "RoundRobin", "Random", "RingHash", "Maglev"]
"""How endpoints are chosen."""

Signal = Literal["success", "failure", "gateway_failure", "connect_failure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EjectionParams:
    """How many endpoints may be set aside, and below which share of healthy ones none is."""

    max_ejected: float = 10
    panic_threshold: float = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessRate:
    """Ejects what is `stdev_factor` standard deviations below the mean success rate of those compared."""

    stdev_factor: float = 1.9
    minimum_endpoints: int = 5
    minimum_requests: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePercentage:
    """Ejects where failures reach a share of the calls."""

    threshold: float = 85
    minimum_endpoints: int = 5
    minimum_requests: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowerThanOthers:
    """Ejects whose p90 is above `factor` times the median of its peers' at `sweeps` sweeps in a row."""

    factor: float = 3
    sweeps: int = 3
    minimum_samples: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierParams:
    """Settings of outlier detection; a detector that is `None` is off."""

    interval_ns: int = 10 * SECOND_NS
    consecutive_failures: int | None = None
    consecutive_gateway_failures: int | None = None
    connect_failures: int | None = None
    success_rate: SuccessRate | None = None
    failure_percentage: FailurePercentage | None = None
    latency: SlowerThanOthers | None = None
    base_ns: int = 30 * SECOND_NS
    max_ns: int = 300 * SECOND_NS
