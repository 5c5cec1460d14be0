"""Traffic of a service over a window, as people read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
