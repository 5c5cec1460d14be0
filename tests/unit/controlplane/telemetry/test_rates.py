"""Increases per second."""

import pytest

from controlplane.telemetry.rates import SECOND_NS, Ring, spread


def test_increase_is_spread_over_the_time_it_was_counted_in() -> None:
    ring = Ring()
    ring.add((4.0,), spread(10 * SECOND_NS, 12 * SECOND_NS))
    assert ring.total(10, 11) == [2.0]
    assert ring.total(11, 12) == [2.0]
    assert ring.total(12, 13) == []


def test_increase_within_a_second_stays_in_it() -> None:
    ring = Ring()
    ring.add((4.0, 1.0), spread(10 * SECOND_NS + 1, 10 * SECOND_NS + 2))
    assert ring.total(10, 11) == pytest.approx([4.0, 1.0])


def test_increase_of_no_time_counts_in_its_second() -> None:
    ring = Ring()
    ring.add((4.0,), spread(10 * SECOND_NS, 10 * SECOND_NS))
    assert ring.total(10, 11) == [4.0]


def test_rate_is_steady_whatever_the_phase_of_the_reports() -> None:
    ring = Ring()
    for second in range(0, 60, 2):
        ring.add((20.0,), spread(second * SECOND_NS + 700_000_000, (second + 2) * SECOND_NS + 700_000_000))
    assert ring.total(20, 30) == pytest.approx([100.0])
    assert ring.total(21, 31) == pytest.approx([100.0])


def test_late_report_adds_to_seconds_that_are_there() -> None:
    ring = Ring()
    ring.add((1.0,), spread(12 * SECOND_NS, 13 * SECOND_NS))
    ring.add((2.0,), spread(11 * SECOND_NS, 13 * SECOND_NS))
    assert sorted(ring.slots) == [11, 12]
    assert ring.total(12, 13) == [2.0]


def test_old_seconds_are_forgotten() -> None:
    ring = Ring()
    ring.add((1.0,), spread(0, SECOND_NS))
    ring.add((1.0,), spread(1_000 * SECOND_NS, 1_001 * SECOND_NS))
    assert list(ring.slots) == [1_000]


def test_increase_of_a_long_time_is_steady_and_one_step() -> None:
    ring = Ring()
    ring.add((1_000.0, 500.0), spread(SECOND_NS, 1_001 * SECOND_NS))
    assert ring.total(990, 1_000) == pytest.approx([10.0, 5.0])
    assert ring.total(1_000, 1_001) == pytest.approx([1.0, 0.5])
    assert len(ring.slots) + len(ring.tails) == 2


def test_increase_of_a_long_time_adds_to_what_grew_within_it() -> None:
    ring = Ring()
    ring.add((3.0,), spread(995 * SECOND_NS, 996 * SECOND_NS))
    ring.add((1_000.0,), spread(SECOND_NS, 1_001 * SECOND_NS))
    assert ring.total(990, 1_000) == pytest.approx([13.0])


def test_end_of_a_long_time_is_forgotten_like_a_second() -> None:
    ring = Ring()
    ring.add((1_000.0,), spread(SECOND_NS, 1_001 * SECOND_NS))
    ring.add((1.0,), spread(1_100 * SECOND_NS, 1_101 * SECOND_NS))
    assert not ring.tails
