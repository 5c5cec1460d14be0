"""Active health checks, and who of many probes."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import HealthProbes, checker, is_prober, probers_verdict
from sidecar.machines.units import SECOND_NS

__all__ = ["HealthCheckParams", "HealthProbes", "HealthVerdict", "checker", "is_prober", "probers_verdict"]

HealthVerdict = Literal["unknown", "healthy", "unhealthy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckParams:
    """Settings of active health checks, but for what is asked."""

    interval_ns: int = 10 * SECOND_NS
    unhealthy_after: int = 3
    healthy_after: int = 2
