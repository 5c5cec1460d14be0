"""When leases end."""

import pytest

from registry.errors import LeaseNotFoundError
from registry.leases import Deadlines
from registry.model import Lease, LeaseId

SECOND = 1_000_000_000
SHORT = Lease(id=LeaseId(1), ttl_seconds=5)
LONG = Lease(id=LeaseId(2), ttl_seconds=15)


def test_lease_ends_when_its_time_is_over_and_no_sooner() -> None:
    deadlines = Deadlines()
    deadlines.start(SHORT, 0)

    assert deadlines.take_expired(5 * SECOND - 1) == ()
    assert deadlines.take_expired(5 * SECOND) == (SHORT,)


def test_ended_lease_is_taken_once() -> None:
    deadlines = Deadlines()
    deadlines.start(SHORT, 0)
    deadlines.take_expired(5 * SECOND)

    assert deadlines.take_expired(5 * SECOND) == ()
    with pytest.raises(LeaseNotFoundError):
        deadlines.renew(SHORT.id, 5 * SECOND)


def test_renewed_lease_has_its_full_time_again() -> None:
    deadlines = Deadlines()
    deadlines.start(SHORT, 0)
    deadlines.renew(SHORT.id, 4 * SECOND)

    assert deadlines.take_expired(9 * SECOND - 1) == ()
    assert deadlines.take_expired(9 * SECOND) == (SHORT,)


def test_renewal_never_shortens_what_a_lease_has() -> None:
    deadlines = Deadlines()
    deadlines.start(SHORT, 0, extra_seconds=4)
    deadlines.renew(SHORT.id, 1 * SECOND)

    assert deadlines.take_expired(9 * SECOND - 1) == ()


def test_renewing_all_gives_each_its_own_full_time() -> None:
    deadlines = Deadlines()
    for lease in (SHORT, LONG):
        deadlines.start(lease, 0)
    deadlines.renew_all(100 * SECOND)

    assert deadlines.take_expired(105 * SECOND) == (SHORT,)
    assert deadlines.take_expired(115 * SECOND) == (LONG,)


def test_forgotten_lease_never_ends() -> None:
    deadlines = Deadlines()
    deadlines.start(SHORT, 0)
    deadlines.forget([SHORT.id, LONG.id])

    assert deadlines.take_expired(10 * SECOND) == ()


@pytest.mark.parametrize(("now_seconds", "left"), [(0, 1), (4, 1), (4.5, 0.5), (7, 0)])
def test_wait_is_until_the_first_end_within_bounds(now_seconds: float, left: float) -> None:
    deadlines = Deadlines()
    for lease in (LONG, SHORT):
        deadlines.start(lease, 0)

    assert deadlines.seconds_left(int(now_seconds * SECOND), 1) == left


def test_without_leases_the_wait_is_the_longest() -> None:
    assert Deadlines().seconds_left(0, 1) == 1
