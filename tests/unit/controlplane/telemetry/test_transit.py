"""Reports that were under way for too long."""

from controlplane.telemetry.transit import LATE_SECONDS, Transit
from tests.support.reports import NOW, SECOND

HOUR = 3_600 * SECOND


def test_reports_that_take_as_long_as_ever_are_in_time_whatever_the_clocks_say() -> None:
    transit = Transit()
    instants = range(NOW, NOW + 60 * SECOND, SECOND)
    assert not any(transit.is_late(instant + HOUR, instant) for instant in instants)


def test_report_that_waited_while_the_replica_stood_still_is_late() -> None:
    transit = Transit()
    assert not transit.is_late(NOW, NOW)
    assert not transit.is_late(NOW + SECOND, NOW + (1 + LATE_SECONDS) * SECOND)
    assert transit.is_late(NOW + 2 * SECOND, NOW + (3 + LATE_SECONDS) * SECOND)
