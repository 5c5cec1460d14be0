"""The ring of events."""

from datetime import UTC, datetime

from controlplane.model.event import Event
from controlplane.telemetry.events import KEPT, Events
from registry.model import ServiceName

CART = ServiceName(namespace="shop", name="cart")
WEB = ServiceName(namespace="shop", name="web")


def event(number: int, service: ServiceName = CART) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(instance="web-0", at=at, kind="breaker", service=service, calls=number)


def test_newest_events_are_shown_oldest_first() -> None:
    events = Events()
    events.add(map(event, range(5)))
    assert [one.calls for one in events.recent(None, 2)] == [3, 4]


def test_events_of_one_service_are_picked_out() -> None:
    events = Events()
    events.add([event(1), event(2, WEB), event(3)])
    assert [one.calls for one in events.recent(CART, 10)] == [1, 3]


def test_oldest_events_make_room() -> None:
    events = Events()
    events.add(map(event, range(KEPT + 10)))
    assert events.recent(None, KEPT)[0].calls == 10
