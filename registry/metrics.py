"""What the registry looks like from outside, read when somebody asks."""

from collections.abc import Iterable, Sequence

from registry.families import Family, FamilyType, gauge
from registry.live import LiveCatalog
from registry.mirror import Mirror

_PREFIX = "breakwater_controlplane_registry_"


class RegistryCollector:
    """Figures of a live catalogue, and of the mirrors that a control plane trusts."""

    def __init__(self, live: LiveCatalog, mirrors: Sequence[Mirror]) -> None:
        self._live = live
        self._mirrors = mirrors

    def collect(self) -> Iterable[Family]:
        """One metric per figure."""
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
        yield _gauge("leases", "Leases that the endpoints are registered under.", self._live.lease_count)
        repairs = Family(
            name=_PREFIX + "repairs_total",
            help="Entries of a mirror that were not what the store lists; 0 unless something is wrong.",
            type=FamilyType.COUNTER,
        )
        repairs.add(sum(mirror.repairs for mirror in self._mirrors))
        yield repairs


def _gauge(name: str, documentation: str, value: float) -> Family:
    return gauge(_PREFIX + name, documentation, value)
