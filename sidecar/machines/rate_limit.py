"""Rate limits: of requests, of bytes, and those that move."""

from dataclasses import dataclass
from typing import Literal

from sidecar._core import (
    Adaptive,
    Admitted,
    Bandwidth,
    Limited,
    Limits,
    LimitView,
    Strain,
    Wait,
    pushback_ms,
    retry_after_seconds,
)
from sidecar.machines.units import SECOND_NS

__all__ = [
    "Adaptive",
    "AdaptiveParams",
    "Admitted",
    "Algorithm",
    "Ask",
    "Bandwidth",
    "Concurrency",
    "FixedWindow",
    "LeakyBucket",
    "LimitParams",
    "LimitView",
    "Limited",
    "Limits",
    "Rate",
    "SlidingLog",
    "SlidingWindow",
    "Strain",
    "TokenBucket",
    "Wait",
    "WhenKeysFull",
    "pushback_ms",
    "retry_after_seconds",
]

WhenKeysFull = Literal["ShareOne", "Refuse", "Allow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`requests` in `per_ns`, in equal and exact shares for so many `members`."""

    requests: int
    per_ns: int
    members: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenBucket:
    """Tokens that come continuously; `burst` fit, where `None` those of a second."""

    rate: Rate
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyBucket:
    """A line of `queue` places that moves at a fixed rate; without places, a meter."""

    rate: Rate
    queue: int = 0
    max_wait_ns: int = SECOND_NS
    evict: Literal["Newest", "Oldest"] = "Newest"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedWindow:
    """So many per window; windows follow the calendar, or begin with the first request."""

    rate: Rate
    aligned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingLog:
    """So many in any stretch of time."""

    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingWindow:
    """As good as that, from the counts of `buckets` slices and one more."""

    rate: Rate
    buckets: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """So many in flight, in equal and exact shares for so many `members`."""

    limit: int
    members: int = 1


Algorithm = TokenBucket | LeakyBucket | FixedWindow | SlidingLog | SlidingWindow | Concurrency


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitParams:
    """Settings of a limit: one count, or one per key."""

    algorithm: Algorithm
    max_keys: int = 65_536
    when_keys_full: WhenKeysFull = "ShareOne"
    count_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveParams:
    """Bounds of a limit that moves, and the most that may be measured: nanoseconds, or millionths."""

    min: int
    max: int
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a request costs one limit, `None` where its answer will tell: for `key`, a 64-bit hash, or all."""

    limit: int
    key: int | None = None
    cost: int | None = 1
