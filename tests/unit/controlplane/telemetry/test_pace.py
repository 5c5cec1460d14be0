"""How often sidecars report."""

import pytest

from controlplane.telemetry.pace import LEAST_SECONDS, REPORTS_PER_SECOND, Pace
from tests.support.reports import NOW, SECOND


def pace_of(reporters: int) -> Pace:
    pace = Pace()
    for _ in range(reporters):
        pace.join()
    return pace


@pytest.mark.parametrize("reporters", [0, 1, int(LEAST_SECONDS * REPORTS_PER_SECOND)])
def test_few_report_every_two_seconds(reporters: int) -> None:
    pace = pace_of(reporters)
    assert (pace.tell(NOW), pace.delay_seconds(NOW)) == (2, 3)


def test_many_report_as_often_as_can_be_taken() -> None:
    pace = pace_of(5_000)
    assert (pace.tell(NOW), pace.delay_seconds(NOW)) == (10, 11)


def test_windows_wait_for_those_who_were_told_to_be_slow() -> None:
    pace = pace_of(5_000)
    pace.tell(NOW)
    for _ in range(4_990):
        pace.leave()
    assert pace.tell(NOW + SECOND) == 2
    assert pace.delay_seconds(NOW + 9 * SECOND) == 11
    assert pace.delay_seconds(NOW + 10 * SECOND) == 3
