"""Traffic of services: what the sidecars that report here counted over a window.

The window ends a little in the past, when every live sidecar has reported about it. A request failed by its
gRPC status when it has one, else by its HTTP status; a refusal by the sidecar is judged by the status it
answered.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from controlplane.model.traffic import (
    Attempts,
    Counted,
    Question,
    Reporter,
    RowKey,
    TrafficShare,
    by_row,
)
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.rates import KEPT_SECONDS, SECOND_NS
from controlplane.telemetry.report import ATTEMPTS, DURATIONS, REQUESTS

IN_FLIGHT = "breakwater_inflight"

_FAILED_GRPC = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
_FAILED_HTTP = "5xx"
_SUCCEEDED = "success"
_CANCELLED = "cancelled"


def count(merge: Merge, question: Question, now_ns: int, delay_seconds: int) -> TrafficShare:
    """What was counted of the traffic asked for, in the window that ended `delay_seconds` ago."""
    last = now_ns // SECOND_NS - delay_seconds
    first = last - question.window_seconds
    parts = [
        (_requests(*grown) for grown in _growth(merge, REQUESTS, question, first, last)),
        (_durations(*grown) for grown in _growth(merge, DURATIONS, question, first, last)),
        _live(merge, question, now_ns),
    ]
    if question.outbound:
        parts.append(_attempts(*grown) for grown in _growth(merge, ATTEMPTS, question, first, last))
    return TrafficShare(
        bounds=merge.bounds_of(DURATIONS),
        counted=tuple(by_row(chain.from_iterable(parts)).values()),
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


def _requests(key: RowKey, labels: Mapping[str, str], increase: list[float]) -> Counted:
    count, reason, status = increase[0], labels.get("reason", ""), labels.get("grpc_status", "")
    failed = status in _FAILED_GRPC if status else labels.get("code_class") == _FAILED_HTTP
    return Counted(
        key=key,
        requests=count,
        failed=count if failed else 0.0,
        refused={reason: count} if reason else {},
    )


def _durations(key: RowKey, _labels: Mapping[str, str], increase: list[float]) -> Counted:
    return Counted(key=key, buckets=tuple(increase[1:]))


def _attempts(key: RowKey, labels: Mapping[str, str], increase: list[float]) -> Counted:
    count, result = increase[0], labels.get("result", "")
    attempts = Attempts(
        total=count,
        succeeded=count if result == _SUCCEEDED else 0.0,
        cancelled=count if result == _CANCELLED else 0.0,
    )
    return Counted(key=key, attempts=attempts)


def _live(merge: Merge, question: Question, now_ns: int) -> Iterator[Counted]:
    """What only the newest report of each sidecar says: requests in flight, and that it reported."""
    for instance, newest in merge.live(now_ns).items():
        for (family, values), point in newest.points.items():
            if family not in {REQUESTS, IN_FLIGHT}:
                continue
            if key := _key(question, merge.labels_of(family, values)):
                in_flight = point.value if family == IN_FLIGHT else 0.0
                yield Counted(key=key, in_flight={instance: in_flight})


def _reporters(merge: Merge, now_ns: int, last: int) -> Iterator[Reporter]:
    """Whoever may have counted in a window that ends with the second `last`."""
    for instance, newest in merge.heard(now_ns, KEPT_SECONDS * SECOND_NS).items():
        since_ns = newest.since_ns
        yield Reporter(
            instance=instance,
            age_seconds=(now_ns - newest.reported_ns) / SECOND_NS,
            known_seconds=None if since_ns is None else last - since_ns / SECOND_NS,
        )
