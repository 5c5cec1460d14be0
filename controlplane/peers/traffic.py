"""Traffic of the mesh, from what the sidecars of each replica counted.

A sidecar that moved has counted at two replicas, and each of them adds its part. When the one that it left is
gone, only what it counted since it moved is known: rates are then taken over that time, which all cover.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from math import floor

from controlplane.model.traffic import (
    LIVE_SECONDS,
    Attempts,
    Counted,
    Latency,
    Question,
    Reporter,
    RowKey,
    Traffic,
    TrafficShare,
)


@dataclass(slots=True)
class _Sums:
    """One row, added up over replicas."""

    requests: float = 0.0
    failed: float = 0.0
    attempts: Attempts = field(default_factory=Attempts)
    buckets: list[float] = field(default_factory=list)
    refused: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=dict)

    def add(self, counted: Counted, live: frozenset[str]) -> None:
        """Counts one replica's part; of what is in flight, that of the sidecars that are `live` there."""
        self.requests += counted.requests
        self.failed += counted.failed
        self.attempts += counted.attempts
        self.buckets = [sum(pair) for pair in zip_longest(self.buckets, counted.buckets, fillvalue=0.0)]
        for reason, count in counted.refused.items():
            self.refused[reason] = self.refused.get(reason, 0.0) + count
        self.in_flight |= {name: count for name, count in counted.in_flight.items() if name in live}


def add_up(shares: Sequence[TrafficShare], question: Question) -> tuple[Traffic, ...]:
    """The traffic asked for, sorted by service, peer and route; rows without any are left out."""
    newest = _newest(shares)
    rows: dict[RowKey, _Sums] = {}
    for position, share in enumerate(shares):
        live = frozenset(name for name, (age, where) in newest.items() if where == position)
        for counted in share.counted:
            rows.setdefault(counted.key, _Sums()).add(counted, live)
    bounds = max((share.bounds for share in shares), key=len, default=())
    found = (_row(key, rows[key], bounds, question) for key in sorted(rows) if rows[key].requests)
    return tuple(found)


def covered_seconds(shares: Iterable[TrafficShare], question: Question) -> int:
    """The newest part of the window, at least a second, about which all live sidecars are known."""
    known: dict[str, list[Reporter]] = {}
    for reporter in (one for share in shares for one in share.reporters):
        known.setdefault(reporter.instance, []).append(reporter)
    covered = question.window_seconds
    for reporters in known.values():
        if min(one.age_seconds for one in reporters) <= LIVE_SECONDS:
            times = [one.known_seconds for one in reporters]
            since = [seconds for seconds in times if seconds is not None]
            if len(since) == len(times):
                covered = min(covered, floor(max(since)))
    return max(covered, 1)


def percentile(bounds: Sequence[float], buckets: Sequence[float], share: float) -> float:
    """The value below which `share` of the counts lie, in the unit of `bounds`; zero without counts.

    Counts are taken to lie evenly within a bucket, and those of the last, which has no bound, at the one
    before.
    """
    rank, below = share * sum(buckets), 0.0
    if not rank:
        return 0.0
    for index, (bound, count) in enumerate(zip(bounds, buckets, strict=False)):
        if count and below + count >= rank:
            lower = bounds[index - 1] if index else 0.0
            return lower + (bound - lower) * (rank - below) / count
        below += count
    return bounds[-1]


def _newest(shares: Sequence[TrafficShare]) -> Mapping[str, tuple[float, int]]:
    """The age of each live sidecar's last report, and the position of the share that has it."""
    found: dict[str, tuple[float, int]] = {}
    for position, share in enumerate(shares):
        for one in share.reporters:
            if one.age_seconds <= LIVE_SECONDS:
                here = (one.age_seconds, position)
                found[one.instance] = min(here, found.get(one.instance, here))
    return found


def _row(key: RowKey, sums: _Sums, bounds: Sequence[float], question: Question) -> Traffic:
    seconds = question.window_seconds
    return Traffic(
        service=key.service,
        peer=key.peer,
        route=key.route,
        requests=sums.requests / seconds,
        success_ratio=1 - sums.failed / sums.requests,
        attempts=(sums.attempts.total or sums.requests) / seconds,
        attempt_success_ratio=sums.attempts.success_ratio,
        latency=Latency(
            p50=percentile(bounds, sums.buckets, 0.50),
            p95=percentile(bounds, sums.buckets, 0.95),
            p99=percentile(bounds, sums.buckets, 0.99),
        ),
        in_flight=round(sum(sums.in_flight.values())),
        refused={reason: count / seconds for reason, count in sorted(sums.refused.items())},
        sidecars=len(sums.in_flight),
    )
