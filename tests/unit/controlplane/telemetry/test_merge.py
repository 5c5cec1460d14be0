"""Adding up reports."""

import pytest

from controlplane.telemetry.merge import FORGOTTEN_NS, LIVE_NS, OTHER, Bounds, Merge
from controlplane.telemetry.report import Family, LabelValues, MetricType, Point, Shape
from tests.support.reports import (
    DURATIONS,
    EPOCH,
    IN_FLIGHT,
    REQUESTS,
    SECOND,
    counted,
    family,
    report,
    series,
)

NOW = EPOCH + 60 * SECOND


def values(merge: Merge, shape: Shape = REQUESTS, now: int = NOW) -> dict[LabelValues, float]:
    for merged in merge.families(now):
        if merged.shape == shape:
            return {labels: point.value for labels, point in merged.points.items()}
    return {}


def total(merge: Merge) -> float:
    return sum(values(merge).values())


def test_reports_of_two_sidecars_add_up() -> None:
    merge = Merge()
    merge.take(counted(10), NOW)
    merge.take(counted(5, instance="cart-1"), NOW)
    assert total(merge) == 15


def test_repeated_report_counts_once() -> None:
    merge = Merge()
    for _ in range(3):
        merge.take(counted(10), NOW)
    assert total(merge) == 10


def test_restarted_sidecar_adds_to_what_it_counted_before() -> None:
    merge = Merge()
    merge.take(counted(10), NOW)
    merge.take(counted(4, epoch=EPOCH + 50 * SECOND), NOW + SECOND)
    assert total(merge) == 14


def test_late_report_of_an_older_epoch_is_ignored() -> None:
    merge = Merge()
    merge.take(counted(4, epoch=EPOCH + 50 * SECOND), NOW)
    merge.take(counted(10), NOW + SECOND)
    assert total(merge) == 4


def test_series_that_is_left_out_and_returns_counts_once() -> None:
    merge = Merge()
    merge.take(counted(10), NOW)
    merge.take(report(), NOW + SECOND)
    merge.take(counted(12), NOW + 2 * SECOND)
    assert total(merge) == 12


def test_forgotten_sidecar_keeps_its_share_and_is_not_counted_again() -> None:
    merge = Merge()
    merge.take(counted(10), NOW)
    later = NOW + FORGOTTEN_NS + SECOND
    merge.forget(later)
    merge.take(counted(11), later)
    assert total(merge) == 10
    merge.take(counted(12), later + SECOND)
    assert total(merge) == 11


def test_value_that_falls_within_an_epoch_adds_nothing() -> None:
    merge = Merge()
    merge.take(counted(10), NOW)
    merge.take(counted(3), NOW + SECOND)
    merge.take(counted(5), NOW + 2 * SECOND)
    assert total(merge) == 12


def test_series_past_the_bound_go_to_one_called_other() -> None:
    merge = Merge(Bounds(series_per_family=3))
    for number in range(10):
        merge.take(report(family(REQUESTS, {series(f"shop/s{number}"): 1}), instance=f"s{number}"), NOW)
    found = values(merge)
    assert len(found) == 3
    assert found[(OTHER,) * 7] == 8
    assert merge.overflowed == 8


def test_one_sidecar_cannot_keep_more_series_than_its_share() -> None:
    merge = Merge(Bounds(series_per_instance=2))
    merge.take(report(family(REQUESTS, {series(f"shop/s{number}"): 1 for number in range(5)})), NOW)
    assert (total(merge), merge.dropped) == (2, 3)


def test_sidecars_past_the_bound_are_left_out() -> None:
    merge = Merge(Bounds(instances=1))
    merge.take(counted(1), NOW)
    merge.take(counted(5, instance="cart-1"), NOW)
    merge.take(counted(2), NOW + SECOND)
    assert (total(merge), merge.dropped) == (2, 1)


def test_measurement_of_another_shape_is_dropped() -> None:
    merge = Merge()
    merge.take(counted(1), NOW)
    odd = Shape(name=REQUESTS.name, type=MetricType.COUNTER, labels=("colour",))
    merge.take(report(family(odd, {("red",): 5}), instance="cart-1"), NOW)
    short = Family(shape=DURATIONS, points={("inbound", "shop/cart", ""): Point(1.0, (1.0,))})
    merge.take(report(short, instance="cart-2"), NOW)
    assert (total(merge), values(merge, DURATIONS), merge.dropped) == (1, {}, 2)


def test_gauges_are_of_live_sidecars_only() -> None:
    merge = Merge()
    labels = ("inbound", "shop/cart", "")
    merge.take(report(family(IN_FLIGHT, {labels: 3})), NOW)
    merge.take(report(family(IN_FLIGHT, {labels: 4}), instance="cart-1"), NOW + LIVE_NS)
    assert values(merge, IN_FLIGHT, NOW) == {labels: 7}
    assert values(merge, IN_FLIGHT, NOW + LIVE_NS + SECOND) == {labels: 4}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("breakwater_breaker_state", 2),
        ("breakwater_ratelimit_tokens_ratio", 1),
        ("breakwater_table_ratio", 2),
        ("breakwater_config_age_seconds", 2),
        ("breakwater_queue_depth", 3),
    ],
)
def test_gauges_of_sidecars_combine_as_their_unit_says(name: str, expected: float) -> None:
    shape = Shape(name=name, type=MetricType.GAUGE, labels=())
    merge = Merge()
    merge.take(report(family(shape, {(): 1})), NOW)
    merge.take(report(family(shape, {(): 2}), instance="cart-1"), NOW)
    assert values(merge, shape) == {(): expected}


def test_histograms_add_up_bucket_by_bucket() -> None:
    merge = Merge()
    labels = ("inbound", "shop/cart", "")
    for instance in ("cart-0", "cart-1"):
        merge.take(
            report(Family(shape=DURATIONS, points={labels: Point(0.5, (1, 2, 0, 1))}), instance=instance), NOW
        )
    merged = next(one for one in merge.families(NOW) if one.shape == DURATIONS)
    assert merged.points[labels] == Point(1.0, (2.0, 4.0, 0.0, 2.0))
