"""Checks of what people ask for."""

from controlplane.errors import InvalidRequestError
from controlplane.model.event import BreakerState

MAX_TTL_SECONDS = 24 * 3600
MAX_WINDOW_SECONDS = 60
DEFAULT_WINDOW_SECONDS = 10
MAX_EVENTS = 1_000
DEFAULT_EVENTS = 100

_FORCED = (BreakerState.FORCED_OPEN, BreakerState.FORCED_CLOSED, BreakerState.DISABLED)


def check_order(state: BreakerState, ttl_seconds: float) -> None:
    """Passes an order over breakers that sidecars would take.

    Raises:
        InvalidRequestError: they would not.
    """
    violations = {}
    if state not in {*_FORCED, BreakerState.CLOSED}:
        words = ", ".join(one.value for one in _FORCED)
        violations["order.state"] = f"expected {words}, or CLOSED to give it back, found {state.value}"
    if state in _FORCED and not 0 < ttl_seconds <= MAX_TTL_SECONDS:
        violations["order.ttl"] = f"expected more than 0s and at most 24h, found {ttl_seconds:g}s"
    if violations:
        raise InvalidRequestError(violations)


def window_seconds(asked: float) -> int:
    """The window to take rates over; whole seconds.

    Raises:
        InvalidRequestError: it is longer than what is kept.
    """
    if not 0 <= asked <= MAX_WINDOW_SECONDS:
        raise InvalidRequestError({"window": f"expected at most {MAX_WINDOW_SECONDS}s, found {asked:g}s"})
    return max(1, round(asked)) if asked else DEFAULT_WINDOW_SECONDS


def event_limit(asked: int) -> int:
    """How many events to show."""
    return min(asked, MAX_EVENTS) or DEFAULT_EVENTS
