"""What people read of the telemetry: traffic, events, memory."""

from collections.abc import Callable
from dataclasses import dataclass

from controlplane.model.event import Event
from controlplane.model.traffic import Traffic
from controlplane.telemetry.events import Events
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.traffic import Question, traffic
from registry.model import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Answers from what has been reported so far; `now_ns` tells the wall-clock time."""

    merge: Merge
    events: Events
    now_ns: Callable[[], int]

    def traffic(
        self, service: ServiceName | None, *, outbound: bool, window_seconds: int
    ) -> tuple[Traffic, ...]:
        """Traffic of one service or of all, as their callers see it or as they do, sorted."""
        name = str(service) if service else ""
        question = Question(service=name, outbound=outbound, window_seconds=window_seconds)
        return traffic(self.merge, question, self.now_ns())

    def recent_events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest events, oldest first."""
        return self.events.recent(service, limit)

    def resident_bytes(self, instance: str) -> int:
        """Resident memory of a sidecar as last reported; zero when nothing was."""
        return self.merge.resident_bytes(instance)
