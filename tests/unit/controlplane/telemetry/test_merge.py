"""Adding up reports."""

from math import inf, nan

import pytest

from controlplane.telemetry.merge import FORGOTTEN_NS, LIVE_NS, OTHER, Bounds, Merge
from controlplane.telemetry.report import Family, LabelValues, MetricType, Point, Shape
from tests.support.reports import (
    DURATIONS,
    EPOCH,
    IN_FLIGHT,
    NOW,
    REQUESTS,
    SECOND,
    baseline,
    counted,
    family,
    report,
    series,
    take,
)


def values(merge: Merge, shape: Shape = REQUESTS, now: int = NOW) -> dict[LabelValues, float]:
    for merged in merge.families(now):
        if merged.shape == shape:
            return {labels: point.value for labels, point in merged.points.items()}
    return {}


def total(merge: Merge) -> float:
    return sum(values(merge).values())


def test_reports_of_two_sidecars_add_up() -> None:
    merge = Merge()
    take(merge, counted(10), NOW)
    take(merge, counted(5, instance="cart-1"), NOW)
    assert total(merge) == 15


def test_repeated_report_counts_once() -> None:
    merge = Merge()
    for _ in range(3):
        take(merge, counted(10), NOW)
    assert total(merge) == 10


def test_restarted_sidecar_adds_to_what_it_counted_before() -> None:
    merge = Merge()
    take(merge, counted(10), NOW)
    take(merge, counted(4, epoch=EPOCH + 50 * SECOND), NOW + SECOND)
    assert total(merge) == 14


def test_late_report_of_an_older_epoch_is_ignored() -> None:
    merge = Merge()
    take(merge, counted(4, epoch=EPOCH + 50 * SECOND), NOW)
    take(merge, counted(10), NOW + SECOND)
    assert total(merge) == 4


def test_series_that_is_left_out_and_returns_counts_once() -> None:
    merge = Merge()
    take(merge, counted(10), NOW)
    take(merge, report(), NOW + SECOND)
    take(merge, counted(12), NOW + 2 * SECOND)
    assert total(merge) == 12


def test_forgotten_sidecar_keeps_its_share_and_is_not_counted_again() -> None:
    merge = Merge()
    take(merge, counted(10), NOW)
    later = NOW + FORGOTTEN_NS + SECOND
    merge.forget(later)
    take(merge, counted(11), later)
    assert total(merge) == 10
    take(merge, counted(12), later + SECOND)
    assert total(merge) == 11


def test_value_that_falls_within_an_epoch_adds_nothing() -> None:
    merge = Merge()
    take(merge, counted(10), NOW)
    take(merge, counted(3), NOW + SECOND)
    take(merge, counted(5), NOW + 2 * SECOND)
    assert total(merge) == 12


def test_series_past_the_bound_go_to_one_called_other() -> None:
    merge = Merge(Bounds(series_per_family=3))
    for number in range(10):
        take(merge, report(family(REQUESTS, {series(f"shop/s{number}"): 1}), instance=f"s{number}"), NOW)
    found = values(merge)
    assert len(found) == 3
    assert found[(OTHER,) * 7] == 8
    assert merge.overflowed == 8


def test_one_sidecar_cannot_keep_more_series_than_its_share() -> None:
    merge = Merge(Bounds(series_per_instance=2))
    take(merge, report(family(REQUESTS, {series(f"shop/s{number}"): 1 for number in range(5)})), NOW)
    assert (total(merge), merge.dropped) == (2, 3)


def test_sidecars_past_the_bound_are_left_out() -> None:
    merge = Merge(Bounds(instances=1))
    take(merge, counted(1), NOW)
    take(merge, counted(5, instance="cart-1"), NOW)
    take(merge, counted(2), NOW + SECOND)
    assert (total(merge), merge.dropped) == (2, 1)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_is_dropped(value: float) -> None:
    merge = Merge()
    take(merge, counted(value), NOW)
    take(merge, counted(10), NOW + SECOND)
    times = Family(shape=DURATIONS, points={("inbound", "shop/cart", ""): Point(1, (value, 0, 0, 0))})
    take(merge, report(times, instance="cart-1"), NOW + SECOND)
    assert (total(merge), values(merge, DURATIONS), merge.dropped) == (10, {}, 2)


def test_what_traffic_is_told_from_finds_room_before_all_else() -> None:
    merge = Merge(Bounds(series_per_instance=2))
    many = family(IN_FLIGHT, {("inbound", f"shop/s{number}", ""): 1 for number in range(10)})
    take(merge, report(many, family(REQUESTS, {series(): 1})), NOW)
    assert (total(merge), len(values(merge, IN_FLIGHT)), merge.dropped) == (1, 1, 9)


def test_measurement_of_another_shape_is_dropped() -> None:
    merge = Merge()
    take(merge, counted(1), NOW)
    odd = Shape(name=REQUESTS.name, type=MetricType.COUNTER, labels=("colour",))
    take(merge, report(family(odd, {("red",): 5}), instance="cart-1"), NOW)
    short = Family(shape=DURATIONS, points={("inbound", "shop/cart", ""): Point(1.0, (1.0,))})
    take(merge, report(short, instance="cart-2"), NOW)
    assert (total(merge), values(merge, DURATIONS), merge.dropped) == (1, {}, 2)


def test_gauges_are_of_live_sidecars_only() -> None:
    merge = Merge()
    labels = ("inbound", "shop/cart", "")
    take(merge, report(family(IN_FLIGHT, {labels: 3})), NOW)
    take(merge, report(family(IN_FLIGHT, {labels: 4}), instance="cart-1"), NOW + LIVE_NS)
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
    take(merge, report(family(shape, {(): 1})), NOW)
    take(merge, report(family(shape, {(): 2}), instance="cart-1"), NOW)
    assert values(merge, shape) == {(): expected}


def test_histograms_add_up_bucket_by_bucket() -> None:
    merge = Merge()
    labels = ("inbound", "shop/cart", "")
    for instance in ("cart-0", "cart-1"):
        take(
            merge,
            report(Family(shape=DURATIONS, points={labels: Point(0.5, (1, 2, 0, 1))}), instance=instance),
            NOW,
        )
    merged = next(one for one in merge.families(NOW) if one.shape == DURATIONS)
    assert merged.points[labels] == Point(1.0, (2.0, 4.0, 0.0, 2.0))


def test_what_was_counted_elsewhere_adds_nothing_but_what_came_since() -> None:
    merge = Merge()
    moved = counted(12, at=NOW + 4 * SECOND, baseline=baseline(10, at=NOW))
    merge.take(moved, NOW + 4 * SECOND)
    assert total(merge) == 2


def test_baseline_that_is_older_than_what_is_known_changes_nothing() -> None:
    merge = Merge()
    merge.take(counted(10, at=NOW), NOW)
    merge.take(counted(12, at=NOW + SECOND), NOW + SECOND)
    again = counted(15, at=NOW + 2 * SECOND, baseline=baseline(10, at=NOW))
    merge.take(again, NOW + 2 * SECOND)
    assert total(merge) == 15


def test_sidecar_that_returns_brings_what_was_counted_meanwhile() -> None:
    merge = Merge()
    merge.take(counted(10, at=NOW), NOW)
    back = counted(33, at=NOW + 9 * SECOND, baseline=baseline(30, at=NOW + 8 * SECOND))
    merge.take(back, NOW + 9 * SECOND)
    assert total(merge) == 13


def test_forgotten_sidecar_that_brings_a_baseline_loses_nothing() -> None:
    merge = Merge()
    merge.take(counted(10, at=NOW), NOW)
    later = NOW + FORGOTTEN_NS + SECOND
    merge.forget(later)
    merge.take(counted(11, at=later, baseline=baseline(10, at=NOW)), later)
    assert total(merge) == 11


def test_restarted_sidecar_is_not_held_against_the_instants_of_its_former_run() -> None:
    merge = Merge()
    merge.take(counted(10, at=NOW + 60 * SECOND), NOW)
    merge.take(counted(1, epoch=NOW, at=NOW + SECOND), NOW + SECOND)
    assert total(merge) == 11


def test_increase_lies_between_the_instants_of_its_reports_whenever_they_come() -> None:
    merge = Merge()
    merge.take(counted(0, at=NOW), NOW + 3 * SECOND)
    merge.take(counted(20, at=NOW + 2 * SECOND), NOW + 4 * SECOND)
    second = NOW // SECOND
    assert [increase for _, increase in merge.growth(REQUESTS.name, second + 2, second + 4)] == [[20]]


def test_sidecar_that_left_is_heard_and_not_live() -> None:
    merge = Merge()
    labels = ("inbound", "shop/cart", "")
    take(merge, report(family(IN_FLIGHT, {labels: 3})), NOW)
    merge.leave("cart-0", NOW - SECOND)
    assert values(merge, IN_FLIGHT) == {labels: 3}
    merge.leave("cart-0", NOW)
    assert values(merge, IN_FLIGHT) == {}
    assert merge.heard(NOW, LIVE_NS).keys() == {"cart-0"}
    take(merge, report(family(IN_FLIGHT, {labels: 4})), NOW + SECOND)
    assert values(merge, IN_FLIGHT, NOW + SECOND) == {labels: 4}
