"""What the registry looks like from outside, read when somebody asks."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from registry.live import LiveCatalog

_PREFIX = "breakwater_controlplane_registry_"


class RegistryCollector(Collector):
    """Gauges of a live catalogue."""

    def __init__(self, live: LiveCatalog) -> None:
        self._live = live

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """One gauge per figure."""
        catalog = self._live.catalog
        services = catalog.services.values()
        yield _gauge("up", "1 while the store answers.", self._live.is_connected)
        yield _gauge("settled", "1 once nobody is expected back from a restart.", self._live.is_settled)
        yield _gauge("revision", "Revision of the store that the catalogue shows.", catalog.revision)
        yield _gauge("services", "Services in the catalogue.", len(services))
        yield _gauge(
            "endpoints", "Endpoints in the catalogue.", sum(len(each.endpoints) for each in services)
        )
        yield _gauge(
            "conflicts", "Fields on which instances disagree.", sum(len(each.conflicts) for each in services)
        )


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(_PREFIX + name, documentation, value=value)
