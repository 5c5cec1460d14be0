"""Checks of what people ask for."""

import pytest

from controlplane.admin.orders import MAX_TTL_SECONDS, check_order, event_limit, window_seconds
from controlplane.errors import InvalidRequestError
from controlplane.model.event import BreakerState


@pytest.mark.parametrize(
    "state", [BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED, BreakerState.DISABLED]
)
def test_order_needs_an_end(state: BreakerState) -> None:
    check_order(state, MAX_TTL_SECONDS)
    for ttl in (0, -1, MAX_TTL_SECONDS + 1):
        with pytest.raises(InvalidRequestError) as caught:
            check_order(state, ttl)
        assert list(caught.value.violations) == ["order.ttl"]


def test_giving_back_needs_none() -> None:
    check_order(BreakerState.CLOSED, 0)


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.UNSPECIFIED])
def test_state_that_nobody_can_order_is_refused(state: BreakerState) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_order(state, 60)
    assert list(caught.value.violations) == ["order.state"]


@pytest.mark.parametrize(("asked", "window"), [(0, 10), (0.2, 1), (5, 5), (60, 60)])
def test_window_is_whole_seconds(asked: float, window: int) -> None:
    assert window_seconds(asked) == window


@pytest.mark.parametrize("asked", [61, -1])
def test_window_longer_than_what_is_kept_is_refused(asked: float) -> None:
    with pytest.raises(InvalidRequestError):
        window_seconds(asked)


@pytest.mark.parametrize(("asked", "limit"), [(0, 100), (5, 5), (5_000, 1_000)])
def test_events_are_bounded(asked: int, limit: int) -> None:
    assert event_limit(asked) == limit
