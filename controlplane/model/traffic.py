"""Traffic of services over a window: as sidecars counted it, and as people read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

LIVE_SECONDS: Final = 30
"""A sidecar is live that reported within this time, several intervals of a replica with many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Percentiles in seconds."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Rates per second of one service, or with `peer` of one caller to it.

    `success_ratio` is the share from 0 to 1 that did not fail; `refused` maps reasons to rates; `sidecars` is
    how many reported it.
    """

    service: str
    peer: str = ""
    requests: float = 0.0
    success_ratio: float = 1.0
    attempts: float = 0.0
    latency: Latency = field(default_factory=Latency)
    in_flight: int = 0
    refused: Mapping[str, float] = field(default_factory=dict)
    sidecars: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose traffic: of `service` or of all, as its callers see it (`outbound`) or as it sees itself."""

    service: str = ""
    outbound: bool = False
    window_seconds: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What sidecars counted in a window of one service, or with `peer` of one caller to it.

    `buckets` of latencies are as the bounds of the whole share; `refused` maps reasons to counts, `in_flight`
    every sidecar that has ever counted here and reported of late to its requests in flight.
    """

    service: str
    peer: str = ""
    requests: float = 0.0
    failed: float = 0.0
    attempts: float = 0.0
    buckets: tuple[float, ...] = ()
    refused: Mapping[str, float] = field(default_factory=dict)
    in_flight: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """A sidecar that reports, `age_seconds` after its last report.

    With `known_seconds`, only what it counted so long before the end of the window is known here: what it
    counted earlier was reported elsewhere.
    """

    instance: str
    age_seconds: float
    known_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShare:
    """What the sidecars that report to one control plane counted in a window.

    `bounds` of the buckets in seconds, ascending; the last bucket has none.
    """

    bounds: tuple[float, ...] = ()
    counted: tuple[Counted, ...] = ()
    reporters: tuple[Reporter, ...] = ()
