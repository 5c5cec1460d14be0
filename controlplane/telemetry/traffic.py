"""Traffic of services: what the sidecars that report here counted over a window.

The window ends a little in the past, when every live sidecar has reported about it. A request failed by its
gRPC status when it has one, else by its HTTP status; a refusal by the sidecar is judged by the status it
answered.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

from controlplane.model.traffic import Attempts, Counted, Question, Reporter, RowKey, TrafficShare
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.rates import KEPT_SECONDS, SECOND_NS
from controlplane.telemetry.report import ATTEMPTS, DURATIONS, REQUESTS

IN_FLIGHT = "breakwater_inflight"

_FAILED_GRPC = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_FAILED_HTTP = "5xx"
_SUCCEEDED = "success"
_CANCELLED = "cancelled"


@dataclass(slots=True)
class _Sums:
    requests: float = 0.0
    failed: float = 0.0
    attempts: Attempts = field(default_factory=Attempts)
    buckets: list[float] = field(default_factory=list)
    refused: dict[str, float] = field(default_factory=dict)
    in_flight: dict[str, float] = field(default_factory=dict)


def count(merge: Merge, question: Question, now_ns: int, delay_seconds: int) -> TrafficShare:
    """What was counted of the traffic asked for, in the window that ended `delay_seconds` ago."""
    last = now_ns // SECOND_NS - delay_seconds
    first = last - question.window_seconds
    rows: dict[RowKey, _Sums] = {}
    for key, labels, increase in _growth(merge, REQUESTS, question, first, last):
        _add_requests(rows.setdefault(key, _Sums()), labels, increase[0])
    for key, _, increase in _growth(merge, DURATIONS, question, first, last):
        sums = rows.setdefault(key, _Sums())
        sums.buckets = [sum(pair) for pair in zip_longest(sums.buckets, increase[1:], fillvalue=0.0)]
    if question.outbound:
        for key, labels, increase in _growth(merge, ATTEMPTS, question, first, last):
            rows.setdefault(key, _Sums()).attempts += _attempts(labels, increase[0])
    _add_live(rows, merge, question, now_ns)
    return TrafficShare(
        bounds=merge.bounds_of(DURATIONS),
        counted=tuple(_counted(key, sums) for key, sums in rows.items()),
        reporters=tuple(_reporters(merge, now_ns, last)),
    )


def _key(question: Question, labels: Mapping[str, str]) -> RowKey | None:
    """The row that a series belongs to, or `None` when it is not asked for."""
    direction = labels.get("direction", "outbound")
    if direction != ("outbound" if question.outbound else "inbound"):
        return None
    if question.service and labels.get("service") != question.service:
        return None
    service = labels.get("service", "")
    if question.by_route:
        return RowKey(service, route=labels.get("route", ""))
    return RowKey(service, labels.get("peer", "") if question.outbound else "")


def _growth(
    merge: Merge, family: str, question: Question, first: int, last: int
) -> Iterator[tuple[RowKey, dict[str, str], list[float]]]:
    for labels, increase in merge.growth(family, first, last):
        if key := _key(question, labels):
            yield key, labels, increase


def _add_requests(sums: _Sums, labels: Mapping[str, str], count: float) -> None:
    sums.requests += count
    status = labels.get("grpc_status", "")
    failed = status in _FAILED_GRPC if status else labels.get("code_class") == _FAILED_HTTP
    sums.failed += count if failed else 0.0
    if reason := labels.get("reason", ""):
        sums.refused[reason] = sums.refused.get(reason, 0.0) + count


def _attempts(labels: Mapping[str, str], count: float) -> Attempts:
    result = labels.get("result", "")
    return Attempts(
        total=count,
        succeeded=count if result == _SUCCEEDED else 0.0,
        cancelled=count if result == _CANCELLED else 0.0,
    )


def _add_live(rows: dict[RowKey, _Sums], merge: Merge, question: Question, now_ns: int) -> None:
    """Add what only the newest report of each sidecar says: requests in flight, and that it reported."""
    for instance, newest in merge.live(now_ns).items():
        for (family, values), point in newest.points.items():
            if family not in {REQUESTS, IN_FLIGHT}:
                continue
            key = _key(question, merge.labels_of(family, values))
            if key:
                in_flight = rows.setdefault(key, _Sums()).in_flight
                in_flight.setdefault(instance, 0.0)
                in_flight[instance] += point.value if family == IN_FLIGHT else 0.0


def _counted(key: RowKey, sums: _Sums) -> Counted:
    return Counted(
        key=key,
        requests=sums.requests,
        failed=sums.failed,
        attempts=sums.attempts,
        buckets=tuple(sums.buckets),
        refused=sums.refused,
        in_flight=sums.in_flight,
    )


def _reporters(merge: Merge, now_ns: int, last: int) -> Iterator[Reporter]:
    """Whoever may have counted in a window that ends with the second `last`."""
    for instance, newest in merge.heard(now_ns, KEPT_SECONDS * SECOND_NS).items():
        since_ns = newest.since_ns
        yield Reporter(
            instance=instance,
            age_seconds=(now_ns - newest.reported_ns) / SECOND_NS,
            known_seconds=None if since_ns is None else last - since_ns / SECOND_NS,
        )
