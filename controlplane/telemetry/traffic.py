"""Traffic of services: rates, success and latency over a window, from what all sidecars counted.

The window ends a little in the past, when every live sidecar has reported about it. A request failed by its
gRPC status when it has one, else by its HTTP status; a refusal by the sidecar is judged by the status it
answered.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TypeAlias

from controlplane.model.traffic import Latency, Traffic
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.rates import SECOND_NS

REQUESTS = "breakwater_requests_total"
DURATIONS = "breakwater_request_duration_seconds"
ATTEMPTS = "breakwater_attempts_total"
IN_FLIGHT = "breakwater_inflight"

DELAY_SECONDS = 3
"""How far in the past a window ends: the reporting interval and its jitter."""

_FAILED_GRPC = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_FAILED_HTTP = "5xx"
_Key: TypeAlias = tuple[str, str]


@dataclass(slots=True)
class _Sums:
    requests: float = 0.0
    failed: float = 0.0
    attempts: float = 0.0
    buckets: list[float] = field(default_factory=list)
    refused: dict[str, float] = field(default_factory=dict)
    in_flight: float = 0.0
    sidecars: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Whose traffic: of `service` or of all, as its callers see it (`outbound`) or as it sees itself."""

    service: str = ""
    outbound: bool = False
    window_seconds: int = 10

    def key(self, labels: Mapping[str, str]) -> _Key | None:
        """The row that a series belongs to, or `None` when it is not asked for."""
        direction = labels.get("direction", "outbound")
        if direction != ("outbound" if self.outbound else "inbound"):
            return None
        if self.service and labels.get("service") != self.service:
            return None
        return labels.get("service", ""), labels.get("peer", "") if self.outbound else ""


def traffic(merge: Merge, question: Question, now_ns: int) -> tuple[Traffic, ...]:
    """The traffic asked for, sorted by service and peer; services without any are left out."""
    last = now_ns // SECOND_NS - DELAY_SECONDS
    first = last - question.window_seconds
    rows: dict[_Key, _Sums] = {}
    for key, labels, increase in _growth(merge, REQUESTS, question, first, last):
        _add_requests(rows.setdefault(key, _Sums()), labels, increase[0])
    for key, _, increase in _growth(merge, DURATIONS, question, first, last):
        sums = rows.setdefault(key, _Sums())
        sums.buckets = [sum(pair) for pair in zip_longest(sums.buckets, increase[1:], fillvalue=0.0)]
    if question.outbound:
        for key, _, increase in _growth(merge, ATTEMPTS, question, first, last):
            rows.setdefault(key, _Sums()).attempts += increase[0]
    _add_live(rows, merge, question, now_ns)
    bounds = merge.bounds_of(DURATIONS)
    found = (_row(key, rows[key], bounds, question) for key in sorted(rows) if rows[key].requests)
    return tuple(found)


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


def _growth(
    merge: Merge, family: str, question: Question, first: int, last: int
) -> Iterator[tuple[_Key, dict[str, str], list[float]]]:
    for labels, increase in merge.growth(family, first, last):
        if key := question.key(labels):
            yield key, labels, increase


def _add_requests(sums: _Sums, labels: Mapping[str, str], count: float) -> None:
    sums.requests += count
    status = labels.get("grpc_status", "")
    failed = status in _FAILED_GRPC if status else labels.get("code_class") == _FAILED_HTTP
    sums.failed += count if failed else 0.0
    if reason := labels.get("reason", ""):
        sums.refused[reason] = sums.refused.get(reason, 0.0) + count


def _add_live(rows: dict[_Key, _Sums], merge: Merge, question: Question, now_ns: int) -> None:
    """Add what only the newest report of each sidecar says: requests in flight, and that it reported."""
    for instance, newest in merge.live(now_ns).items():
        for (family, values), point in newest.points.items():
            if family not in {REQUESTS, IN_FLIGHT}:
                continue
            key = question.key(merge.labels_of(family, values))
            if key in rows and family == REQUESTS:
                rows[key].sidecars.add(instance)
            elif key in rows:
                rows[key].in_flight += point.value


def _row(key: _Key, sums: _Sums, bounds: Sequence[float], question: Question) -> Traffic:
    seconds = question.window_seconds
    return Traffic(
        service=key[0],
        peer=key[1],
        requests=sums.requests / seconds,
        success_ratio=1 - sums.failed / sums.requests,
        attempts=(sums.attempts or sums.requests) / seconds,
        latency=Latency(
            p50=percentile(bounds, sums.buckets, 0.50),
            p95=percentile(bounds, sums.buckets, 0.95),
            p99=percentile(bounds, sums.buckets, 0.99),
        ),
        in_flight=round(sums.in_flight),
        refused={reason: count / seconds for reason, count in sorted(sums.refused.items())},
        sidecars=len(sums.sidecars),
    )
