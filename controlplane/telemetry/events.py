"""The newest events of all sidecars."""

from collections import deque
from collections.abc import Iterable

from controlplane.model.event import Event
from registry.model import ServiceName

KEPT = 1_000


class Events:
    """A ring of events in the order in which they were reported. Mutable, as `Merge` is."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=KEPT)

    def add(self, events: Iterable[Event]) -> None:
        """Takes note of events; the oldest make room."""
        self._events.extend(events)

    def recent(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest, of one service or of all, oldest first."""
        found = [event for event in self._events if service in {None, event.service}]
        return tuple(found[-limit:])
