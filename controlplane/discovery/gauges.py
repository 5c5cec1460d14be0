"""Where the fleet stands, as gauges read when Prometheus asks."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from controlplane.discovery.fleet import Fleet

_PREFIX = "breakwater_controlplane_"


class FleetCollector(Collector):
    """Gauges of a fleet and of its snapshot."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One gauge per figure."""
        streams = GaugeMetricFamily(_PREFIX + "streams", "Sidecars by where they stand.", labels=("state",))
        for state, count in self._fleet.count().items():
            streams.add_metric((state.value.lower(),), count)
        yield streams
        snapshot = self._fleet.desired.snapshot
        yield GaugeMetricFamily(
            _PREFIX + "policy_revision", "Revision of the policy set.", value=snapshot.revision
        )
        yield GaugeMetricFamily(
            _PREFIX + "resources", "Resources in the newest snapshot.", value=len(snapshot.resources)
        )
