"""Traffic of several replicas, added up."""

import pytest

from controlplane.model.traffic import (
    LIVE_SECONDS,
    Counted,
    Question,
    Reporter,
    RowKey,
    Traffic,
    TrafficShare,
)
from controlplane.peers.traffic import add_up, covered_seconds, percentile

BOUNDS = (0.01, 0.1, 1.0)
TEN_SECONDS = Question(window_seconds=10)


def counted(requests: float, *, failed: float = 0, in_flight: dict[str, float] | None = None) -> Counted:
    return Counted(
        key=RowKey("shop/cart"),
        requests=requests,
        failed=failed,
        buckets=(requests, 0, 0, 0),
        refused={"ratelimit.token": failed},
        in_flight=in_flight or {},
    )


def share(*rows: Counted, reporters: tuple[Reporter, ...] = ()) -> TrafficShare:
    return TrafficShare(bounds=BOUNDS, counted=rows, reporters=reporters)


def reporter(instance: str, age_seconds: float = 1.0, known_seconds: float | None = None) -> Reporter:
    return Reporter(instance=instance, age_seconds=age_seconds, known_seconds=known_seconds)


def only(shares: list[TrafficShare]) -> Traffic:
    [row] = add_up(shares, TEN_SECONDS)
    return row


def test_requests_failures_and_refusals_are_added_before_they_are_divided() -> None:
    row = only([share(counted(100)), share(counted(300, failed=40))])
    assert row.requests == pytest.approx(40)
    assert row.success_ratio == pytest.approx(0.9)
    assert row.refused == {"ratelimit.token": pytest.approx(4)}


def test_latency_is_read_from_the_buckets_of_all() -> None:
    slow = Counted(key=RowKey("shop/cart"), requests=100, buckets=(0, 0, 100, 0))
    row = only([share(counted(100)), share(slow)])
    assert row.latency.p99 > 0.9
    assert row.latency.p50 == pytest.approx(0.01)


def test_replica_without_reports_adds_nothing() -> None:
    row = only([share(counted(100)), TrafficShare()])
    assert row.requests == pytest.approx(10)
    assert row.latency.p50 > 0


def test_sidecar_that_moved_is_one_sidecar_with_its_newest_requests_in_flight() -> None:
    left = share(counted(100, in_flight={"cart-0": 5}), reporters=(reporter("cart-0", 9),))
    joined = share(counted(20, in_flight={"cart-0": 1}), reporters=(reporter("cart-0", 1),))
    row = only([left, joined])
    assert (row.sidecars, row.in_flight) == (1, 1)
    assert row.requests == pytest.approx(12)


def test_sidecar_that_is_silent_everywhere_is_not_counted() -> None:
    silent = reporter("cart-0", LIVE_SECONDS + 1)
    row = only([share(counted(100, in_flight={"cart-0": 5}), reporters=(silent,))])
    assert (row.sidecars, row.in_flight) == (0, 0)


def test_window_is_covered_when_nobody_came_from_elsewhere() -> None:
    assert covered_seconds([share(reporters=(reporter("cart-0"),))], TEN_SECONDS) == 10


def test_window_is_covered_while_the_replica_that_a_sidecar_left_answers() -> None:
    left = share(reporters=(reporter("cart-0", 9),))
    joined = share(reporters=(reporter("cart-0", 1, known_seconds=7),))
    assert covered_seconds([left, joined], TEN_SECONDS) == 10


def test_only_what_a_sidecar_counted_since_it_came_is_covered_when_that_replica_is_gone() -> None:
    joined = share(reporters=(reporter("cart-0", 1, known_seconds=6.5), reporter("cart-1")))
    assert covered_seconds([joined], TEN_SECONDS) == 6


def test_at_least_a_second_is_looked_at() -> None:
    joined = share(reporters=(reporter("cart-0", 1, known_seconds=1),))
    assert covered_seconds([joined], TEN_SECONDS) == 1


def test_sidecar_that_came_and_fell_silent_narrows_nothing() -> None:
    gone = reporter("cart-0", LIVE_SECONDS + 1, known_seconds=9)
    assert covered_seconds([share(reporters=(gone,))], TEN_SECONDS) == 10


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ((0, 0, 0, 0), 0.5, 0.0),
        ((10, 0, 0, 0), 0.5, 0.005),
        ((0, 10, 0, 0), 1.0, 0.1),
        ((0, 0, 0, 10), 0.5, 1.0),
        ((), 0.5, 0.0),
    ],
)
def test_percentile_lies_within_its_bucket(buckets: tuple[int, ...], share: float, expected: float) -> None:
    assert percentile(BOUNDS, buckets, share) == pytest.approx(expected)
