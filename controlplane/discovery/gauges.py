"""Where the fleet stands, as gauges read when Prometheus asks."""

from collections.abc import Iterator

from controlplane.discovery.fleet import Fleet
from registry.families import Family, gauge

_PREFIX = "breakwater_controlplane_"


class FleetCollector:
    """Gauges of a fleet and of its snapshot."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[Family]:
        """One gauge per figure."""
        streams = Family(name=_PREFIX + "streams", help="Sidecars by where they stand.", labels=("state",))
        for state, count in self._fleet.count().items():
            streams.add(count, (state.value.lower(),))
        yield streams
        snapshot = self._fleet.desired.snapshot
        yield gauge(_PREFIX + "policy_revision", "Revision of the policy set.", snapshot.revision)
        yield gauge(_PREFIX + "resources", "Resources in the newest snapshot.", len(snapshot.resources))
