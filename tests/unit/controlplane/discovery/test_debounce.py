"""When changed resources are released."""

from itertools import pairwise

from controlplane.discovery.debounce import FIRST_NS, LONGEST_NS, Debounce, note, tick
from tests.support.desired import host

CART, WEB = host("cart.shop"), host("web.shop")
MS = 1_000_000


def releases(changes_ns: range, until_ns: int) -> list[int]:
    """The instants at which CART is released when it changes at `changes_ns`, looked at every millisecond."""
    state, found = Debounce(), []
    for now_ns in range(0, until_ns, MS):
        state, released = tick(state, now_ns)
        if now_ns in changes_ns:
            state, at_once = note(state, {CART}, now_ns)
            released |= at_once
        found += [now_ns for _ in released]
    return found


def test_idle_resource_is_released_at_once() -> None:
    _, released = note(Debounce(), {CART}, 0)
    assert released == {CART}


def test_second_change_waits_for_the_end_of_the_window() -> None:
    state, _ = note(Debounce(), {CART}, 0)
    state, released = note(state, {CART}, MS)
    assert released == set()
    assert state.due_ns == FIRST_NS
    _, released = tick(state, FIRST_NS)
    assert released == {CART}


def test_one_resource_does_not_hold_up_another() -> None:
    state, _ = note(Debounce(), {CART}, 0)
    _, released = note(state, {WEB}, MS)
    assert released == {WEB}


def test_window_grows_under_sustained_change() -> None:
    found = releases(range(0, 1_000 * MS, MS), 1_000 * MS)
    gaps = [after - before for before, after in pairwise(found)]
    assert gaps[:4] == [20 * MS, 40 * MS, 80 * MS, 100 * MS]
    assert set(gaps[4:]) == {LONGEST_NS}


def test_resource_that_flaps_at_50_hertz_is_released_ten_times_a_second() -> None:
    found = releases(range(0, 5_000 * MS, 20 * MS), 5_000 * MS)
    last_second = [instant for instant in found if instant >= 4_000 * MS]
    assert len(last_second) <= 10


def test_resource_is_idle_again_after_a_quiet_time() -> None:
    state, _ = note(Debounce(), {CART}, 0)
    state, _ = tick(state, FIRST_NS + LONGEST_NS)
    assert state == Debounce()


def test_last_change_of_a_burst_is_released() -> None:
    found = releases(range(0, 50 * MS, MS), 500 * MS)
    assert found[-1] >= 49 * MS
