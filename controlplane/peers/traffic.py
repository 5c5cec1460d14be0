"""Traffic of the mesh, from what the sidecars of each replica counted.

A sidecar that moved has counted at two replicas, and each of them adds its part. When the one that it left is
gone, only what it counted since it moved is known: rates are then taken over that time, which all cover.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import floor

from controlplane.model.traffic import (
    LIVE_SECONDS,
    Counted,
    Latency,
    Question,
    Reporter,
    Traffic,
    TrafficShare,
    by_row,
)


def add_up(shares: Sequence[TrafficShare], question: Question) -> tuple[Traffic, ...]:
    """The traffic asked for, sorted by service, peer and route; rows without any are left out."""
    rows = by_row(_parts(shares))
    bounds = max((share.bounds for share in shares), key=len, default=())
    return tuple(_row(rows[key], bounds, question) for key in sorted(rows) if rows[key].requests)


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


def _parts(shares: Sequence[TrafficShare]) -> Iterator[Counted]:
    """What each share counted; of what is in flight, that of the sidecars whose newest report it has."""
    newest = _newest(shares)
    for position, share in enumerate(shares):
        live = {name for name, (_, where) in newest.items() if where == position}
        for counted in share.counted:
            in_flight = {name: count for name, count in counted.in_flight.items() if name in live}
            yield replace(counted, in_flight=in_flight)


def _newest(shares: Sequence[TrafficShare]) -> Mapping[str, tuple[float, int]]:
    """The age of each live sidecar's last report, and the position of the share that has it."""
    found: dict[str, tuple[float, int]] = {}
    for position, share in enumerate(shares):
        for one in share.reporters:
            if one.age_seconds <= LIVE_SECONDS:
                here = (one.age_seconds, position)
                found[one.instance] = min(here, found.get(one.instance, here))
    return found


def _row(sums: Counted, bounds: Sequence[float], question: Question) -> Traffic:
    seconds = question.window_seconds
    return Traffic(
        service=sums.key.service,
        peer=sums.key.peer,
        route=sums.key.route,
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
