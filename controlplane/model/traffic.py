"""Traffic of services over a window: as sidecars counted it, and as people read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
    """Rates per second of one service, or with `peer` of one caller to it, or with `route` under one rule.

    The ratios are the share from 0 to 1 that did not fail; `refused` maps reasons to rates; `sidecars` is how
    many reported it.
    """

    service: str
    peer: str = ""
    route: str = ""
    requests: float = 0.0
    success_ratio: float = 1.0
    attempts: float = 0.0
    attempt_success_ratio: float = 1.0
    latency: Latency = field(default_factory=Latency)
    in_flight: int = 0
    refused: Mapping[str, float] = field(default_factory=dict)
    sidecars: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose traffic: of `service` or of all, as its callers see it (`outbound`) or as it sees itself.

    By rules of routes, callers are added up.
    """

    service: str = ""
    outbound: bool = False
    window_seconds: int = 10
    by_route: bool = False


class RowKey(NamedTuple):
    """What traffic is told of: a service, one caller of it, or what falls under one rule."""

    service: str
    peer: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How many attempts there were, how many of them succeeded, and how many were given up before."""

    total: float = 0.0
    succeeded: float = 0.0
    cancelled: float = 0.0

    def __add__(self, other: Attempts) -> Attempts:
        return Attempts(
            total=self.total + other.total,
            succeeded=self.succeeded + other.succeeded,
            cancelled=self.cancelled + other.cancelled,
        )

    @property
    def success_ratio(self) -> float:
        """The share that succeeded of those that ended by themselves."""
        ended = self.total - self.cancelled
        return self.succeeded / ended if ended else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What sidecars counted in a window.

    `buckets` of latencies are as the bounds of the whole share; `refused` maps reasons to counts, `in_flight`
    every sidecar that has ever counted here and reported of late to its requests in flight.
    """

    key: RowKey
    requests: float = 0.0
    failed: float = 0.0
    attempts: Attempts = field(default_factory=Attempts)
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


def by_row(parts: Iterable[Counted]) -> dict[RowKey, Counted]:
    """What was counted of each row, added up, in the order in which rows first came."""
    rows: dict[RowKey, _Sums] = {}
    for part in parts:
        rows.setdefault(part.key, _Sums()).add(part)
    return {key: sums.counted(key) for key, sums in rows.items()}


@dataclass(slots=True)
class _Sums:
    """One row as far as it is added up."""

    requests: float = 0.0
    failed: float = 0.0
    attempts: Attempts = field(default_factory=Attempts)
    buckets: tuple[float, ...] = ()
    refused: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=dict)

    def add(self, part: Counted) -> None:
        self.requests += part.requests
        self.failed += part.failed
        self.attempts += part.attempts
        if part.buckets:
            pairs = zip_longest(self.buckets, part.buckets, fillvalue=0.0)
            self.buckets = tuple(map(sum, pairs))
        _add(self.refused, part.refused)
        _add(self.in_flight, part.in_flight)

    def counted(self, key: RowKey) -> Counted:
        return Counted(
            key=key,
            requests=self.requests,
            failed=self.failed,
            attempts=self.attempts,
            buckets=self.buckets,
            refused=self.refused,
            in_flight=self.in_flight,
        )


def _add(sums: dict[str, float], counts: Mapping[str, float]) -> None:
    for name, count in counts.items():
        sums[name] = sums.get(name, 0.0) + count
