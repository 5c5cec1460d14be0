"""Circuit breakers."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import BREAKER_TRANSITIONS, Breaker, Counts, Permit, Refusal, Transition
from sidecar.machines.units import SECOND_NS

__all__ = [
    "BREAKER_TRANSITIONS",
    "Breaker",
    "BreakerParams",
    "Cause",
    "CountWindow",
    "Counts",
    "Permit",
    "Probes",
    "Refusal",
    "State",
    "Successes",
    "TimeWindow",
    "Transition",
]

State = Literal["closed", "open", "half_open", "forced_open", "forced_closed", "disabled"]
Cause = Literal[
    "consecutive_failures",
    "error_rate",
    "slow_rate",
    "open_time_over",
    "probe_failed",
    "probe_slow",
    "probe_silent",
    "probes_passed",
    "forced",
    "force_over",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountWindow:
    """Rates are taken over the last `size` calls."""

    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """Rates are taken over the calls of the last stretch of time, in ten buckets."""

    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Successes:
    """Half open: so many successes close, the first failure opens; at most so many are out at a time."""

    successes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Half open: so many calls in all, judged by their rates once all have finished."""

    probes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerParams:
    """Settings of a breaker; what is `None` never trips it."""

    window: CountWindow | TimeWindow = CountWindow(size=100)
    minimum_requests: int = 20
    error_rate: float | None = 50
    slow_rate: float | None = None
    slow_after_ns: int | None = None
    consecutive_failures: int | None = 5
    reset_timeout_ns: int = 60 * SECOND_NS
    open_base_ns: int = 30 * SECOND_NS
    open_multiplier: float = 2
    open_max_ns: int = 300 * SECOND_NS
    open_jitter: float = 20
    trial: Successes | Probes = Successes(successes=3)
    max_wait_ns: int = 30 * SECOND_NS
    overload_open_ns: int | None = None
