"""What people read of the telemetry: traffic, events, memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controlplane.model.event import Event
from controlplane.model.health import HealthShare
from controlplane.model.traffic import Question, TrafficShare
from controlplane.telemetry.callers import Callers
from controlplane.telemetry.checks import Checks
from controlplane.telemetry.events import Events
from controlplane.telemetry.merge import Merge
from controlplane.telemetry.pace import Pace
from controlplane.telemetry.traffic import count
from registry.model import ServiceName


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Answers from what has been reported here so far; `now_ns` tells the wall-clock time."""

    merge: Merge
    callers: Callers
    checks: Checks
    events: Events
    pace: Pace
    now_ns: Callable[[], int]

    def traffic(self, question: Question) -> TrafficShare:
        """What was counted of the traffic asked for."""
        now_ns = self.now_ns()
        return count(self.merge, question, now_ns, self.pace.delay_seconds(now_ns))

    def recent_events(self, service: ServiceName | None, limit: int) -> tuple[Event, ...]:
        """At most `limit` of the newest events, oldest first."""
        return self.events.recent(service, limit)

    def resident_bytes(self, instance: str) -> int:
        """Resident memory of a sidecar as last reported; zero when nothing was."""
        return self.merge.resident_bytes(instance)

    def live_callers(self) -> Mapping[ServiceName, int]:
        """The services that were called of late, each with how many sidecars called it."""
        return self.callers.counts(self.now_ns())

    def checked(self) -> Mapping[ServiceName, int]:
        """The services that are checked, each with a number that grows when its health changes."""
        return self.checks.revisions()

    def health(self, service: ServiceName) -> HealthShare:
        """What the sidecars that report here know of the health of a service."""
        return self.checks.share(service)
